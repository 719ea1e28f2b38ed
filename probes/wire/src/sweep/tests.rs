//! Sweeps of loopback, where requests to the broadcast address are ignored: that is who is silent.

use std::collections::HashMap;

use super::*;
use crate::heard::Arrived;
use crate::{RttSource, Stamps};

const PLAN: Plan = Plan {
    count: 1,
    until_answered: false,
    interval: Duration::from_millis(1),
    wait: Duration::from_millis(300),
    rate: None,
};

const SILENT: &str = "127.255.255.255";

#[test]
fn every_address_is_asked_as_often_as_planned_and_every_request_ends() {
    let addresses = addresses(300, &["::1", SILENT, "::ffff:127.0.0.1", "127.0.0.1"]);
    let plan = Plan { count: 3, ..PLAN };
    let Some(heard) = sweep(RequestOptions::default(), &addresses, &plan) else {
        return;
    };
    let mut ends = HashMap::new();
    for (place, heard) in &heard {
        *ends.entry((*place, heard.sequence())).or_insert(0) += 1;
        match heard {
            Heard::Answer(answer) => {
                assert_eq!(answer.from, addresses[*place].to_canonical());
                assert_eq!(answer.arrived, Arrived::InTime);
                assert_eq!(answer.rtt_source, RttSource::Kernel);
            }
            Heard::Silence(silence) => {
                assert_eq!(addresses[*place].to_string(), SILENT);
                assert!(!silence.suspect);
            }
            Heard::NotSent(not_sent) => panic!("{not_sent:?}"),
        }
    }
    assert_eq!(ends.len(), 3 * addresses.len());
    assert!(ends.values().all(|ends| *ends == 1));
}

#[test]
fn who_has_answered_is_asked_no_more() {
    let addresses = addresses(20, &[SILENT]);
    let plan = Plan {
        count: 3,
        until_answered: true,
        interval: Duration::from_millis(50),
        ..PLAN
    };
    let Some(heard) = sweep(RequestOptions::default(), &addresses, &plan) else {
        return;
    };
    let (silent, answered): (Vec<_>, Vec<_>) = heard.iter().partition(|(place, _)| *place == 20);
    let mut sequences: Vec<_> = silent.iter().map(|(_, heard)| heard.sequence()).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [0, 1, 2]);
    // On a busy machine a second request may have left before the first answer was read.
    assert!(
        answered
            .iter()
            .all(|(_, heard)| matches!(heard, Heard::Answer(_)))
    );
    assert!((20..60).contains(&answered.len()), "{}", answered.len());
}

#[test]
fn a_rate_is_kept() {
    let addresses = addresses(200, &[]);
    let plan = Plan {
        rate: NonZeroU32::new(1_000),
        ..PLAN
    };
    let begin = Stamp::now();
    let Some(heard) = sweep(RequestOptions::default(), &addresses, &plan) else {
        return;
    };
    assert_eq!(heard.len(), 200);
    assert!(Stamp::now().since(begin) >= Duration::from_millis(195));
}

#[test]
fn a_stop_ends_a_sweep_that_nobody_answers() {
    let addresses = addresses(0, &[SILENT]);
    let plan = Plan {
        wait: Duration::from_hours(1),
        ..PLAN
    };
    let asked = std::cell::Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 3;
    let mut heard = Vec::new();
    let mut sweep = Sweep::new(RequestOptions::default());
    match sweep.run(&addresses, &plan, stop, &mut |_, h| heard.push(h)) {
        Err(OpenError::NotPermitted { .. }) => return skipped(),
        swept => swept.unwrap(),
    }
    assert_eq!(heard, []);
    // What was in flight does not come back in the next run.
    let again = sweep.run(&[[127, 0, 0, 1].into()], &PLAN, || false, &mut |_, h| {
        heard.push(h);
    });
    again.unwrap();
    assert_eq!(heard.len(), 1);
}

#[test]
fn impossible_options_are_refused() {
    let addresses = addresses(1, &[]);
    let options = RequestOptions {
        payload_size: RequestOptions::MAX_PAYLOAD_SIZE + 1,
        ..RequestOptions::default()
    };
    let mut nothing = |_, heard| panic!("{heard:?}");
    let swept = Sweep::new(options).run(&addresses, &PLAN, || false, &mut nothing);
    assert!(
        matches!(swept, Err(OpenError::PayloadTooLarge { .. })),
        "{swept:?}"
    );
}

#[test]
fn departures_need_no_stamps() {
    let addresses = addresses(100, &[]);
    let options = RequestOptions {
        stamps: Stamps::Arrivals,
        ..RequestOptions::default()
    };
    let Some(heard) = sweep(options, &addresses, &PLAN) else {
        return;
    };
    let source = RttSource::KernelReceive;
    let stamped =
        |heard: &Heard| matches!(heard, Heard::Answer(answer) if answer.rtt_source == source);
    assert_eq!(
        heard.iter().filter(|(_, heard)| stamped(heard)).count(),
        100
    );
}

fn addresses(many: u16, others: &[&str]) -> Vec<IpAddr> {
    let many = (0..many).map(|n| {
        let [high, low] = n.to_be_bytes();
        IpAddr::from([127, 3, high, low])
    });
    many.chain(others.iter().map(|address| address.parse().unwrap()))
        .collect()
}

/// Sweeps, or says loudly that this process may not.
fn sweep(
    options: RequestOptions,
    addresses: &[IpAddr],
    plan: &Plan,
) -> Option<Vec<(usize, Heard)>> {
    let mut heard = Vec::new();
    let mut on = |place, what| heard.push((place, what));
    match Sweep::new(options).run(addresses, plan, || false, &mut on) {
        Err(OpenError::NotPermitted { .. }) => skipped(),
        swept => {
            swept.unwrap();
            return Some(heard);
        }
    }
    None
}

fn skipped() {
    let must_not = std::env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_some();
    assert!(!must_not, "may not be skipped: no ICMP sockets here");
    println!("SKIPPED: no ICMP sockets here");
}
