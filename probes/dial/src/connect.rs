//! How is a peer reached that may have several addresses?
//!
//! One address after the other, in their order, until one accepts. Each that does not is told as an
//! event, and all of them are named where none does. No two are tried at once: the time of the one
//! that accepts is then its own.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use leadsman_core::{Blocker, Cause, Context, Family, Fault};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::TcpConnection;

/// A connection, and what it took.
#[derive(Debug)]
pub struct Connected {
    /// The connection, without Nagle's delay (RFC 1122, section 4.2.3.4).
    pub stream: TcpConnection,
    /// The address that accepted.
    pub peer: SocketAddr,
    /// How many addresses were tried, that one included.
    pub attempts: usize,
    /// How long its own three-way handshake took, without that of others.
    pub took: Duration,
}

/// Connects to the first of `addresses` that accepts, from `source` if one is given.
///
/// An address may take its share of what is left until the deadline; the last may take all of it.
/// The fault, if there is one, is the target's if any address could be asked. None is asked that
/// [`Context::permits`] does not permit.
pub async fn connect(
    cx: &Context<'_>,
    addresses: &[IpAddr],
    port: u16,
    source: Option<IpAddr>,
) -> Result<Connected, Fault> {
    let fits =
        |address: &&IpAddr| source.is_none_or(|source| Family::of(source) == Family::of(**address));
    let addresses: Vec<_> = addresses.iter().filter(fits).collect();
    let mut faults = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let peer = SocketAddr::new(**address, port);
        let begin = Instant::now();
        let attempt = attempt(cx, peer, source);
        let left = (addresses.len() - index) as u32;
        let outcome = if left == 1 {
            attempt.await
        } else {
            let share = cx.deadline().saturating_duration_since(begin) / left;
            timeout(share, attempt).await.unwrap_or_else(|_| {
                let detail = format!("cannot connect to {peer}: no answer within {share:?}");
                Err(Fault::target(Cause::Timeout, detail))
            })
        };
        match outcome {
            Ok(stream) => {
                return Ok(Connected {
                    stream,
                    peer,
                    attempts: index + 1,
                    took: begin.elapsed(),
                });
            }
            Err(fault) => {
                cx.event(NotConnected::NAME, || NotConnected::new(peer, &fault));
                faults.push(fault);
            }
        }
    }
    Err(together(faults))
}

async fn attempt(
    cx: &Context<'_>,
    peer: SocketAddr,
    source: Option<IpAddr>,
) -> Result<TcpConnection, Fault> {
    cx.permits(peer)?;
    let doing = || format!("cannot connect to {peer}");
    let family = match peer {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP));
    let socket = socket.map_err(io::Error::from).map_err(Fault::own)?;
    if let Some(address) = source {
        let bound = bind(&socket, &SocketAddr::new(address, 0)).map_err(io::Error::from);
        bound.map_err(|source| Fault::own(SourceError { address, source }))?;
    }
    let connected = TcpConnection::connect(socket, peer).await;
    connected.map_err(|why| Fault::connection(peer, &doing(), why))
}

/// One fault that tells of all.
fn together(faults: Vec<Fault>) -> Fault {
    let details: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let detail = details.join("; ");
    let targets = |fault: &Fault| matches!(fault, Fault::Target(..));
    let at = faults.iter().position(targets).unwrap_or_default();
    match faults.into_iter().nth(at) {
        Some(Fault::Target(cause, _)) => Fault::target(cause, detail),
        Some(Fault::Own(blocker, _)) => Fault::Own(blocker, detail.into()),
        None => Fault::Own(
            Blocker::Network,
            "the source address is of another family than all addresses of the target".into(),
        ),
    }
}

/// The event of an address that did not accept.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotConnected {
    /// Who it was.
    pub peer: SocketAddr,
    /// Why, as it stands in labels: [`Fault::reason`].
    pub reason: Cow<'static, str>,
    /// Why, for people.
    pub detail: String,
}

impl NotConnected {
    /// What the event is called.
    pub const NAME: &str = "not_connected";

    /// Of a fault that came of trying.
    pub(crate) fn new(peer: SocketAddr, fault: &Fault) -> Self {
        Self {
            peer,
            reason: fault.reason().into(),
            detail: fault.to_string(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot send from {address}, which must be an address of this host")]
struct SourceError {
    address: IpAddr,
    source: io::Error,
}
