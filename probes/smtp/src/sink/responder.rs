//! How does the sink start and end?
//!
//! It has a thread and a runtime of its own, so that it never delays a probe.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::{Meter, Responder, Stop, async_trait};
use leadsman_dial::ServerTlsError;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::counts::{Counts, Refused};
use super::dialogue::{Policy, Recipients};
use super::options::{Protocol, SinkOptions};
use super::reply::Reply;
use super::session::{House, Limits};
use super::tls::Tls;

/// A sink that is open.
#[derive(Debug)]
pub(super) struct MailSink {
    address: SocketAddr,
    listener: TcpListener,
    policy: Policy,
    tls: Option<Tls>,
    limits: Limits,
    seats: u32,
    logs: bool,
    pub(super) counts: Arc<Counts>,
}

/// Why a sink cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Nobody said for whom.
    #[error("there is nobody to take mail for: set `recipients`")]
    NoRecipients,
    /// What was said is no address.
    #[error("{0:?} in `recipients` is no address: write LOCAL@DOMAIN")]
    Recipient(String),
    /// It would be read as more than a name.
    #[error("{0:?} in `hostname` is no name of a host")]
    Hostname(String),
    /// The certificate cannot be shown.
    #[error(transparent)]
    Tls(#[from] ServerTlsError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a sink has ended unasked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    /// The system gave no thread or no runtime for one.
    #[error("cannot start a thread to take mail with")]
    Start(#[source] io::Error),
    /// The thread has panicked; the panic itself was told when it happened.
    #[error("the thread that takes mail has panicked; please report it")]
    Panicked,
}

impl MailSink {
    /// Opens the address.
    pub(super) fn open(options: &SinkOptions) -> Result<Self, OpenError> {
        if options.recipients.is_empty() {
            return Err(OpenError::NoRecipients);
        }
        let is_address = |address: &str| {
            let parts = address.rsplit_once('@');
            let parts = parts.filter(|_| !address.contains(char::is_control));
            parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        };
        if let Some(wrong) = options.recipients.iter().find(|one| !is_address(one)) {
            return Err(OpenError::Recipient(wrong.clone()));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if options.hostname.is_empty() || !options.hostname.chars().all(is_name) {
            return Err(OpenError::Hostname(options.hostname.clone()));
        }
        let tls = options.tls.clone().map(Tls::open).transpose()?;
        let address = options.listen;
        let opened = TcpListener::bind(address).and_then(|listener| {
            // Once more, for more room.
            SockRef::from(&listener).listen(BACKLOG)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = opened.map_err(|source| OpenError::Listen { address, source })?;
        Ok(Self {
            address,
            listener,
            policy: Policy {
                host: options.hostname.clone(),
                recipients: Recipients::new(&options.recipients),
                max_size: options.max_size.get(),
                offers_tls: tls.as_ref().is_some_and(|tls| !tls.is_implicit()),
                is_lmtp: options.protocol == Protocol::Lmtp,
            },
            tls,
            limits: Limits {
                line: options.line_timeout.0,
                idle: options.idle_timeout.0,
                session: options.session_timeout.0,
            },
            seats: u32::try_from(options.max_connections.get())
                .unwrap_or(MOST_SEATS)
                .min(MOST_SEATS),
            logs: options.access_log,
            counts: Arc::default(),
        })
    }
}

#[async_trait]
impl Responder for MailSink {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn meter(&self) -> Option<Arc<dyn Meter>> {
        Some(Arc::clone(&self.counts) as Arc<dyn Meter>)
    }

    async fn serve(self: Box<Self>, stop: Stop) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (tell, end) = oneshot::channel();
        let seats = self.seats;
        let listener = self.listener;
        let house = Arc::new(House {
            policy: Arc::new(self.policy),
            tls: self.tls,
            limits: self.limits,
            counts: self.counts,
            stop,
            logs: self.logs,
        });
        let serve = move || {
            let run = || -> io::Result<()> {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    accept(listener, house, seats).await;
                    Ok(())
                })
            };
            // Who does not listen any more has been dropped, and wants no answer.
            _ = tell.send(run());
        };
        let thread = thread::Builder::new().name("mail-sink".to_owned());
        thread.spawn(serve).map_err(ServeError::Start)?;
        let ended = end.await.map_err(|_| ServeError::Panicked)?;
        Ok(ended.map_err(ServeError::Start)?)
    }
}

/// Serves everybody who connects until the end is asked for, and lets those who are served then come
/// to an end.
async fn accept(listener: tokio::net::TcpListener, house: Arc<House>, most: u32) {
    let seats = Arc::new(Semaphore::new(most as usize));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = house.stop.requested() => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(why) if is_of_peer(&why) => continue,
            Err(why) => {
                warn!(%why, "cannot accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
            house.refuse(Refused::Full, peer);
            turn_away(&house, &stream);
            continue;
        };
        // Or an answer would wait for the client to confirm the one before.
        _ = stream.set_nodelay(true);
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            house.counts.come();
            house.serve(stream, peer).await;
            house.counts.go();
            drop(seat);
        });
    }
    drop(listener);
    // Whoever takes longer is cut off with the runtime.
    _ = timeout(GRACE, seats.acquire_many(most)).await;
}

/// Whether a connection was lost before it was accepted, rather than that none can be.
fn is_of_peer(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        why.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

/// Tells a client that there is no room, unless it would have to speak TLS to hear that.
fn turn_away(house: &House, stream: &TcpStream) {
    if !house.tls.as_ref().is_some_and(Tls::is_implicit) {
        // A new connection has room for this, or else the client goes without.
        _ = stream.try_write(Reply::FULL.to_string().as_bytes());
    }
}

/// Connections that may wait to be accepted, as far as `net.core.somaxconn` lets them. Whoever comes
/// when there are too many may never learn it, for it is we who speak first.
const BACKLOG: i32 = 4096;
/// How long a thread that cannot accept waits, say because there are too many files open.
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections have to come to an end.
const GRACE: Duration = Duration::from_secs(10);
/// Connections at once, whatever somebody says.
const MOST_SEATS: u32 = 10_000;
