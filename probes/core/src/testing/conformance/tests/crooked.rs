//! A probe that does one thing wrong, as its option says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{io, thread};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

use crate::metric::{Counter, Gauge};
use crate::options::OptionsError;
use crate::{Cause, Context, Fault, Options, Plugin, Probe, Target, async_trait};

static RUNS: Counter = Counter::new("probe_crooked_runs_total", "Runs.");
static ODD: Gauge =
    Gauge::new("probe_crooked_odd", "What is seldom set.").by(&["kind"], &["often", "seldom"]);
static UNDECLARED: Counter = Counter::new("probe_crooked_undeclared_total", "Declared nowhere.");

pub(super) static CROOKED: Plugin = Plugin::new::<CrookedOptions>("crooked", "Nothing aright")
    .metrics(&[&RUNS, &ODD])
    .causes(&[Cause::Timeout, Cause::Refused, Cause::Closed, Cause::Reset]);

/// Options of the crooked probe.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CrookedOptions {
    /// What it does wrong.
    manner: Manner,
}

/// What a crooked probe can do wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Manner {
    /// Nothing.
    #[default]
    None,
    /// Keeps its thread for longer than the deadline.
    KeepsItsThread,
    /// Never gives its thread back.
    NeverYields,
    /// Takes its time to close when it is dropped.
    ClosesSlowly,
    /// Forgets to close a connection.
    LeaksDescriptor,
    /// Leaves a task behind when it is dropped.
    LeaksTask,
    /// Cannot run again once it was dropped.
    BreaksWhenDropped,
    /// Breaks all others when it panics.
    PanicsForAll,
    /// Takes the address of whoever was aimed last.
    SharesItsTarget,
    /// Says another's answer as well as its own.
    SaysOthersAnswers,
    /// Records what it did not declare.
    RecordsUndeclared,
    /// Records only a part of what it declares.
    RecordsTooLittle,
    /// Fails with a cause that it did not declare.
    FailsOtherwise,
    /// Calls every failure its own fault.
    BlamesUs,
    /// Never succeeds.
    NeverSucceeds,
    /// Panics when it is dropped, where nobody can catch it.
    PanicsWhenDropped,
}

impl Options for CrookedOptions {
    type Probe = Crooked;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Crooked, OptionsError> {
        let address = target.address.parse();
        let address = address.map_err(|_| OptionsError::new("the target is not ADDRESS:PORT"))?;
        Ok(Crooked {
            address,
            manner: self.manner,
            running: false,
            ran: false,
        })
    }
}

struct Crooked {
    address: SocketAddr,
    manner: Manner,
    running: bool,
    ran: bool,
}

static BROKEN: AtomicBool = AtomicBool::new(false);
static LAST: Mutex<Option<SocketAddr>> = Mutex::new(None);
static LAST_SAID: Mutex<String> = Mutex::new(String::new());

#[async_trait]
impl Probe for Crooked {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let manner = self.manner;
        cx.add(&RUNS, 1);
        cx.set_for(&ODD, "often", 1.0);
        if manner != Manner::RecordsTooLittle {
            cx.set_for(&ODD, "seldom", 1.0);
        }
        let _guard = Guard(manner);
        match manner {
            Manner::KeepsItsThread => thread::sleep(LATE),
            Manner::NeverYields => loop {
                thread::park();
            },
            Manner::LeaksTask => drop(tokio::spawn(std::future::pending::<()>())),
            Manner::BreaksWhenDropped if self.running => {
                return Err(Fault::target(Cause::Closed, "still running"));
            }
            Manner::PanicsForAll if BROKEN.load(Ordering::Relaxed) => {
                return Err(Fault::target(Cause::Closed, "broken by a panic"));
            }
            Manner::RecordsUndeclared => cx.add(&UNDECLARED, 1),
            Manner::NeverSucceeds => return Err(Fault::target(Cause::Closed, "no")),
            _ => {}
        }
        (self.running, self.ran) = (true, true);
        *LAST.lock().unwrap() = Some(self.address);
        // A wait that there is on every machine.
        tokio::task::yield_now().await;
        if manner == Manner::SharesItsTarget {
            self.address = LAST.lock().unwrap().unwrap();
        }
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|e| fault(manner, e))?;
        let mut line = String::new();
        let mut stream = BufReader::new(stream.take(LONGEST));
        let read = stream
            .read_line(&mut line)
            .await
            .map_err(|e| fault(manner, e))?;
        if manner == Manner::LeaksDescriptor {
            std::mem::forget(stream);
        }
        self.running = false;
        if read == 0 {
            return Err(fault(manner, io::ErrorKind::UnexpectedEof.into()));
        }
        let said = line.trim_end().to_owned();
        let before = std::mem::replace(&mut *LAST_SAID.lock().unwrap(), said.clone());
        if manner == Manner::SaysOthersAnswers {
            cx.event("before", || json!({ "text": before }));
        }
        cx.event("banner", || json!({ "text": said }));
        Ok(())
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        assert!(
            self.manner != Manner::PanicsWhenDropped || !self.ran,
            "dropped after a run"
        );
    }
}

/// Does what is wrong at the end of a run.
struct Guard(Manner);

impl Drop for Guard {
    fn drop(&mut self) {
        match self.0 {
            Manner::ClosesSlowly => thread::sleep(LATE),
            Manner::PanicsForAll if thread::panicking() => BROKEN.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
}

fn fault(manner: Manner, error: io::Error) -> Fault {
    match error.kind() {
        _ if manner == Manner::BlamesUs => Fault::own(error),
        _ if manner == Manner::FailsOtherwise => Fault::target(Cause::Tls, "not that"),
        io::ErrorKind::ConnectionRefused => Fault::target(Cause::Refused, "refused"),
        io::ErrorKind::ConnectionReset => Fault::target(Cause::Reset, "reset"),
        io::ErrorKind::UnexpectedEof => Fault::target(Cause::Closed, "closed"),
        _ => Fault::own(error),
    }
}

/// More than a deadline and its slack.
const LATE: Duration = Duration::from_millis(400);
/// Bytes of a line.
const LONGEST: u64 = 1024;
