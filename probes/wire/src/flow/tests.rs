//! Real sockets on loopback. What takes a network is in `routed`.

mod namespace;
mod routed;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::{RttSource, Ttl, What};

#[tokio::test]
async fn an_echo_to_loopback_is_answered() {
    for address in LOOPBACKS {
        for payload_size in [0, 7, 16, 56, 1_472, 20_000] {
            let Some(flow) = open(
                address,
                EchoOptions {
                    payload_size,
                    ..PLAIN
                },
            ) else {
                return;
            };
            let sent = flow.send().unwrap();
            assert_eq!((sent.sequence, sent.bytes), (0, 8 + payload_size));
            let heard = heard(&flow).await;
            assert_eq!(
                heard.what,
                What::Reply {
                    bytes: 8 + payload_size
                }
            );
            assert_eq!((heard.sequence, heard.from), (0, address));
            assert!(heard.rtt > Duration::ZERO && heard.rtt <= sent.at.elapsed());
            assert_eq!(heard.hop_limit, Some(64));
        }
    }
}

#[tokio::test]
async fn the_largest_echo_is_answered() {
    let largest = EchoOptions {
        payload_size: EchoOptions::MAX_PAYLOAD_SIZE,
        ..PLAIN
    };
    for address in LOOPBACKS {
        let Some(flow) = open(address, largest) else {
            return;
        };
        flow.send().unwrap();
        assert_eq!(heard(&flow).await.what, What::Reply { bytes: 65_515 });
    }
}

#[tokio::test]
async fn requests_leave_with_what_was_asked_for() {
    let source = IpAddr::from([127, 9, 8, 7]);
    let options = EchoOptions {
        source: Some(source),
        ttl: Ttl::new(9),
        tos: 0xb8,
        dont_fragment: true,
        payload_size: 56,
    };
    let Some(flow) = open(LOOPBACKS[0], options) else {
        return;
    };
    flow.send().unwrap();
    assert_eq!(heard(&flow).await.what, What::Reply { bytes: 64 });
    let options = EchoOptions {
        source: Some(LOOPBACKS[1]),
        ..options
    };
    let flow = Flow::open(LOOPBACKS[1], options).unwrap();
    flow.send().unwrap();
    assert_eq!(heard(&flow).await.what, What::Reply { bytes: 64 });
}

#[tokio::test]
async fn a_mapped_address_is_the_ipv4_address_it_holds() {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
    let Some(flow) = open(mapped, PLAIN) else {
        return;
    };
    flow.send().unwrap();
    assert_eq!(heard(&flow).await.from, LOOPBACKS[0]);
}

#[tokio::test]
async fn an_answer_from_another_address_is_no_reply() {
    let Some(flow) = open(Ipv4Addr::UNSPECIFIED.into(), PLAIN) else {
        return;
    };
    flow.send().unwrap();
    let heard = heard(&flow).await;
    assert_eq!((heard.what, heard.from), (What::WrongSource, LOOPBACKS[0]));
}

#[tokio::test]
async fn flows_to_one_destination_hear_each_their_own() {
    for address in LOOPBACKS {
        let Some(one) = open(address, PLAIN) else {
            return;
        };
        let two = Flow::open(address, PLAIN).unwrap();
        for _ in 0..10 {
            one.send().unwrap();
        }
        two.send().unwrap();
        for sequence in 0..10 {
            assert_eq!(heard(&one).await.sequence, sequence);
        }
        assert_eq!(heard(&two).await.sequence, 0);
        assert!(silent(&one).await && silent(&two).await);
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
            assert_eq!(flow.send().unwrap().sequence, sequence);
        }
    }
    for flow in &flows {
        for sequence in 0..3 {
            let heard = heard(flow).await;
            assert_eq!(heard.what, What::Reply { bytes: 64 });
            assert_eq!(
                (heard.sequence, heard.from),
                (sequence, flow.inbox.destination)
            );
        }
    }
    for flow in &flows {
        assert!(silent(flow).await);
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
                flow.send().unwrap();
                heard(&flow).await.sequence
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
    flow.send().unwrap();
    let inbox = Arc::downgrade(&flow.inbox);
    let witness = Flow::open(LOOPBACKS[0], PLAIN).unwrap();
    drop(flow);
    // The receiver holds an inbox only while it puts an answer there, and handles answers in
    // order: it is done with the first request when the second is heard.
    witness.send().unwrap();
    heard(&witness).await;
    assert!(inbox.upgrade().is_none());
}

#[tokio::test]
async fn what_this_host_refuses_to_send_is_named() {
    let Some(_) = open(LOOPBACKS[0], PLAIN) else {
        return;
    };
    let refused = |destination: &str, options| {
        let flow = Flow::open(destination.parse().unwrap(), options).unwrap();
        let error = flow
            .send()
            .expect_err("this host has no such way or address");
        assert_eq!(
            *lock(&flow.next_sequence),
            0,
            "a request not sent uses up no number"
        );
        error
    };
    for (destination, source) in [("127.0.0.1", "192.0.2.77"), ("::1", "2001:db8::77")] {
        let options = EchoOptions {
            source: Some(source.parse().unwrap()),
            ..PLAIN
        };
        let error = refused(destination, options);
        assert!(matches!(error, SendError::NoSuchSource { .. }), "{error}");
        assert!(error.to_string().contains(source), "{error}");
    }
}

#[test]
fn impossible_options_are_refused_before_a_socket_is_opened() {
    let lane = |_| -> Result<_, OpenError> { unreachable!("refused earlier") };
    let options = EchoOptions {
        payload_size: 65_508,
        ..PLAIN
    };
    let error = Flow::on(lane, LOOPBACKS[0], options).unwrap_err();
    assert!(
        matches!(error, OpenError::PayloadTooLarge { size: 65_508 }),
        "{error}"
    );
    let options = EchoOptions {
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

const PLAIN: EchoOptions = EchoOptions {
    source: None,
    ttl: None,
    tos: 0,
    dont_fragment: false,
    payload_size: 56,
};

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Opens a flow, or says loudly that the test is skipped because this process may not.
fn open(destination: IpAddr, options: EchoOptions) -> Option<Flow> {
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

/// Waits for an answer that is certain to come; the limit only ends a broken test.
async fn heard(flow: &Flow) -> Heard {
    let heard = tokio::time::timeout(Duration::from_secs(20), flow.heard());
    heard.await.expect("an answer comes within 20 seconds")
}

/// Whether nothing waits to be heard, once the receiver has handled all that came until now.
async fn silent(flow: &Flow) -> bool {
    let witness = Flow::open(flow.inbox.destination, PLAIN).unwrap();
    witness.send().unwrap();
    heard(&witness).await;
    let mut next = std::pin::pin!(flow.heard());
    next.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
}
