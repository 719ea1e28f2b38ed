//! What does a person say of a file server?

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use leadsman_core::options::Period;
use leadsman_core::{Responder, ResponderOptions, async_trait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access_log::AccessFormat;
use super::directory::Symlinks;
use super::disturb::Disturbance;
use super::responder::FileServer;
use super::tls::TlsOptions;

/// What is served, where, and to how many.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerOptions {
    /// Address and port to listen on.
    pub(super) listen: SocketAddr,
    /// The directory whose files are served. It has no default, so that nothing is served by
    /// mistake.
    pub(super) directory: PathBuf,
    /// Which symbolic links are followed: those that stay `inside` the directory, or none, `deny`.
    pub(super) symlinks: Symlinks,
    /// Whether it is told what lies in a directory that has no `index.html`.
    pub(super) listing: bool,
    /// The certificate to speak TLS with, and its key; without it, TLS is not spoken. Both files are
    /// read again when they have changed.
    pub(super) tls: Option<TlsOptions>,
    /// Threads that serve, each with a runtime and a listener of its own. By default as many as
    /// there are processors, but at most 4.
    pub(super) threads: Option<NonZeroUsize>,
    /// Connections at once; one more is answered with 503.
    pub(super) max_connections: NonZeroUsize,
    /// Connections at once of one address; no limit if absent.
    pub(super) max_connections_per_ip: Option<NonZeroUsize>,
    /// How long a peer may take for the head of a request.
    pub(super) header_timeout: Period,
    /// How long a connection may wait for the next request.
    pub(super) idle_timeout: Period,
    /// How long a peer may take nothing of an answer.
    pub(super) stall_timeout: Period,
    /// How answered requests are logged on standard output, if they are: `common`, `combined`,
    /// `json` or `off`.
    pub(super) access_log: AccessFormat,
    /// Whether whoever asks may have faults: paths below `/_probe/` answer late, wrongly or not at
    /// all.
    pub(super) fault: bool,
    /// Files that are sent late, or not at all, by chance.
    pub(super) disturb: Vec<Disturbance>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            directory: PathBuf::new(),
            symlinks: Symlinks::default(),
            listing: false,
            tls: None,
            threads: None,
            max_connections: const { NonZeroUsize::new(10_000).expect("it is not zero") },
            max_connections_per_ip: None,
            header_timeout: seconds(5),
            idle_timeout: seconds(60),
            stall_timeout: seconds(60),
            access_log: AccessFormat::default(),
            fault: false,
            disturb: Vec::new(),
        }
    }
}

impl ServerOptions {
    /// How many threads serve.
    pub(super) fn thread_count(&self) -> usize {
        let most = || available_parallelism().map_or(1, |count| count.get().min(MOST_THREADS));
        self.threads.map_or_else(most, NonZeroUsize::get)
    }
}

#[async_trait]
impl ResponderOptions for ServerOptions {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(FileServer::open(self)?))
    }
}

/// Threads beyond which a file server profits from no more unless somebody says so.
const MOST_THREADS: usize = 4;
