//! Whose stamps are round trips taken from?

use super::*;

/// By the key of each packet, and by the kernel's count as before Linux 6.13.
#[tokio::test]
async fn replies_come_over_either_kind_of_socket() {
    let Some((host, router)) = network() else {
        return;
    };
    host.ip(&router, "route add prohibit 203.0.113.20");
    for mode in MODES {
        for (family, target) in ROUTERS {
            for counted in [false, true] {
                let lane = lane_with(&host, family, mode, move |sockets| {
                    if counted {
                        let others = match mode {
                            Mode::Raw => 0,
                            Mode::Ping | Mode::Udp => libc::SOF_TIMESTAMPING_RX_SOFTWARE,
                        };
                        sockets.departures = stamping::counted(&sockets.transmit[0], others);
                    }
                });
                let open = |target: &str| flow(&lane, target, PLAIN);
                let flows = [open(target), open(target)];
                // What is refused in between must not upset the count.
                let forbidden = (family == Family::V4).then(|| open("203.0.113.20"));
                for sequence in 0..20 {
                    for flow in flows.iter().chain(&forbidden) {
                        flow.send(WAIT);
                    }
                    for flow in &flows {
                        let answer = answer(flow).await;
                        assert_eq!(answer.what, What::Reply { bytes: 64 });
                        assert_eq!((answer.sequence, answer.hop_limit), (sequence, Some(64)));
                        let kernel = answer.rtt_source == RttSource::Kernel;
                        assert!(kernel, "{mode:?}, {target}, counted: {counted}, {sequence}");
                    }
                    if let Some(forbidden) = &forbidden {
                        let refusal = refusal(forbidden).await;
                        assert_eq!(refusal, Refusal::Kernel(libc::EACCES));
                    }
                }
            }
        }
    }
}

/// Without a stamp of the departure, and without any.
#[tokio::test]
async fn a_round_trip_says_whose_stamps_it_is_taken_from() {
    let Some((host, _router)) = network() else {
        return;
    };
    for mode in MODES {
        for (stamps, expected) in [
            (Stamps::Both, RttSource::Kernel),
            (Stamps::Arrivals, RttSource::KernelReceive),
            (Stamps::Neither, RttSource::User),
        ] {
            let lane = host.run(move || {
                let way = Way {
                    stamps,
                    ..way(Family::V4)
                };
                let sockets = socket::open_as(way, mode).unwrap();
                started(way, Port::with(way, sockets))
            });
            let flow = flow(&lane, "192.0.2.254", PLAIN);
            for _ in 0..3 {
                flow.send(WAIT);
                let answer = answer(&flow).await;
                assert_eq!(answer.what, What::Reply { bytes: 64 });
                assert_eq!(answer.rtt_source, expected, "{mode:?}");
            }
        }
    }
}
