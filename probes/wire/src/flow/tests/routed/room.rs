//! What becomes of requests and replies for which the kernel has no room?

use super::*;
use crate::{Plan, Sweep};

/// A tiny receive buffer: what it does not hold is not called loss.
#[tokio::test]
async fn what_is_dropped_for_want_of_room_is_suspect() {
    let Some((host, _router)) = network() else {
        return;
    };
    for mode in MODES {
        let lane = lane_with(&host, Family::V4, mode, |sockets| {
            let receive = &sockets.receive[0].socket;
            receive.set_recv_buffer_size(1).unwrap();
        });
        let flow = flow(&lane, "192.0.2.254", PLAIN);
        let (mut answers, mut suspects) = (0, 0);
        while suspects == 0 {
            for _ in 0..200 {
                flow.send(Duration::from_millis(500));
            }
            for _ in 0..200 {
                match heard(&flow).await {
                    Heard::Answer(_) => answers += 1,
                    Heard::Silence(silence) => {
                        assert!(silence.suspect, "{mode:?}");
                        suspects += 1;
                    }
                    Heard::NotSent(not_sent) => panic!("{not_sent:?}"),
                }
            }
        }
        assert!(answers > 0);
    }
}

/// A queue of a few packets that takes 500 a second: what it refuses is no loss in the network.
#[tokio::test]
async fn what_a_full_queue_refuses_is_not_called_loss() {
    let Some((host, _router)) = network() else {
        return;
    };
    let lane = lane(&host, Family::V4, Mode::Raw);
    let first = flow(&lane, "192.0.2.254", PLAIN);
    first.send(WAIT);
    answer(&first).await;
    host.tc("qdisc add dev v0 root tbf rate 400kbit burst 2000 limit 1000");
    let (mut answers, mut refused) = (0, 0);
    let flow = flow(&lane, "192.0.2.254", PLAIN);
    for _ in 0..1_000 {
        flow.send(Duration::from_secs(2));
    }
    for _ in 0..1_000 {
        match heard(&flow).await {
            Heard::Answer(_) => answers += 1,
            Heard::NotSent(not_sent) => {
                assert_eq!(not_sent.refusal, Refusal::Kernel(libc::ENOBUFS));
                refused += 1;
            }
            Heard::Silence(silence) => panic!("{silence:?}"),
        }
    }
    assert!(answers > 0 && refused > 0, "{answers}, {refused}");
}

/// The same queue: a sweep has no moment to keep, so it waits until there is room.
#[test]
fn a_sweep_holds_back_what_a_full_queue_refuses() {
    let Some((host, _router)) = network() else {
        return;
    };
    host.tc("qdisc add dev v0 root tbf rate 400kbit burst 2000 limit 1000");
    let heard = host.run(|| {
        let plan = Plan {
            count: 300,
            until_answered: false,
            interval: Duration::ZERO,
            wait: WAIT,
            rate: None,
        };
        let mut heard = Vec::new();
        let mut sweep = Sweep::new(PLAIN);
        let swept = sweep.run(&[[192, 0, 2, 254].into()], &plan, || false, &mut |_, h| {
            heard.push(h);
        });
        swept.map(|()| heard)
    });
    let heard = heard.unwrap();
    assert_eq!(heard.len(), 300);
    for heard in heard {
        assert!(
            matches!(&heard, Heard::Answer(answer) if answer.what == What::Reply { bytes: 64 }),
            "{heard:?}"
        );
    }
}
