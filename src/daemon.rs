//! How does the program start, keep going and end?
//!
//! It starts whole or not at all: a configuration with a mistake or an address in use ends it with
//! a message. SIGHUP reloads. SIGTERM and SIGINT end it in good order: no new runs, those in
//! flight end by their deadline, and requests under way are answered: a run that one of them asked
//! for has ten seconds, then it is ended and answered as failed. A second signal ends it at once.

use std::io::{self, Write as _};
use std::iter;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Registry, Stop, Stopper};
use leadsman_metrics::{NameError, Own, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::access::{Access, AccessError};
use crate::cli::RunArgs;
use crate::config::{Address, Config, Listen, Problems};
use crate::drive::Driver;
use crate::follow_up::FollowUps;
use crate::history::History;
use crate::host::{Host, ReloadError};
use crate::listen::{InheritError, inherited, listen};
use crate::log;
use crate::resolver::Resolver;
use crate::schedule::Identity;
use crate::services::Services;
use crate::source::{Source, StageError};
use crate::web;
use crate::{demonstration, descriptors};

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The configuration has mistakes; shown with their lines.
    #[error("{}", .0.render(false).trim_end())]
    Config(Problems),
    /// There is no configuration, and nothing to show in its place.
    #[error(transparent)]
    Demonstration(#[from] StageError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; say where with --listen")]
    Listen {
        /// As written.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The file that says who is let in cannot be put in force.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There are no sockets of systemd's.
    #[error(transparent)]
    Inherit(#[from] InheritError),
    /// The runtime did not start or signals cannot be waited for.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// Two plugins contradict each other.
    #[error("the plugins of this program do not fit together: {0}")]
    Names(#[from] NameError),
    /// The configuration could not be put in force.
    #[error(transparent)]
    Plan(#[from] ReloadError),
}

/// The driver is gone although nobody asked for the end.
#[derive(Debug, thiserror::Error)]
#[error(
    "the driver ended by itself, which is a mistake in leadsman or in one of its plugins; please report it"
)]
struct DriverEnded(#[source] Option<JoinError>);

/// Runs until a signal ends the program.
pub(crate) fn run(registry: Registry, args: RunArgs) -> Result<ExitCode, StartError> {
    log::start(args.log_level, args.log_format);
    let mut source = Source::choose(args.config.clone(), &registry)?;
    source.listen.clone_from(&args.listen);
    source.timeout_offset = args.timeout_offset;
    source.history = args.history_limit;
    source.compatibility = args.compatibility;
    let access = Access::open(args.door.access.clone())?;
    let (config, warnings) = source.read(&registry).map_err(StartError::Config)?;
    for warning in warnings.lines() {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(keep_going(registry, source, config, access, args));
    // What still blocks a thread, such as reading from a disk that hangs, is not waited for.
    runtime.shutdown_background();
    ended
}

async fn keep_going(
    registry: Registry,
    mut source: Source,
    mut config: Config,
    access: Access,
    args: RunArgs,
) -> Result<ExitCode, StartError> {
    let descriptors = descriptors::raise();
    let mut signals = Signals::catch()?;
    let (listeners, addresses, opened) = if args.door.systemd {
        let (listeners, addresses) = inherited()?;
        let opened = addresses.iter().map(|at| Address::At(at.to_string()));
        let opened = opened.collect();
        (listeners, addresses, opened)
    } else {
        let (listeners, addresses) = open(&config.web.listen).await?;
        let opened = iter::zip(&config.web.listen.0, &addresses);
        let opened = opened
            .map(|(asked, socket)| asked.opened(*socket))
            .collect();
        (listeners, addresses, opened)
    };
    source.serves(&mut config, Listen(opened));
    let own = Own::new(env!("CARGO_PKG_VERSION"));
    let store = Store::new(registry.probes().iter().copied(), own.clone())?;
    let (follow_ups, follower) = FollowUps::new();
    let services = Arc::new(Services {
        resolver: Arc::new(Resolver::system()),
        own,
        history: History::new(config.web.history),
        follow_ups,
        log_prober: args.log_prober,
    });
    let (stopper, stop) = Stopper::new();
    // Replicas get different seeds from their host names, which stay the same over a restart.
    let (driver, helm) = Driver::new(Arc::clone(&services), seed());
    let mut driver = tokio::spawn(driver.run(stop.clone()));
    tokio::spawn(follower.run(Arc::clone(&services), stop.clone()));
    let demonstrates = source.is_demonstration();
    info!(%source, "starting");
    let host = Host::start(
        registry,
        source,
        config,
        store,
        services,
        helm,
        stop.clone(),
    )
    .await?;
    let access = Arc::new(access);
    tokio::spawn(Arc::clone(&access).follow(stop.clone()));
    if let Some(interval) = args.auto_reload {
        tokio::spawn(Arc::clone(&host).follow(interval));
    }
    let prefix = args.door.prefix;
    // A run that is asked for takes one descriptor of its own, most often.
    let most = descriptors / 2;
    let web = tokio::spawn(web::serve(
        listeners,
        most,
        Arc::clone(&host),
        access,
        prefix,
    ));
    for address in &addresses {
        info!(%address, "listening");
    }
    let guide = demonstrates.then(|| tokio::spawn(guide(Arc::clone(&host), addresses, stop)));

    if let Err(why) = signals.until_the_end(&host, &mut driver).await {
        error!(%why, "ended at once, for nothing would be probed any more");
        return Ok(ExitCode::FAILURE);
    }
    info!("stopping: no new runs, those in flight end by their deadline");
    stopper.stop();
    tokio::select! {
        () = end(driver, web, guide, &host) => {
            info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        () = signals.end() => {
            warn!("stopped at once by a second signal; runs in flight are lost");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Waits until every part has ended in good order.
async fn end(
    driver: JoinHandle<()>,
    web: JoinHandle<()>,
    guide: Option<JoinHandle<()>>,
    host: &Host,
) {
    for (part, task) in [
        ("driver", Some(driver)),
        ("web", Some(web)),
        ("demonstration", guide),
    ] {
        if let Some(task) = task
            && let Err(why) = task.await
        {
            warn!(part, %why, "did not end in good order");
        }
    }
    host.close().await;
}

/// Opens all that was asked for.
async fn open(wanted: &Listen) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), StartError> {
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in &wanted.0 {
        let refused = |source| StartError::Listen {
            address: address.clone(),
            source,
        };
        let listener = listen(address).await.map_err(refused)?;
        addresses.push(listener.local_addr().map_err(refused)?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

/// Tells a person who started the demonstration where to look, and soon what was measured.
async fn guide(host: Arc<Host>, addresses: Vec<SocketAddr>, stop: Stop) {
    let Some(address) = addresses.first() else {
        return;
    };
    say(&demonstration::welcome(*address, &host.registry));
    tokio::select! {
        () = stop.requested() => {}
        () = sleep(FIRST_LOOK) => say(&demonstration::first_look(&host.services.history)),
    }
}

/// Prints to a person; one who closed the output does not want it.
fn say(text: &str) {
    _ = io::stdout().lock().write_all(text.as_bytes());
}

/// The signals that the program obeys.
struct Signals {
    hang_up: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Reloads at each SIGHUP, until the end is asked for. A reload is not waited for: reading may
    /// hang, and the end must not. Without its driver the program would serve what was measured
    /// last for ever, so that is an end as well.
    async fn until_the_end(
        &mut self,
        host: &Arc<Host>,
        driver: &mut JoinHandle<()>,
    ) -> Result<(), DriverEnded> {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Ok(()),
                _ = self.terminate.recv() => return Ok(()),
                ended = &mut *driver => return Err(DriverEnded(ended.err())),
                _ = self.hang_up.recv() => {
                    let host = Arc::clone(host);
                    // How it went is in the log and in the metrics.
                    tokio::spawn(async move { host.reload().await });
                }
            }
        }
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A hash of this host's name, or of nothing where it has none.
fn seed() -> u64 {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Identity::of([name.trim_end()]).bits()
}

/// How long the demonstration measures before it says what it has found.
const FIRST_LOOK: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
