//! Are errors heard, whose are they, and do they keep to the target that they are about?

use super::*;

#[tokio::test]
async fn a_routers_errors_are_heard() {
    let Some((host, _router)) = network() else {
        return;
    };
    let first_hop = RequestOptions {
        ttl: Ttl::new(1),
        ..PLAIN
    };
    let large = RequestOptions {
        dont_fragment: true,
        payload_size: 1_440,
        ..PLAIN
    };
    for mode in MODES {
        let v4 = lane(&host, Family::V4, mode);
        let v6 = lane(&host, Family::V6, mode);
        let too_big = What::TooBig { mtu: Some(1_400) };
        let exceeded = What::TimeExceeded { code: 0 };
        check(&v4, "198.51.100.1", first_hop, exceeded).await;
        check(&v6, "2001:db8:1::1", first_hop, exceeded).await;
        check(&v4, "203.0.113.1", PLAIN, What::Unreachable { code: 1 }).await;
        check(&v4, "203.0.113.13", PLAIN, What::Unreachable { code: 13 }).await;
        check(&v6, "2001:db8:2::3", PLAIN, What::Unreachable { code: 0 }).await;
        check(&v6, "2001:db8:2::1", PLAIN, What::Unreachable { code: 1 }).await;
        check(&v4, "198.51.100.1", large, too_big).await;
        check(&v4, "198.51.100.1", large, too_big).await;
        // What this host has learnt of the path does not answer for it.
        check(&v6, "2001:db8:1::2", large, too_big).await;
        check(&v6, "2001:db8:1::2", large, too_big).await;
    }
}

async fn check(lane: &Arc<Lane>, destination: &str, options: RequestOptions, expected: What) {
    let flow = flow(lane, destination, options);
    flow.send(WAIT);
    let answer = answer(&flow).await;
    assert_eq!(answer.what, expected, "{destination}, {:?}", flow.mode());
    let router = match Family::of(flow.destination) {
        Family::V4 => "192.0.2.254",
        Family::V6 => "2001:db8::fe",
    };
    assert_eq!(answer.from, router.parse::<IpAddr>().unwrap());
    assert_eq!(answer.rtt_source, RttSource::Kernel, "{destination}");
    if flow.destination.is_ipv4() || flow.mode() == Mode::Raw {
        assert_eq!(answer.hop_limit, Some(64));
    }
}

/// One target's errors, pending on the socket that all share, must not fail another's requests.
#[tokio::test]
async fn errors_about_one_target_do_not_hinder_another() {
    let Some((host, _router)) = network() else {
        return;
    };
    let first_hop = RequestOptions {
        ttl: Ttl::new(1),
        ..PLAIN
    };
    for mode in MODES {
        let lane = lane(&host, Family::V4, mode);
        let good = flow(&lane, "192.0.2.254", PLAIN);
        let bad = flow(&lane, "198.51.100.1", first_hop);
        for _ in 0..200 {
            bad.send(WAIT);
            good.send(WAIT);
        }
        for sequence in 0..200 {
            assert_eq!(answer(&bad).await.what, What::TimeExceeded { code: 0 });
            let answer = answer(&good).await;
            assert_eq!(
                (answer.sequence, answer.what),
                (sequence, What::Reply { bytes: 64 })
            );
        }
    }
}

/// The kernel keeps what it sends to them until they say where they are.
#[tokio::test]
async fn neighbours_that_are_silent_do_not_hinder_another() {
    let Some((host, _router)) = network() else {
        return;
    };
    let lane = lane(&host, Family::V4, Mode::Raw);
    let silent: Vec<_> = (2..=252)
        .map(|n| flow(&lane, &format!("192.0.2.{n}"), PLAIN))
        .collect();
    for _ in 0..4 {
        for flow in &silent {
            flow.send(WAIT);
        }
    }
    let other = flow(&lane, "192.0.2.254", PLAIN);
    for _ in 0..4 {
        other.send(WAIT);
        assert_eq!(answer(&other).await.what, What::Reply { bytes: 64 });
    }
}
