//! How does the file server start and end?
//!
//! Each of its threads has a listener of its own for the same address, between which the kernel
//! spreads the connections (socket(7), `SO_REUSEPORT`), and a runtime of its own, so that serving
//! never delays a probe.

use std::error::Error;
use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::{Meter, Responder, Stop, async_trait};
use leadsman_dial::{Renewable, ServerTlsError};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::accept::{Seats, accept};
use super::access_log::{AccessFormat, AccessLog};
use super::answer::{Manners, Oddities, Site};
use super::connection::Door;
use super::cookie::Cookie;
use super::counts::{Counts, Tally};
use super::directory::{Directory, DirectoryError};
use super::disturb::Disturbances;
use super::options::ServerOptions;
use super::patience::Limits;
use super::tls::{TlsOptions, follow};

/// A file server that is open.
#[derive(Debug)]
pub(super) struct FileServer {
    address: SocketAddr,
    pub(super) listeners: Vec<TcpListener>,
    directory: Arc<Directory>,
    manners: Manners,
    tls: Option<Arc<Renewable>>,
    seats: Arc<Seats>,
    limits: Limits,
    oddities: Arc<Oddities>,
    access_log: AccessFormat,
    /// Of each thread.
    counts: Vec<Arc<Counts>>,
}

/// Why a file server cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Nobody said what to serve.
    #[error("there is nothing to serve: set `directory`")]
    NoDirectory,
    /// The directory is not there, or none.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
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

/// Why a file server has ended unasked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    /// The system gave no thread or no runtime for one.
    #[error("cannot start a thread to serve files with")]
    Start(#[source] io::Error),
    /// A thread has panicked; the panic itself was told when it happened.
    #[error("a thread that serves files has panicked; please report it")]
    Panicked,
}

impl FileServer {
    /// Opens the directory and the address.
    pub(super) fn open(options: &ServerOptions) -> Result<Self, OpenError> {
        if options.directory.as_os_str().is_empty() {
            return Err(OpenError::NoDirectory);
        }
        let directory = Directory::open(options.directory.clone(), options.symlinks)?;
        let tls = options.tls.clone().map(TlsOptions::open).transpose()?;
        let tls = tls.map(Arc::new);
        let address = options.listen;
        let (address, listeners) = listen(address, options.thread_count())
            .map_err(|source| OpenError::Listen { address, source })?;
        let most_of_one = options.max_connections_per_ip.map(NonZeroUsize::get);
        let counts = listeners.iter().map(|_| Arc::default()).collect();
        Ok(Self {
            address,
            listeners,
            counts,
            access_log: options.access_log,
            oddities: Arc::new(Oddities {
                faults: options.fault,
                disturbances: Disturbances::new(&options.disturb),
            }),
            directory: Arc::new(directory),
            manners: Manners {
                cookie: tls.as_ref().map_or(Cookie::PLAIN, |_| Cookie::SECURE),
                listing: options.listing,
            },
            tls,
            seats: Arc::new(Seats::new(options.max_connections.get(), most_of_one)),
            limits: Limits {
                head: options.header_timeout.0,
                idle: options.idle_timeout.0,
                stall: options.stall_timeout.0,
            },
        })
    }
}

#[async_trait]
impl Responder for FileServer {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn meter(&self) -> Option<Arc<dyn Meter>> {
        Some(Arc::new(Tally(self.counts.clone())))
    }

    async fn serve(self: Box<Self>, stop: Stop) -> Result<(), Box<dyn Error + Send + Sync>> {
        let most_in_memory = MOST_IN_MEMORY / self.listeners.len();
        let log = AccessLog::start(self.access_log, io::stdout()).map_err(ServeError::Start)?;
        let (log, written) = log.unzip();
        let mut ends = Vec::new();
        for (listener, counts) in iter::zip(self.listeners, self.counts) {
            let site = Site::new(
                Arc::clone(&self.directory),
                most_in_memory,
                self.manners,
                Arc::clone(&self.oddities),
                log.clone(),
                counts,
            );
            let door = Door {
                site: Arc::new(site),
                tls: self.tls.clone(),
                limits: self.limits,
                stop: stop.clone(),
            };
            let seats = Arc::clone(&self.seats);
            let (tell, end) = oneshot::channel();
            let serve = move || {
                let run = || -> io::Result<()> {
                    let runtime = runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    let served = async {
                        let listener = tokio::net::TcpListener::from_std(listener)?;
                        accept(listener, door, seats).await;
                        Ok(())
                    };
                    let ended = runtime.block_on(served);
                    // A disk that hangs is not waited for.
                    runtime.shutdown_timeout(Duration::ZERO);
                    ended
                };
                // Who does not listen any more has been dropped, and wants no answer.
                _ = tell.send(run());
            };
            let thread = thread::Builder::new().name("file-server".to_owned());
            thread.spawn(serve).map_err(ServeError::Start)?;
            ends.push(end);
        }
        let ended = async {
            for end in ends {
                let ended = end.await.map_err(|_| ServeError::Panicked)?;
                ended.map_err(ServeError::Start)?;
            }
            Ok::<_, ServeError>(())
        };
        tokio::select! {
            ended = ended => ended?,
            never = follow(self.tls) => match never {},
        }
        drop(log);
        if let Some(written) = written {
            // Whoever has stopped reading it does not hold up the end.
            _ = timeout(LAST_LINES, written).await;
        }
        Ok(())
    }
}

/// Opens an address so many times; port 0 becomes the same port for all.
fn listen(address: SocketAddr, times: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = socket(address)?;
    // Not yet shared, so that an address in use is an error, whoever uses it.
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let address = first
        .local_addr()?
        .as_socket()
        .expect("it is an address of the internet");
    let mut sockets = vec![first];
    for _ in 1..times {
        let next = socket(address)?;
        next.set_reuse_port(true)?;
        next.bind(&address.into())?;
        sockets.push(next);
    }
    let listeners = sockets.into_iter().map(|socket| {
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    });
    Ok((address, listeners.collect::<io::Result<_>>()?))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // Or a restart would wait for connections of before.
    socket.set_reuse_address(true)?;
    // Inherited by every connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(MOST_UNSENT)?;
    Ok(socket)
}

/// Bytes that the kernel holds of an answer beyond what is on its way. Half of it has to leave
/// before a stalled write goes on, so that a peer that takes 1 KiB a second is not given up within
/// a minute; otherwise it were a third of a buffer of megabytes.
const MOST_UNSENT: u32 = 128 << 10;
/// How long the access log may take for its end.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Bytes of files in memory, over all threads.
const MOST_IN_MEMORY: usize = 64 << 20;
/// Connections of a thread that may wait to be accepted.
const BACKLOG: i32 = 4096;
