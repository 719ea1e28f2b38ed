//! What does this host refuse, and what of it may change meanwhile?

use super::*;

#[tokio::test]
async fn what_this_host_refuses_is_said_in_words() {
    let Some((host, router)) = network() else {
        return;
    };
    host.ip(
        &router,
        "
        route add prohibit 203.0.113.20
        route add unreachable 203.0.113.21
        route add blackhole 203.0.113.22
        -6 route add prohibit 2001:db8:3::20
        -6 route add unreachable 2001:db8:3::21
        -6 route add blackhole 2001:db8:3::22
        link set v0 mtu 1300
    ",
    );
    let large = RequestOptions {
        dont_fragment: true,
        payload_size: 1_400,
        ..PLAIN
    };
    for mode in MODES {
        let v4 = lane(&host, Family::V4, mode);
        let v6 = lane(&host, Family::V6, mode);
        for (lane, target, options, expected) in [
            (&v4, "203.0.113.20", PLAIN, "this host forbids it"),
            (&v6, "2001:db8:3::20", PLAIN, "this host forbids it"),
            (&v4, "203.0.113.21", PLAIN, "no route"),
            (&v6, "2001:db8:3::21", PLAIN, "no route"),
            (&v4, "203.0.113.22", PLAIN, "no route"),
            (&v6, "2001:db8:3::22", PLAIN, "no route"),
            (&v4, "192.0.2.254", large, "message too long (mtu = 1300)"),
            (&v6, "2001:db8::fe", large, "message too long (mtu = 1300)"),
        ] {
            refused(&host, lane, target, options, expected).await;
        }
    }
}

#[tokio::test]
async fn an_interface_that_was_made_anew_is_used() {
    let Some((host, router)) = network() else {
        return;
    };
    let options = RequestOptions {
        interface: Interface::new("v0"),
        ..PLAIN
    };
    let lanes = [Family::V4, Family::V6].map(|family| {
        let way = Way::new(family, &options);
        host.run(move || started(way, Port::open(way).unwrap()))
    });
    let targets = ["192.0.2.254", "2001:db8::fe"];
    for (lane, target) in lanes.iter().zip(targets) {
        let flow = flow(lane, target, options);
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    }
    host.ip(
        &router,
        "
        link del v0
        link add v0 type veth peer name v1 netns PEER
        addr add 192.0.2.1/24 dev v0
        addr add 2001:db8::1/64 dev v0 nodad
        link set v0 up
    ",
    );
    router.ip(
        &host,
        "
        addr add 192.0.2.254/24 dev v1
        addr add 2001:db8::fe/64 dev v1 nodad
        link set v1 up
    ",
    );
    for (lane, target) in lanes.iter().zip(targets) {
        let flow = flow(lane, target, options);
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    }
}
