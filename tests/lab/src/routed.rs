//! What do networks of real Linux routers look like?
//!
//! Links, addresses and routes, both families alike; each test adds what it is about with the
//! namespaces' own commands. Nothing here is simulated, and nothing has a delay of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use crate::{Namespace, NamespaceError};

/// A prober, routers in a row, and a target: `A – R1 – … – Rn – T`.
///
/// Each node's interface to the next is `right`, to the one before `left`. The target answers for
/// all of `10.99.0.0/16` and `fd99::/64`.
#[derive(Debug)]
pub struct Chain {
    nodes: Vec<Namespace>,
}

impl Chain {
    /// Builds a chain of so many routers, at most 250, that send as many ICMP errors as they like.
    pub fn new(routers: usize) -> Result<Self, NamespaceError> {
        let nodes = (0..routers + 2).map(|_| router());
        let nodes: Vec<Namespace> = nodes.collect::<Result<_, _>>()?;
        for (n, pair) in nodes.windows(2).enumerate() {
            link((&pair[0], "right"), (&pair[1], "left"), n)?;
        }
        for (n, node) in nodes.iter().enumerate() {
            let mut batch = String::new();
            if n < routers + 1 {
                batch += &route(&TARGETS, "via", &[side(n, 2)]);
            }
            for other in 0..=routers {
                // Links to the right are reached over the right, links to the left over the left.
                if other > n {
                    batch += &route(&subnet(other), "via", &[side(n, 2)]);
                } else if other + 1 < n {
                    batch += &route(&subnet(other), "via", &[side(n - 1, 1)]);
                }
            }
            node.ip(&batch)?;
        }
        let chain = Self { nodes };
        chain.target().ip(&local_targets())?;
        Ok(chain)
    }

    /// Where the prober is.
    pub fn prober(&self) -> &Namespace {
        &self.nodes[0]
    }

    /// The n-th router, counted from 1.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn router(&self, n: usize) -> &Namespace {
        assert!((1..self.nodes.len() - 1).contains(&n), "router {n}");
        &self.nodes[n]
    }

    /// Where the target is.
    pub fn target(&self) -> &Namespace {
        &self.nodes[self.nodes.len() - 1]
    }

    /// The addresses from which the n-th router's errors come; one more than there are routers is
    /// the target.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn addresses(&self, n: usize) -> [IpAddr; 2] {
        assert!((1..self.nodes.len()).contains(&n), "node {n}");
        side(n - 1, 2)
    }

    /// Makes the n-th router limit its errors as Linux does unless told otherwise: six at once to
    /// one host, then one a second.
    pub fn limit_errors(&self, n: usize) -> Result<(), NamespaceError> {
        self.router(n).set(&[
            ("ipv4/icmp_ratemask", "6168"),
            ("ipv6/icmp/ratemask", "0-1,3-127"),
        ])
    }

    /// Lets the link between a node and the next carry packets of at most `mtu` bytes.
    ///
    /// # Panics
    ///
    /// If there is no link after node `n`, where 0 is the prober.
    pub fn set_mtu(&self, n: usize, mtu: u32) -> Result<(), NamespaceError> {
        self.nodes[n].ip(&format!("link set right mtu {mtu}"))?;
        self.nodes[n + 1].ip(&format!("link set left mtu {mtu}"))
    }

    /// Makes the n-th router and the one before send each other whatever goes to the target.
    pub fn make_loop(&self, n: usize) -> Result<(), NamespaceError> {
        let back = side(n - 1, 1);
        self.router(n)
            .ip(&route(&TARGETS, "via", &[back]).replace("add", "replace"))
    }

    /// Makes the n-th router refuse what goes to a range, as `ip-route(8)` calls it:
    /// `unreachable`, `prohibit` or `blackhole`.
    pub fn refuse(&self, n: usize, how: &str, to: &str) -> Result<(), NamespaceError> {
        self.router(n).ip(&format!("route add {how} {to}"))
    }
}

/// A prober, a router that has several ways to the target, and a router where they meet:
/// `A – R1 – {M1 … Mn} – R2 – T`. The target answers for the same ranges as that of a [`Chain`].
#[derive(Debug)]
pub struct Fan {
    prober: Namespace,
    first: Namespace,
    branches: Vec<Namespace>,
    second: Namespace,
    target: Namespace,
}

/// By what the first router of a [`Fan`] chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Addresses and ports, as Linux does (`fib_multipath_hash_policy` 1). ICMP all goes one way.
    Ports,
    /// The first four bytes after the IP header, as the routers do that Paris traceroute was
    /// written for.
    FirstFour,
}

impl Fan {
    /// Builds a fan of so many branches, at most 100.
    pub fn new(branches: usize, spread: Spread) -> Result<Self, NamespaceError> {
        let fan = Self {
            prober: router()?,
            first: router()?,
            branches: (0..branches).map(|_| router()).collect::<Result<_, _>>()?,
            second: router()?,
            target: router()?,
        };
        link((&fan.prober, "right"), (&fan.first, "left"), 0)?;
        let last = 2 * branches + 1;
        for (n, branch) in fan.branches.iter().enumerate() {
            link((&fan.first, &format!("right{n}")), (branch, "left"), 1 + n)?;
            let (left, met) = (format!("left{n}"), 1 + branches + n);
            link((branch, "right"), (&fan.second, &left), met)?;
            let onwards = route(&TARGETS, "via", &[side(met, 2)]);
            branch.ip(&(onwards + &route(&EVERYWHERE, "via", &[side(1 + n, 1)])))?;
        }
        link((&fan.second, "right"), (&fan.target, "left"), last)?;
        let home = |n| route(&EVERYWHERE, "via", &[side(n, 1)]);
        fan.prober.ip(&route(&EVERYWHERE, "via", &[side(0, 2)]))?;
        fan.second
            .ip(&(route(&TARGETS, "via", &[side(last, 2)]) + &home(1 + branches)))?;
        fan.target.ip(&(local_targets() + &home(last)))?;
        fan.spread(spread)?;
        Ok(fan)
    }

    /// Where the prober is.
    pub fn prober(&self) -> &Namespace {
        &self.prober
    }

    /// The addresses from which the n-th branch's errors come, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn addresses(&self, n: usize) -> [IpAddr; 2] {
        assert!(n < self.branches.len(), "branch {n}");
        side(1 + n, 2)
    }

    fn spread(&self, spread: Spread) -> Result<(), NamespaceError> {
        let branches = self.branches.len();
        let ways: Vec<[IpAddr; 2]> = (0..branches).map(|n| side(1 + n, 2)).collect();
        match spread {
            Spread::Ports => {
                let by_ports = [
                    ("ipv4/fib_multipath_hash_policy", "1"),
                    ("ipv6/fib_multipath_hash_policy", "1"),
                ];
                self.first.set(&by_ports)?;
                self.first.ip(&route(&TARGETS, "nexthop via", &ways))
            }
            Spread::FirstFour => {
                self.first.filter(&format!(
                    "table inet lab {{
                        chain spread {{
                            type filter hook prerouting priority mangle
                            meta mark set jhash @th,0,32 mod {branches} offset 1
                        }}
                    }}"
                ))?;
                let rule = |n| format!("rule add fwmark {} lookup {}\n", n + 1, n + 100);
                let rules: String = (0..branches).map(rule).collect();
                self.first.ip(&rules)?;
                let v6 = &mut Command::new("ip");
                self.first.output(v6.args(["-6", "-batch", "-"]), &rules)?;
                let routes = ways.iter().enumerate().map(|(n, way)| {
                    let table = format!(" table {}\n", n + 100);
                    route(&TARGETS, "via", &[*way]).replace('\n', &table)
                });
                self.first.ip(&routes.collect::<String>())
            }
        }
    }
}

/// Makes a namespace that forwards and limits nothing.
fn router() -> Result<Namespace, NamespaceError> {
    let namespace = Namespace::new()?;
    namespace.set(&[
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // No type of error is limited, neither per destination nor for the whole host.
        ("ipv4/icmp_ratemask", "0"),
        // A list of types, of which this is none that is sent.
        ("ipv6/icmp/ratemask", "0"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/default/accept_dad", "0"),
    ])?;
    Ok(namespace)
}

/// Joins two namespaces by a pair of interfaces of the n-th subnet.
fn link(
    left: (&Namespace, &str),
    right: (&Namespace, &str),
    n: usize,
) -> Result<(), NamespaceError> {
    let ((left, left_name), (right, right_name)) = (left, right);
    let mac = |host| format!("02:00:00:00:{n:02x}:{host:02x}");
    let up = |name, host: u8| {
        let other = 3 - host;
        let ([v4, v6], [other_v4, other_v6], other_mac) =
            (side(n, host), side(n, other), mac(other));
        // Neighbours need not be looked for, which takes a second where the first try is lost.
        format!(
            "address add {v4}/24 dev {name}\n\
             address add {v6}/64 dev {name} nodad\n\
             link set {name} up\n\
             neighbour add {other_v4} lladdr {other_mac} dev {name}\n\
             neighbour add {other_v6} lladdr {other_mac} dev {name}\n"
        )
    };
    left.ip(&format!(
        "link add {left_name} address {} type veth peer name {right_name} address {} netns {}\n{}",
        mac(1),
        mac(2),
        right.path(),
        up(left_name, 1)
    ))?;
    right.ip(&up(right_name, 2))?;
    left.await_link(left_name)?;
    left.await_address(v6(n, 1))?;
    right.await_address(v6(n, 2))
}

/// One of the two addresses of the n-th link, in both families.
fn side(n: usize, host: u8) -> [IpAddr; 2] {
    [
        Ipv4Addr::new(10, 77, n as u8, host).into(),
        v6(n, host).into(),
    ]
}

fn v6(n: usize, host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, n as u16, 0, 0, 0, 0, 0, host.into())
}

fn subnet(n: usize) -> [String; 2] {
    [format!("10.77.{n}.0/24"), format!("fd77:{n:x}::/64")]
}

/// Writes routes to a range of each family over one or more ways.
fn route(to: &[impl AsRef<str>; 2], via: &str, ways: &[[IpAddr; 2]]) -> String {
    let written = (0..2).map(|family| {
        let ways = ways.iter().map(|way| format!(" {via} {}", way[family]));
        format!(
            "route add {}{}\n",
            to[family].as_ref(),
            ways.collect::<String>()
        )
    });
    written.collect()
}

fn local_targets() -> String {
    let [v4, v6] = TARGETS;
    format!("route add local {v4} dev lo\nroute add local {v6} dev lo\n")
}

const TARGETS: [&str; 2] = ["10.99.0.0/16", "fd99::/64"];
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

#[cfg(test)]
mod tests;
