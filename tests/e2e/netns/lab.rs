//! How does a test get a network of its own?
//!
//! ```text
//! prober 10.76.0.1, fd76::1 ──── 10.76.0.2, fd76::2 far, which is all of 10.77.0.0/16, fd77::/64
//! ```
//!
//! A namespace lasts as long as a process in it, which ends when the pipe to it is closed, however
//! the test ends. Neighbours are known beforehand, so that no first packet waits for them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::program::{LEADSMAN, Program, skipped};

/// Two hosts with a wire between them.
pub(super) struct Lab {
    pub(super) prober: Namespace,
    pub(super) far: Namespace,
}

impl Lab {
    /// Makes the network, or says that `test` is left out.
    pub(super) fn new(test: &str) -> Option<Self> {
        let Some([prober, far]) = Namespace::pair() else {
            skipped(test, "root with unshare(1), ip(8) and nft(8)");
            return None;
        };
        prober.run(&format!(
            "ip link add wire address 02:00:00:00:00:01 type veth \
                peer name wire address 02:00:00:00:00:02 netns {}
             ip address add 10.76.0.1/24 dev wire
             ip address add fd76::1/64 dev wire nodad
             ip link set lo up
             ip link set wire up
             ip neigh add 10.76.0.2 lladdr 02:00:00:00:00:02 dev wire nud permanent
             ip neigh add fd76::2 lladdr 02:00:00:00:00:02 dev wire nud permanent",
            far.holder.id()
        ));
        far.run(
            "ip address add 10.76.0.2/24 dev wire
             ip address add fd76::2/64 dev wire nodad
             ip link set lo up
             ip link set wire up
             ip neigh add 10.76.0.1 lladdr 02:00:00:00:00:01 dev wire nud permanent
             ip neigh add fd76::1 lladdr 02:00:00:00:00:01 dev wire nud permanent
             ip route add local 10.77.0.0/16 dev lo
             ip route add local fd77::/64 dev lo",
        );
        prober.run(
            "ip route add default via 10.76.0.2
             ip route add default via fd76::2",
        );
        Some(Self { prober, far })
    }

    /// Starts the program at the prober's.
    pub(super) fn start(&self, configuration: &str) -> Program {
        let command = Command::new(LEADSMAN);
        self.prober
            .within(|| Program::launch(command, Some(configuration)))
    }

    /// Has the far side drop so many of a hundred echo requests at random, and count them.
    pub(super) fn lose(&self, percent: u32) {
        let rules = [("v4", "icmp"), ("v6", "icmpv6")].map(|(family, protocol)| {
            format!(
                "nft add counter inet lab {family}
                 nft add rule inet lab input {protocol} type echo-request \
                     numgen random mod 100 '<' {percent} counter name {family} drop"
            )
        });
        self.far.run(&format!(
            "nft add table inet lab
             nft add chain inet lab input '{{ type filter hook input priority 0; }}'
             {}",
            rules.join("\n")
        ));
    }

    /// How many echo requests of a family, `v4` or `v6`, the far side has dropped.
    pub(super) fn dropped(&self, family: &str) -> u64 {
        let counter = self.far.run(&format!("nft list counter inet lab {family}"));
        let mut words = counter.split_whitespace();
        let packets = words.by_ref().find(|word| *word == "packets");
        packets
            .and_then(|_| words.next()?.parse().ok())
            .expect("a counter has its packets")
    }
}

/// A network namespace.
pub(super) struct Namespace {
    holder: Child,
    link: File,
}

impl Namespace {
    /// Two empty networks, if whoever runs the test may make them and has the tools.
    fn pair() -> Option<[Self; 2]> {
        let pair = [Self::new().ok()?, Self::new().ok()?];
        for tool in ["ip", "nft"] {
            Command::new(tool).arg("-V").output().ok()?;
        }
        Some(pair)
    }

    fn new() -> io::Result<Self> {
        let mut holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let inside = (|| {
            // What is written comes back once it runs inside.
            holder
                .stdin
                .as_mut()
                .expect("it is piped")
                .write_all(b"\n")?;
            holder
                .stdout
                .as_mut()
                .expect("it is piped")
                .read_exact(&mut [0])?;
            File::open(format!("/proc/{}/ns/net", holder.id()))
        })();
        match inside {
            Ok(link) => Ok(Self { holder, link }),
            Err(error) => {
                holder.wait()?;
                Err(error)
            }
        }
    }

    /// Does `work` on a thread that is inside: its sockets and processes belong there, and so they
    /// do when they have left the thread.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.link.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("who made it may enter it");
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs a shell script inside, which must not fail, and returns what it writes.
    pub(super) fn run(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]);
        let output = self
            .within(|| shell.output())
            .expect("every host has a shell");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {told}");
        String::from_utf8(output.stdout).expect("they write text")
    }

    /// Sets a kernel parameter by its path below `/proc/sys/net`.
    pub(super) fn set(&self, parameter: &str, value: &str) {
        self.within(|| fs::write(format!("/proc/sys/net/{parameter}"), value))
            .unwrap_or_else(|error| panic!("cannot set {parameter} to {value}: {error}"));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        _ = self.holder.wait();
    }
}
