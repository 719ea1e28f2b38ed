//! What a real router answers, and what this host refuses, over raw and over ping sockets.
//!
//! ```text
//! host 192.0.2.1, 2001:db8::1 ──── 192.0.2.254, 2001:db8::fe router ──── a link of MTU 1400
//! ```

mod errors;
mod host;
mod packets;
mod room;
mod stamps;

use std::net::SocketAddr;

use super::namespace::Namespace;
use super::*;
use crate::engine::Engine;
use crate::lane::Lane;
use crate::port::socket::{self, Sockets};
use crate::port::{Port, Way, stamping};

async fn refused(
    host: &Namespace,
    lane: &Arc<Lane>,
    destination: &str,
    options: RequestOptions,
    expected: &str,
) {
    let flow = flow(lane, destination, options);
    flow.send(WAIT);
    let refusal = refusal(&flow).await;
    // Inside, because the error's words are found out there.
    let error = host.run(move || flow.explain(refusal)).to_string();
    assert!(
        error.contains(expected) && error.contains(destination),
        "{error}"
    );
}

/// Makes a host and its router, or says that it may not.
fn network() -> Option<(Namespace, Namespace)> {
    let (Some(host), Some(router)) = (Namespace::new(), Namespace::new()) else {
        skipped("a network namespace takes CAP_SYS_ADMIN");
        return None;
    };
    host.ip(
        &router,
        "
        link set lo up
        link add v0 type veth peer name v1 netns PEER
        addr add 192.0.2.1/24 dev v0
        addr add 2001:db8::1/64 dev v0 nodad
        link set v0 up
    ",
    );
    router.ip(
        &host,
        "
        link set lo up
        addr add 192.0.2.254/24 dev v1
        addr add 2001:db8::fe/64 dev v1 nodad
        link set v1 up
        link add d0 mtu 1400 type veth peer name d1
        addr add 198.51.100.254/24 dev d0
        addr add 2001:db8:1::fe/64 dev d0 nodad
        link set d0 up
        link set d1 up
        route add unreachable 203.0.113.1
        route add prohibit 203.0.113.13
        -6 route add unreachable 2001:db8:2::3
        -6 route add prohibit 2001:db8:2::1
    ",
    );
    // Errors are limited to one a second by default.
    router.sysctl(
        "
        ipv4/ip_forward 1
        ipv6/conf/all/forwarding 1
        ipv4/icmp_ratemask 0
        ipv6/icmp/ratelimit 0
    ",
    );
    host.ip(
        &router,
        "
        route add default via 192.0.2.254
        -6 route add default via 2001:db8::fe
    ",
    );
    host.sysctl("ipv4/ping_group_range 0 2147483647");
    Some((host, router))
}

fn lane(host: &Namespace, family: Family, mode: Mode) -> Arc<Lane> {
    lane_with(host, family, mode, |_| {})
}

fn lane_with(
    host: &Namespace,
    family: Family,
    mode: Mode,
    change: impl FnOnce(&mut Sockets) + Send + 'static,
) -> Arc<Lane> {
    host.run(move || {
        let mut sockets = socket::open_as(way(family), mode).unwrap();
        change(&mut sockets);
        started(way(family), Port::with(way(family), sockets))
    })
}

/// With its thread, which opens sockets too, where it is called.
fn started(way: Way, opened: (Port, Engine)) -> Arc<Lane> {
    let lane = Lane::start(way, opened, Duration::MAX).unwrap();
    lane.hasten();
    lane
}

fn way(family: Family) -> Way {
    Way::new(family, &PLAIN)
}

fn flow(lane: &Arc<Lane>, destination: &str, options: RequestOptions) -> Flow {
    Flow::on(
        |_| Ok(Arc::clone(lane)),
        destination.parse().unwrap(),
        options,
    )
    .unwrap()
}

const ROUTERS: [(Family, &str); 2] = [(Family::V4, "192.0.2.254"), (Family::V6, "2001:db8::fe")];

const MODES: [Mode; 2] = [Mode::Raw, Mode::Ping];
