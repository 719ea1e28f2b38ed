//! Are the figures what the RFCs say, whatever came, in whatever order?
//!
//! Random courses of events, the same at every run, are compared with the definitions written out
//! over all requests at once.

use std::time::Duration;

use leadsman_core::Target;

use super::*;
use crate::events::{IcmpError, Lost, Reply, Sent};

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// A reply after so many nanoseconds, late if that is more than [`WAIT`]; whether it is apart,
    /// and how many there are of it.
    Reply(u64, bool, u64),
    Silence,
    Error(u64),
    Suspect,
    /// The course ends before.
    InFlight,
}

#[test]
fn figures_agree_with_the_definitions() {
    for (seed, requests) in [(1, 1), (2, 2), (3, 10), (4, 300), (5, 3_000), (6, 9_000)] {
        let ends = random(seed, requests);
        let mut host = Host::new(&Target::new("192.0.2.1"));
        for said in course(&ends) {
            host.take(&said);
        }
        compare(&host, &Reference::of(&ends), seed);
    }
}

#[track_caller]
fn compare(host: &Host, reference: &Reference, seed: u64) {
    let trips = &host.trips;
    let close = |what, figure: Option<Duration>, expected: Option<f64>| {
        let figure = figure.map(|figure| figure.as_secs_f64());
        let same = match (figure, expected) {
            (Some(figure), Some(expected)) => (figure - expected).abs() <= 1e-9,
            (figure, expected) => figure == expected,
        };
        assert!(same, "{what} of {seed}: {figure:?} {expected:?}");
    };
    let rtts = &reference.rtts;
    close("mean", trips.mean(), mean(rtts));
    close("mdev", trips.mdev(), deviation(rtts, 0));
    close("sdev", trips.sdev(), deviation(rtts, 1));
    for percent in [0, 50, 95, 99, 100] {
        let expected = percentile(rtts, percent);
        close("percentile", trips.percentile(percent as u64), expected);
        let least = percentile(rtts, 0);
        let above: Vec<_> = rtts.iter().map(|rtt| rtt - least.unwrap()).collect();
        let expected = percentile(&above, percent);
        close("pdv", trips.pdv_percentile(percent as u64), expected);
        let expected = percentile(&reference.ipdv, percent);
        close("ipdv", trips.ipdv_percentile(percent as u64), expected);
    }
    close("ipdv", trips.ipdv_mean(), mean(&reference.ipdv));
    close("jitter", trips.jitter(), reference.jitter);
    assert_eq!(host.loss_ratio(), reference.loss, "{seed}");
    let periods = (trips.loss_periods(), trips.longest_loss());
    assert_eq!(periods, reference.periods, "{seed}");
    assert_eq!(trips.reordered(), reference.reordered, "{seed}");
}

/// The definitions, written out.
struct Reference {
    /// In seconds, as all that follow.
    rtts: Vec<f64>,
    ipdv: Vec<f64>,
    jitter: Option<f64>,
    loss: Option<f64>,
    periods: (u64, u64),
    reordered: u64,
}

impl Reference {
    fn of(ends: &[End]) -> Self {
        let rtt = |end: &End| match end {
            End::Reply(nanos, false, _) if *nanos <= WAIT => Some(*nanos as f64 / 1e9),
            _ => None,
        };
        // RFC 3393, section 2: ddT = R(i) - R(i-1), here of each request and the one before it.
        let pairs = ends.windows(2);
        let ddt: Vec<_> = pairs
            .filter_map(|w| Some(rtt(&w[1])? - rtt(&w[0])?))
            .collect();
        // RFC 3550, section 6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16.
        let jitter = ddt.iter().fold(0.0, |j: f64, d| j + (d.abs() - j) / 16.0);
        // RFC 6673, section 4: of what was sent, what got no reply within the wait; only requests
        // of which that is known.
        let known: Vec<bool> = ends
            .iter()
            .filter(|end| !matches!(end, End::Suspect | End::InFlight))
            .map(|end| matches!(end, End::Reply(nanos, ..) if *nanos <= WAIT))
            .collect();
        let lost = known.iter().filter(|received| !**received).count();
        // RFC 3357, section 4: a period begins with a loss whose predecessor is none.
        let periods = known.split(|received| *received);
        let lengths: Vec<_> = periods.map(<[_]>::len).filter(|n| *n > 0).collect();
        Self {
            rtts: ends.iter().filter_map(rtt).collect(),
            ipdv: ddt.iter().map(|d| d.abs()).collect(),
            jitter: (!ddt.is_empty()).then_some(jitter),
            loss: (!known.is_empty()).then(|| lost as f64 / known.len() as f64),
            periods: (
                lengths.len() as u64,
                lengths.iter().max().copied().unwrap_or_default() as u64,
            ),
            reordered: reordered(ends),
        }
    }
}

/// RFC 4737, section 3: replies behind one with a greater sequence number.
fn reordered(ends: &[End]) -> u64 {
    let mut arrivals = Vec::new();
    for (sequence, end) in ends.iter().enumerate() {
        if let End::Reply(nanos, ..) = end {
            arrivals.push((sequence as u64 * INTERVAL + nanos, sequence));
        }
    }
    arrivals.sort_unstable();
    let overtaken = (0..arrivals.len()).filter(|at| {
        let (before, sequence) = (&arrivals[..*at], arrivals[*at].1);
        before.iter().any(|(_, other)| *other > sequence)
    });
    overtaken.count() as u64
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation with so many degrees of freedom less.
fn deviation(values: &[f64], less: usize) -> Option<f64> {
    let mean = mean(values)?;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (values.len() > less).then(|| (squares / (values.len() - less) as f64).sqrt())
}

fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Requests of every fate, the last three of which have none yet.
fn random(seed: u64, requests: usize) -> Vec<End> {
    let mut state = seed;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let ends = (0..requests).map(|_| match below(20) {
        0..=2 => End::Silence,
        3 => End::Error(below(WAIT)),
        4 => End::Suspect,
        // Some are late, some overtake several others.
        _ => End::Reply(
            1 + below(WAIT + WAIT / 10),
            below(30) == 0,
            1 + below(9) / 8,
        ),
    });
    ends.chain([End::InFlight; 3]).collect()
}

/// What a ping says of these requests, in the order of time.
fn course(ends: &[End]) -> Vec<Said> {
    let mut said = Vec::new();
    for (index, end) in ends.iter().enumerate() {
        let sequence = index as u64 + 1;
        let sent = index as u64 * INTERVAL;
        let mut says = |after: u64, what| said.push((sent + after, what));
        says(
            0,
            Said::Sent(Sent {
                sequence,
                to: HOST,
                bytes: 64,
            }),
        );
        let silence = |outcome| {
            let waited = Duration::from_nanos(WAIT);
            Said::Lost(Lost {
                sequence,
                waited,
                outcome,
            })
        };
        match *end {
            End::Reply(nanos, apart, copies) => {
                let is_late = nanos > WAIT;
                if is_late {
                    says(WAIT, silence(Outcome::Timeout));
                }
                for copy in 0..copies {
                    let arrived = match copy {
                        0 if is_late => Arrival::Late,
                        0 => Arrival::InTime,
                        _ => Arrival::Again,
                    };
                    says(nanos + copy, reply(sequence, nanos, apart, arrived));
                }
            }
            End::Silence => says(WAIT, silence(Outcome::Timeout)),
            End::Error(nanos) => says(nanos, error(sequence)),
            End::Suspect => says(WAIT, silence(Outcome::LocalSuspect)),
            End::InFlight => {}
        }
    }
    said.sort_by_key(|(at, _)| *at);
    said.into_iter().map(|(_, said)| said).collect()
}

fn reply(sequence: u64, nanos: u64, apart: bool, arrived: Arrival) -> Said {
    Said::Reply(Reply {
        sequence,
        from: HOST,
        bytes: 64,
        hop_limit: None,
        rtt: Duration::from_nanos(nanos),
        rtt_source: "kernel".into(),
        apart,
        arrived,
    })
}

fn error(sequence: u64) -> Said {
    Said::Error(IcmpError {
        sequence,
        from: HOST,
        outcome: Outcome::Unreachable,
        icmp_type: Some(3),
        code: Some(1),
        mtu: None,
        what: "Destination Host Unreachable".to_owned(),
        arrived: Arrival::InTime,
    })
}

const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// In nanoseconds, as the wait.
const INTERVAL: u64 = 7_000_000;
const WAIT: u64 = 100_000_000;
