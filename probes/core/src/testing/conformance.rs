//! Does a plugin stand what every plugin has to stand?
//!
//! A [`Kit`] is told how to aim at a peer that answers and at peers that do not, and makes every
//! check that needs no knowledge of the protocol: deadline, cancellation, panics, cross-talk,
//! declared metrics and causes, options and their schema, names, manual. Whether a probe measures
//! the right thing is for its own tests to say.
//!
//! Checks that run the probe count the descriptors of the whole process and measure time. Kits
//! take turns; other tests in the same program are borne with repeated tries.

mod cancel;
mod crowd;
mod deadline;
mod fence;
mod good;
mod lab;
mod manual;
mod naming;
mod options;
mod panics;
mod peer;
mod report;
mod seen;
mod servers;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Bench;
use crate::metric::Declared;
use crowd::Member;
use lab::{Lab, Stuck};
use peer::{Peer, Peers};
use servers::Servers;

pub use report::{Check, Report};

/// A plugin on its way through the checks.
///
/// ```no_run
/// # async fn example(plugin: &'static leadsman_core::Plugin, good: std::net::SocketAddr) {
/// use leadsman_core::testing::{Bench, conformance::Kit};
///
/// Kit::of(Bench::of(plugin).option("count", 2))
///     .good(good.to_string())
///     .tcp_servers(|hostile| hostile.to_string())
///     .assert()
///     .await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a kit does nothing until `check` or `assert` is awaited"]
pub struct Kit {
    bench: Bench,
    peers: Peers,
    /// Kept, for they serve until they are dropped.
    servers: Vec<Servers>,
    crowd: Vec<Member>,
    shown_elsewhere: Vec<&'static str>,
}

/// Each method that takes an address panics where the probe refuses it.
impl Kit {
    /// A kit for a plugin, or for a bench with the options and names that its peers need.
    pub fn of(plugin: impl Into<Bench>) -> Self {
        Self {
            bench: plugin.into(),
            peers: Peers::default(),
            servers: Vec::new(),
            crowd: Vec::new(),
            shown_elsewhere: Vec::new(),
        }
    }

    /// Names a peer at which every run succeeds, and which closes a connection when the probe does.
    /// At least one is needed.
    pub fn good(mut self, address: impl Into<String>) -> Self {
        let peer = Peer::new("good", self.bench.clone(), address);
        self.peers.good.push(peer);
        self
    }

    /// Names a peer that does not answer as it should; `name` says how, for the report.
    pub fn hostile(mut self, name: &str, address: impl Into<String>) -> Self {
        let peer = Peer::new(name, self.bench.clone(), address);
        self.peers.hostile.push(peer);
        self
    }

    /// Starts the kit's own hostile TCP servers on loopback: silent, refusing, dripping, flooding,
    /// and closing at once. `written` makes the address that a person would write for a socket's:
    /// `|at| format!("http://{at}/")`.
    pub fn tcp_servers(self, written: impl Fn(SocketAddr) -> String) -> Self {
        self.servers(Servers::tcp(), written)
    }

    /// Starts the kit's own hostile UDP servers on loopback: silent, refusing, dripping and
    /// flooding. For `written`, see [`Kit::tcp_servers`].
    pub fn udp_servers(self, written: impl Fn(SocketAddr) -> String) -> Self {
        self.servers(Servers::udp(), written)
    }

    /// Names a peer, and a bench to aim at it with, that make the probe record what is rarely
    /// seen: every declared series has to appear in some run. How the run ends does not matter.
    pub fn provoking(
        mut self,
        name: &str,
        bench: impl Into<Bench>,
        address: impl Into<String>,
    ) -> Self {
        self.peers
            .provoking
            .push(Peer::new(name, bench.into(), address));
        self
    }

    /// Names a metric that takes more than a run at any peer, such as a network that changes:
    /// another test has to show it.
    pub fn shown_elsewhere(mut self, metric: &'static dyn Declared) -> Self {
        self.shown_elsewhere.push(metric.metric().name);
        self
    }

    /// Says how to tell 1,000 runs at once apart: for the n-th, its address, and a word that
    /// stands in its answer and in no other's, as a value of an info or of an event's field.
    /// Addresses may repeat with their word.
    ///
    /// Without this, the good peers are used over and over, and the word is the address in
    /// `probe_target_info`; with a single good peer that only shows that all runs succeed.
    pub fn many(mut self, each: impl Fn(usize) -> (String, String)) -> Self {
        let members = (0..crowd::CROWD).map(|n| {
            let (address, word) = each(n);
            Member {
                address,
                word: Some(word),
            }
        });
        self.crowd = members.collect();
        self
    }

    /// Makes every check. After a run that blocks its thread, those that need runs are left out.
    ///
    /// # Panics
    /// If the system has not even the threads and sockets for the kit's own servers.
    pub async fn check(self) -> Report {
        let (tell, told) = oneshot::channel();
        // On a thread of its own: the caller's has peers to serve, and may have paused its clock.
        std::thread::spawn(move || tell.send(self.check_here()).ok());
        told.await
            .expect("what stopped the kit is on standard error")
    }

    /// Makes every check.
    ///
    /// # Panics
    /// If any fails, with the whole report.
    pub async fn assert(self) {
        let report = self.check().await;
        assert!(report.failed().next().is_none(), "{report}");
    }

    fn servers(mut self, servers: Servers, written: impl Fn(SocketAddr) -> String) -> Self {
        self.peers.add_servers(&self.bench, &servers, written);
        self.servers.push(servers);
        self
    }

    fn check_here(self) -> Report {
        let plugin = self.bench.plugin();
        let mut report = Report {
            plugin: plugin.name(),
            checks: Vec::new(),
        };
        report.add(
            "name, summary and manual have their form",
            manual::check(plugin),
        );
        report.add(
            "metric names and units follow the rules",
            naming::check(plugin),
        );
        report.add("options round-trip", options::round_trip(&self.bench));
        report.add("unknown options are refused", options::unknown(plugin));
        report.add(
            "the schema describes every option",
            options::described(plugin),
        );
        // Whoever panicked in its turn left nothing behind that matters here.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let stuck = self.run(&mut report).err();
        drop(turn);
        let stuck = stuck.iter().map(Stuck::to_string).collect();
        report.add("no run blocks or breaks its thread", stuck);
        report
    }

    fn run(&self, report: &mut Report) -> Result<(), Stuck> {
        let Self { bench, peers, .. } = self;
        let lab = &mut Lab::new();
        report.add("a good peer is a success", good::check(lab, &peers.good)?);
        report.add("a fence is respected", fence::check(lab, &peers.good)?);
        report.add(
            "the deadline is kept",
            deadline::check(lab, &peers.hostile)?,
        );
        report.add("cancellation leaks nothing", cancel::check(lab, peers)?);
        report.add(
            "a panic stops nothing else",
            panics::check(lab, &peers.good)?,
        );
        let crowd = match self.crowd.as_slice() {
            [] => &crowd::of_good_peers(lab, peers)?,
            crowd => crowd,
        };
        report.add(
            "runs at once do not cross-talk",
            crowd::check(lab, bench, crowd)?,
        );
        for peer in &peers.provoking {
            lab.run(peer)?;
        }
        let plugin = bench.plugin();
        let seen = &lab.seen;
        report.add(
            "no run panics or records what is not declared",
            seen.panics(),
        );
        report.add(
            "every declared metric appears",
            seen.absent(plugin, &self.shown_elsewhere),
        );
        report.add("every cause is declared", seen.undeclared_causes(plugin));
        report.add("a peer's fault is not called ours", seen.wrongly_own());
        Ok(())
    }
}

/// Kits in one program take turns, for each counts the descriptors of the whole process.
static TURN: Mutex<()> = Mutex::new(());
