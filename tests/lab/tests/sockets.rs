//! What do leadsman's real sockets make of the simulated network behind a TUN device?
//!
//! Every count must be that of the record. Round trips are compared with it too, but this machine
//! may be busy: how much too late the simulation itself was is what they are allowed on top.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use leadsman_lab::{Network, Record, Scenario, Tunnel, or_skip};
use leadsman_wire::{Plan, RequestOptions, Sweep, Ttl};

use crate::ended::Told;
use crate::scenarios::{check, load, scenarios};

/// Sends a scenario's load through it, holds each request against its record, and returns the
/// errors of the round trips and the record.
fn run(name: &str, scenario: &Scenario) -> Option<(Vec<f64>, Network)> {
    let load = load(scenario);
    let addresses = load.addresses();
    let network = Network::new(scenario).expect("it is a network");
    let tunnel = or_skip(Tunnel::open(network))?;
    let options = RequestOptions {
        ttl: Ttl::new(load.ttl),
        payload_size: load.size,
        ..RequestOptions::default()
    };
    let rate = addresses.len() as f64 / load.every.as_secs_f64();
    let plan = Plan {
        count: load.count,
        until_answered: false,
        interval: *load.every,
        wait: *load.wait,
        rate: NonZeroU32::new(rate as u32),
    };
    let told = tunnel.namespace().run(|| {
        let mut told = Told::nothing(load);
        let mut sweep = Sweep::new(options);
        let hear = &mut |host, heard| told.hear(host, heard);
        let ran = sweep.run(&addresses, &plan, || false, hear);
        ran.expect("there are sockets in the namespace");
        told
    });
    let network = tunnel.close();
    let records = network.records();
    let asked = asked(records, &addresses);
    let errors = told.check(name, load, records, &asked, Duration::from_millis(5));
    // The sweep is over when the last request is: what comes later is not heard.
    let last = records.iter().map(|record| record.entered).max();
    let over = last.unwrap_or_default() + *load.wait;
    let fewest = surplus(
        records,
        *load.wait,
        over.saturating_sub(Duration::from_millis(50)),
    );
    let most = surplus(records, *load.wait, Duration::MAX);
    assert!(
        (fewest..=most).contains(&told.surplus),
        "{name}: {} {fewest} {most}",
        told.surplus
    );
    Some((errors, network))
}

/// Which request each record is about: the n-th to an address.
fn asked(records: &[Record], addresses: &[IpAddr]) -> Vec<(usize, u64)> {
    let hosts = addresses
        .iter()
        .enumerate()
        .map(|(host, address)| (*address, host));
    let hosts: HashMap<IpAddr, usize> = hosts.collect();
    let mut sent = vec![0; addresses.len()];
    let asked = records.iter().map(|record| {
        let host = hosts[&record.request.destination];
        sent[host] += 1;
        (host, sent[host] - 1)
    });
    asked.collect()
}

/// Counts the answers that end no request, up to a time. Those that came close to the deadline may
/// or may not have.
fn surplus(records: &[Record], wait: Duration, until: Duration) -> u64 {
    let margin = Duration::from_millis(5);
    let wait = if until == Duration::MAX {
        wait.saturating_sub(margin)
    } else {
        wait + margin
    };
    let answers = records.iter().map(|record| {
        let heard = record.heard();
        let ends = heard
            .first()
            .is_some_and(|first| record.round_trip(first) < wait);
        let heard = heard.iter().filter(|answer| answer.at <= until).count();
        heard.saturating_sub(usize::from(ends)) as u64
    });
    answers.sum()
}

#[test]
fn sockets_agree_with_the_record_of_every_scenario() {
    let scenarios = scenarios();
    let fit: Vec<_> = scenarios
        .iter()
        .filter(|(_, scenario)| !scenario.in_memory_only)
        .collect();
    // Most of their time they wait.
    thread::scope(|scope| {
        for part in fit.chunks(fit.len().div_ceil(4)) {
            scope.spawn(move || {
                for (name, scenario) in part {
                    if let Some((_, network)) = run(name, scenario) {
                        check(name, scenario, &network);
                    }
                }
            });
        }
    });
}

#[test]
fn round_trips_are_those_of_the_record() {
    let scenarios = scenarios();
    let (name, plain) = scenarios
        .iter()
        .find(|(name, _)| name == "plain")
        .expect("it is there");
    let Some((errors, network)) = run(name, plain) else {
        return;
    };
    let nominal = Duration::from_millis(3);
    let late = network.records().iter().map(|record| {
        let trip = record.round_trip(&record.heard()[0]);
        trip.saturating_sub(nominal).as_secs_f64()
    });
    let (late, errors) = (sorted(late), sorted(errors.iter().map(|error| error.abs())));
    for (percent, most) in [(50, 60e-6), (95, 500e-6)] {
        let at = |sorted: &[f64]| sorted[sorted.len() * percent / 100];
        let (error, late) = (at(&errors), at(&late));
        println!(
            "p{percent}: error {:.0} us, simulation late {:.0} us",
            error * 1e6,
            late * 1e6
        );
        assert!(
            error <= most + late,
            "p{percent} is {error} s, the simulation {late} s late"
        );
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
