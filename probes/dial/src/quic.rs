//! How is a peer reached over QUIC (RFC 9000), and what did it show of itself?
//!
//! The handshake of QUIC is that of TLS too, so that both are one step here. Nothing is left running:
//! what quinn would spawn is driven beside whatever waits for it, and ends with it.

use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;

use hyper::rt::Executor as _;
use leadsman_core::{Cause, Context, Family, Fault};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    AsyncTimer, AsyncUdpSocket, ClientConfig, Connection, ConnectionError, Endpoint,
    EndpointConfig, Runtime, TokioRuntime, TransportErrorCode,
};
use tokio::time::{Instant, timeout};

use crate::{Driver, NotConnected, Protocol, Shown, Spawner, Tls};

/// A connection, and what keeps it going.
#[derive(Debug)]
pub struct Quic {
    /// The connection.
    pub connection: Connection,
    /// Has it go on while something is waited for.
    pub driver: Driver,
    /// The address that accepted.
    pub peer: SocketAddr,
    /// How many addresses were tried, that one included.
    pub attempts: usize,
    /// What was agreed on; quinn does not tell the cipher, so it is empty.
    pub agreed: Protocol,
}

/// What came of a handshake.
#[derive(Debug)]
pub struct QuicHandshake {
    /// The connection, or why there is none.
    pub quic: Result<Quic, Fault>,
    /// What the peer showed, be it refused or not; `None` if it came to no showing.
    pub shown: Option<Shown>,
}

/// Connects to the first of `addresses` that accepts, from `source` if one is given, and agrees on TLS
/// with it as [`Tls::handshake`] does.
///
/// An address may take its share of what is left until the deadline; the last may take all of it.
pub async fn connect_quic(
    cx: &Context<'_>,
    addresses: &[IpAddr],
    port: u16,
    source: Option<IpAddr>,
    (tls, name, alpn): (&Tls, &str, &[u8]),
) -> QuicHandshake {
    let fits =
        |address: &&IpAddr| source.is_none_or(|source| Family::of(source) == Family::of(**address));
    let addresses: Vec<_> = addresses.iter().filter(fits).collect();
    let mut last = QuicHandshake {
        quic: Err(Fault::own(
            "the source address is of another family than all addresses of the target",
        )),
        shown: None,
    };
    for (index, address) in addresses.iter().enumerate() {
        let peer = SocketAddr::new(**address, port);
        let attempt = attempt(cx, peer, source, (tls, name, alpn));
        let left = (addresses.len() - index) as u32;
        last = if left == 1 {
            attempt.await
        } else {
            let share = cx.deadline().saturating_duration_since(Instant::now()) / left;
            timeout(share, attempt).await.unwrap_or_else(|_| {
                let detail =
                    format!("cannot connect to {peer} over QUIC: no answer within {share:?}");
                QuicHandshake {
                    quic: Err(Fault::target(Cause::Timeout, detail)),
                    shown: None,
                }
            })
        };
        match &mut last.quic {
            Ok(quic) => {
                quic.attempts = index + 1;
                break;
            }
            Err(fault) => cx.event(NotConnected::NAME, || NotConnected::new(peer, fault)),
        }
    }
    last
}

async fn attempt(
    cx: &Context<'_>,
    peer: SocketAddr,
    source: Option<IpAddr>,
    (tls, name, alpn): (&Tls, &str, &[u8]),
) -> QuicHandshake {
    let (config, verifier) = tls.watched(&[alpn]);
    let name = name.trim_end_matches('.');
    let permitted = cx.permits(peer);
    let opened = permitted.and_then(|()| open(peer, source, config));
    let connecting = opened.and_then(|(endpoint, config, driver)| {
        let connecting = endpoint.connect_with(config, peer, name);
        connecting
            .map(|connecting| (connecting, driver))
            .map_err(Fault::own)
    });
    let (connecting, mut driver) = match connecting {
        Ok(connecting) => connecting,
        Err(fault) => {
            return QuicHandshake {
                quic: Err(fault),
                shown: None,
            };
        }
    };
    let connected = driver.beside(connecting).await;
    let shown = verifier.shown();
    let distrust = shown.as_ref().and_then(|shown| shown.trust.as_ref().err());
    let doing = format!("cannot agree on QUIC and TLS with {peer} as {name}");
    let quic = connected.map_err(|why| match distrust {
        Some(distrust) if !tls.is_insecure() => {
            Fault::target(Cause::Tls, format!("{doing}: {distrust}"))
        }
        _ => quic_failure(&doing, &why),
    });
    QuicHandshake {
        quic: quic.map(|connection| Quic {
            connection,
            driver,
            peer,
            attempts: 1,
            agreed: Protocol {
                version: "TLS 1.3",
                cipher: String::new(),
                alpn: Some(alpn.to_vec()),
            },
        }),
        shown,
    }
}

/// A socket of its own for each connection, so that none is confused with another.
fn open(
    peer: SocketAddr,
    source: Option<IpAddr>,
    config: rustls::ClientConfig,
) -> Result<(Endpoint, ClientConfig, Driver), Fault> {
    let any = match peer {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let from = source.unwrap_or(any);
    let socket = UdpSocket::bind((from, 0));
    let socket = socket.map_err(|source| Fault::own(SocketError { from, source }))?;
    let config = QuicClientConfig::try_from(config).map_err(Fault::own)?;
    let spawner = Spawner::default();
    let runtime = Arc::new(Gathering(spawner.clone()));
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, runtime);
    let endpoint = endpoint.map_err(Fault::own)?;
    let driver = Driver::new(spawner, ready(()));
    Ok((endpoint, ClientConfig::new(Arc::new(config)), driver))
}

/// Judges the end of a connection over QUIC. `doing` says what was tried.
pub fn quic_failure(doing: &str, error: &ConnectionError) -> Fault {
    let cause = match error {
        ConnectionError::TimedOut => Cause::Timeout,
        ConnectionError::Reset => Cause::Reset,
        ConnectionError::ApplicationClosed(_) => Cause::Closed,
        ConnectionError::ConnectionClosed(close) => of_code(close.error_code),
        ConnectionError::TransportError(error) => of_code(error.code),
        ConnectionError::VersionMismatch => Cause::Protocol,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            return Fault::own(format!("{doing}: {error}"));
        }
    };
    // Escaped, for the peer may have chosen it.
    let words = error.to_string().escape_debug().to_string();
    Fault::target(cause, format!("{doing}: {words}"))
}

/// What a code means (RFC 9000, section 20.1): from 0x100 on it is an alert of TLS.
fn of_code(code: TransportErrorCode) -> Cause {
    match u64::from(code) {
        0 => Cause::Closed,
        // CONNECTION_REFUSED.
        2 => Cause::Refused,
        0x100..=0x1ff => Cause::Tls,
        _ => Cause::Protocol,
    }
}

/// Gathers what is to run beside, and otherwise does as tokio does.
#[derive(Debug)]
struct Gathering(Spawner);

impl Runtime for Gathering {
    #[expect(clippy::disallowed_types, reason = "quinn tells the time so")]
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.execute(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot send from {from}, which must be an address of this host")]
struct SocketError {
    from: IpAddr,
    source: io::Error,
}
