//! Where can a prober be tried against a network that is known to the last packet?
//!
//! Three ways, of which the first two are one simulated network:
//!
//! ```text
//! scenarios/*.toml ──▶ scenario ──▶ network ◀── packets of a test       (in memory)
//!                                   │    ▲
//!                                   │    └───── tun ◀── real sockets    (in a namespace)
//!                                   ▼
//!                                 truth ──▶ verdict: what a prober should have told
//!
//! namespace ──▶ routed: real Linux routers, their routes and their packet filters
//! ```
//!
//! A [`Network`] is made of [`Node`]s: each with the link that leads to it (`way`: `delay`,
//! `loss`, duplicates, order, corruption) and with what it does to packets (`router`: routes,
//! `hash`, `nat`, `limiter`, `icmp_error`, `extension`). All chance comes from the scenario's seed.
//!
//! It knows no probe and no engine: what it is held against is the test's concern.

#![forbid(unsafe_code)]

mod delay;
mod extension;
mod hash;
mod icmp_error;
mod limiter;
mod load;
mod loss;
mod namespace;
mod nat;
mod network;
mod node;
pub mod packet;
mod prefix;
#[cfg(test)]
mod raw;
mod routed;
mod router;
mod scenario;
mod truth;
mod tun;
mod verdict;
mod way;

pub use delay::Delay;
pub use extension::{Interface, Label, Role};
pub use hash::Balance;
pub use icmp_error::Quote;
pub use limiter::{Limit, Per};
pub use load::{Asked, Load};
pub use loss::Loss;
pub use namespace::{Counter, Namespace, NamespaceError, or_skip};
pub use nat::Nat;
pub use network::{Delivery, Network};
pub use node::{Node, NodeId, Refusal, Route, Tcp, Udp, Window};
pub use prefix::{Prefix, PrefixError};
pub use routed::{Chain, Fan, Spread};
pub use scenario::{Scenario, ScenarioError};
pub use truth::{Answer, Delivered, Ending, Record, Request, Why};
pub use tun::Tunnel;
pub use verdict::{Outcome, Verdict, tally};
pub use way::{Reorder, TosRewrite, Way};
