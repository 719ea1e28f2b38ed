//! Does the whole program do what people are promised?
//!
//! Each test starts the program as a person would and looks at it from outside. Where to put a test:
//!
//! - `program`: no tests; starts the program, asks it over HTTP, ends it.
//! - `prometheus`: no tests; starts Debian's Prometheus and asks it.
//! - `ask`: no tests; a small HTTP client that can also read slowly.
//! - `demonstration`: what is there without a configuration, for a person and for Prometheus.
//! - `acme`: a probe and a program of somebody else's.
//! - `moving`: what the page for people who come from another prober says.
//! - `reload`: what a new configuration changes, and what it must not.
//! - `dns`: real DNS servers, beside `blackbox_exporter`.
//! - `driving`: what happens to runs in flight when the plan changes.
//! - `ending`: signals, and what is in flight when they come.
//! - `listening`: where it lets people in.
//! - `door`: whom it lets in, and how it speaks with them.
//! - `netns`: what it says of networks whose truth is known (privileged).
//! - `simulated`: traces through simulated networks, against their record (privileged).
//! - `ping`: the command, by hand and for programs.
//! - `http`: an HTTP server, measured in every way.
//! - `dialogue`: TCP ports and unix sockets, and what is said over them.
//! - `serve`: a directory, served by hand.
//! - `readers`: the same, read by programs of others.
//! - `ranges`: the same, asked for parts, beside Apache.
//! - `storm`: the same, by peers that mean no good, and what is left behind.
//! - `smtp`: mail, through servers of others.
//! - `sweep`: the same for very many targets.
//! - `trace`: the command, on the paths of real routers (privileged).
//! - `paths`: the same where they share their load (privileged).
//! - `mtu`: what those paths carry (privileged).
//! - `watching`: scheduled traces, on paths that change (privileged).
//! - `invariants`: the rules of README.md, read from the manifests and sources.

mod acme;
mod ask;
mod demonstration;
mod dialogue;
mod dns;
mod door;
mod driving;
mod ending;
mod http;
mod invariants;
mod listening;
mod moving;
mod mtu;
mod netns;
mod paths;
mod ping;
mod program;
mod prometheus;
mod ranges;
mod readers;
mod reload;
mod serve;
mod simulated;
mod smtp;
mod storm;
mod sweep;
mod trace;
mod watching;
