//! Real sockets on loopback. What takes a network is in `routed`.

mod closing;
mod namespace;
mod ports;
mod routed;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::heard::{Answer, NotSent};
use crate::options::{FlowLabel, Interface, Pattern, Ttl};
use crate::{RttSource, Stamps, What};

#[tokio::test]
async fn an_echo_to_loopback_is_answered() {
    for address in LOOPBACKS {
        for payload_size in [0, 7, 16, 56, 1_472, 20_000] {
            let Some(flow) = open(
                address,
                RequestOptions {
                    payload_size,
                    ..PLAIN
                },
            ) else {
                return;
            };
            assert_eq!(flow.send(WAIT), 0);
            let answer = answer(&flow).await;
            let bytes = 8 + payload_size;
            assert_eq!(flow.bytes(), bytes);
            assert_eq!(answer.what, What::Reply { bytes });
            assert_eq!((answer.sequence, answer.from), (0, address));
            assert!(answer.rtt > Duration::ZERO && answer.rtt < WAIT);
            assert_eq!(answer.hop_limit, Some(64));
        }
    }
}

#[tokio::test]
async fn the_largest_echo_is_answered() {
    let largest = RequestOptions {
        payload_size: RequestOptions::MAX_PAYLOAD_SIZE,
        ..PLAIN
    };
    for address in LOOPBACKS {
        let Some(flow) = open(address, largest) else {
            return;
        };
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 65_515 });
    }
}

#[tokio::test]
async fn requests_leave_with_what_was_asked_for() {
    let source = IpAddr::from([127, 9, 8, 7]);
    let options = RequestOptions {
        source: Some(source),
        ttl: Ttl::new(9),
        tos: 0xb8,
        dont_fragment: true,
        flow_label: FlowLabel::new(0xabcde),
        pattern: Pattern::new(b"leadsman"),
        ..PLAIN
    };
    let Some(flow) = open(LOOPBACKS[0], options) else {
        return;
    };
    flow.send(WAIT);
    assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    let options = RequestOptions {
        source: Some(LOOPBACKS[1]),
        ..options
    };
    let flow = Flow::open(LOOPBACKS[1], options).unwrap();
    flow.send(WAIT);
    assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
}

#[tokio::test]
async fn a_mapped_address_is_the_ipv4_address_it_holds() {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
    let Some(flow) = open(mapped, PLAIN) else {
        return;
    };
    flow.send(WAIT);
    assert_eq!(answer(&flow).await.from, LOOPBACKS[0]);
}

#[tokio::test]
async fn an_answer_from_another_address_is_no_reply() {
    let Some(flow) = open(Ipv4Addr::UNSPECIFIED.into(), PLAIN) else {
        return;
    };
    flow.send(WAIT);
    let answer = answer(&flow).await;
    assert_eq!(
        (answer.what, answer.from),
        (What::WrongSource, LOOPBACKS[0])
    );
}

#[tokio::test]
async fn flows_to_one_destination_hear_each_their_own() {
    for address in LOOPBACKS {
        let Some(one) = open(address, PLAIN) else {
            return;
        };
        let two = Flow::open(address, PLAIN).unwrap();
        for _ in 0..10 {
            one.send(WAIT);
        }
        two.send(WAIT);
        for sequence in 0..10 {
            assert_eq!(answer(&one).await.sequence, sequence);
        }
        assert_eq!(answer(&two).await.sequence, 0);
        assert!(silent(&one) && silent(&two));
    }
}

#[tokio::test]
async fn a_thousand_flows_at_once_hear_each_their_own() {
    let Some(_) = open(LOOPBACKS[0], PLAIN) else {
        return;
    };
    let flows: Vec<_> = (0..1_000_u16)
        .map(|n| {
            // Every destination is that of two flows.
            let [high, low] = (n / 2).to_be_bytes();
            Flow::open([127, 1, high, low].into(), PLAIN).unwrap()
        })
        .collect();
    for flow in &flows {
        for sequence in 0..3 {
            assert_eq!(flow.send(WAIT), sequence);
        }
    }
    for flow in &flows {
        for sequence in 0..3 {
            let answer = answer(flow).await;
            assert_eq!(answer.what, What::Reply { bytes: 64 });
            assert_eq!((answer.sequence, answer.from), (sequence, flow.destination));
        }
    }
    for flow in &flows {
        assert!(silent(flow));
    }
}

#[tokio::test]
async fn a_flow_serves_any_runtime() {
    let Some(flow) = open(LOOPBACKS[0], PLAIN) else {
        return;
    };
    let flow = Arc::new(flow);
    for sequence in 0..3 {
        let flow = Arc::clone(&flow);
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            runtime.unwrap().block_on(async {
                flow.send(WAIT);
                answer(&flow).await.sequence
            })
        });
        assert_eq!(other.join().unwrap(), sequence);
    }
}

#[tokio::test]
async fn a_dropped_flow_leaves_nothing_behind() {
    let Some(flow) = open(LOOPBACKS[0], PLAIN) else {
        return;
    };
    flow.send(WAIT);
    let inbox = Arc::downgrade(&flow.inbox);
    drop(flow);
    assert!(inbox.upgrade().is_none());
}

#[test]
fn what_this_host_does_not_have_is_named() {
    if open(LOOPBACKS[0], PLAIN).is_none() {
        return;
    }
    let check = |destination: &str, options, expected: &str| {
        let error = Flow::open(destination.parse().unwrap(), options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    for (destination, source) in [("127.0.0.1", "192.0.2.77"), ("::1", "2001:db8::77")] {
        let options = RequestOptions {
            source: Some(source.parse().unwrap()),
            ..PLAIN
        };
        check(destination, options, "this host has no such address");
        check(destination, options, source);
    }
    let options = RequestOptions {
        interface: Interface::new("no-such-thing"),
        ..PLAIN
    };
    check(
        "127.0.0.1",
        options,
        "interface no-such-thing: this host has no such",
    );
}

#[tokio::test]
async fn an_interface_and_a_mark_are_a_way_of_their_own() {
    for address in LOOPBACKS {
        let plain = open(address, PLAIN);
        let options = RequestOptions {
            interface: Interface::new("lo"),
            mark: Some(7),
            ..PLAIN
        };
        let flow = match Flow::open(address, options) {
            Err(OpenError::NotPermitted { .. } | OpenError::Mark { .. }) => {
                return skipped("packets may not be marked here");
            }
            flow => flow.unwrap(),
        };
        assert!(plain.is_none_or(|plain| !Arc::ptr_eq(&plain.lane, &flow.lane)));
        let again = Flow::open(address, options).unwrap();
        assert!(Arc::ptr_eq(&again.lane, &flow.lane));
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    }
}

#[test]
fn impossible_options_are_refused_before_a_socket_is_opened() {
    let lane = |_| -> Result<_, OpenError> { unreachable!("refused earlier") };
    let options = RequestOptions {
        payload_size: 65_508,
        ..PLAIN
    };
    let error = Flow::on(lane, LOOPBACKS[0], options).unwrap_err();
    assert!(
        matches!(error, OpenError::PayloadTooLarge { size: 65_508 }),
        "{error}"
    );
    let options = RequestOptions {
        source: Some(LOOPBACKS[1]),
        ..PLAIN
    };
    let error = Flow::on(lane, LOOPBACKS[0], options).unwrap_err();
    assert!(matches!(error, OpenError::SourceFamily { .. }), "{error}");
}

#[test]
fn flows_are_shared_among_threads() {
    fn check<T: Send + Sync>() {}
    check::<Flow>();
}

const PLAIN: RequestOptions = RequestOptions {
    protocol: Protocol::Icmp,
    port: 0,
    source: None,
    interface: None,
    mark: None,
    ttl: None,
    tos: 0,
    flow_label: None,
    dont_fragment: false,
    payload_size: 56,
    pattern: None,
    stamps: Stamps::Both,
    remarks: false,
};

/// Longer than any answer takes that is certain to come.
const WAIT: Duration = Duration::from_secs(20);

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Opens a flow, or says loudly that the test is skipped because this process may not.
fn open(destination: IpAddr, options: RequestOptions) -> Option<Flow> {
    match Flow::open(destination, options) {
        Err(OpenError::NotPermitted { .. }) => {
            skipped("neither raw nor ping sockets are allowed here");
            None
        }
        flow => Some(flow.unwrap()),
    }
}

fn skipped(why: &str) {
    let must_not = std::env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_some();
    assert!(!must_not, "may not be skipped: {why}");
    println!("SKIPPED: {why}");
}

/// Waits for what is certain to come; the limit only ends a broken test.
async fn heard(flow: &Flow) -> Heard {
    let heard = tokio::time::timeout(2 * WAIT, flow.heard());
    heard.await.expect("a request ends")
}

/// Waits for an answer that is certain to come.
async fn answer(flow: &Flow) -> Answer {
    match heard(flow).await {
        Heard::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Waits for the refusal of a request.
async fn refusal(flow: &Flow) -> Refusal {
    match heard(flow).await {
        Heard::NotSent(NotSent { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Whether nothing waits to be heard, once all that came until now has been read.
fn silent(flow: &Flow) -> bool {
    flow.settle();
    flow.heard_already().is_none()
}
