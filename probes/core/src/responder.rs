//! What is a service that is there to be probed?
//!
//! The sibling of a probe: a file server, a mail sink, a reflector. The host opens it at the start,
//! so that a port in use is an error people see, then lets it serve until the end is asked for.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::metric::Metric;
use crate::options::{Node, OptionsError, read};
use crate::{Meter, Stop};

/// A service that is open and ready to answer.
#[async_trait]
pub trait Responder: Send {
    /// Where it can be reached, port 0 already replaced by the real one.
    fn address(&self) -> SocketAddr;

    /// What it counts while it serves, if it counts anything; its descriptor declares what.
    fn meter(&self) -> Option<Arc<dyn Meter>> {
        None
    }

    /// Serves until `stop` is requested, then ends what it has begun and returns.
    async fn serve(self: Box<Self>, stop: Stop) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// A responder's options; see [`crate::Options`] for what its fields need.
#[async_trait]
pub trait ResponderOptions:
    DeserializeOwned + Serialize + JsonSchema + Default + fmt::Debug + Send + Sync + 'static
{
    /// Opens its sockets. The error says what could not be opened and why.
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>>;
}

/// Responder options whose type is forgotten, as the host keeps them.
#[async_trait]
pub trait Open: fmt::Debug + Send + Sync {
    /// Opens the responder; see [`ResponderOptions::open`].
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>>;

    /// The options in force, defaults included and secrets hidden.
    fn shown(&self) -> serde_json::Value;
}

struct Opened<O>(O);

impl<O: fmt::Debug> fmt::Debug for Opened<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl<O: ResponderOptions> Open for Opened<O> {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        self.0.open().await
    }

    fn shown(&self) -> serde_json::Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

/// A responder's descriptor; submitting it with `inventory::submit!` is the whole registration.
pub struct ResponderPlugin {
    name: &'static str,
    summary: &'static str,
    docs: &'static str,
    command: Option<ServeCommand>,
    metrics: &'static [&'static Metric],
    stage: Option<fn(&Stage<'_>) -> io::Result<Staged>>,
    declared_at: &'static Location<'static>,
    parse: fn(&Node) -> Result<Arc<dyn Open>, Vec<OptionsError>>,
    schema: fn() -> Schema,
}

inventory::collect!(ResponderPlugin);

/// How a responder is run by hand: a verb, what it serves, and its options as flags.
#[derive(Clone, Copy, Debug)]
pub struct ServeCommand {
    /// The verb.
    pub name: &'static str,
    /// What is served, as the help calls it: `DIR`.
    pub argument: &'static str,
    /// The option that the argument sets.
    pub option: &'static str,
}

/// What a responder has in the demonstration that runs without a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// An empty directory of its own, which is removed at the end.
    pub directory: &'a Path,
    /// An address on loopback that was free a moment ago.
    pub listen: SocketAddr,
}

/// How a responder takes part in the demonstration.
#[derive(Clone, Debug)]
pub struct Staged {
    /// Its options.
    pub options: serde_json::Value,
    /// What the probe of the same name is aimed at, if there is one.
    pub target: String,
    /// With which options; an empty object for none.
    pub probe: serde_json::Value,
    /// How often.
    pub every: Duration,
}

impl Staged {
    /// Takes part with these options; the probe of the same name has none, and asks once a second.
    pub fn new(options: serde_json::Value, target: impl Into<String>) -> Self {
        Self {
            options,
            target: target.into(),
            probe: serde_json::json!({}),
            every: Duration::from_secs(1),
        }
    }

    /// Has the probe ask in another way, and not as often.
    #[must_use]
    pub fn asked(mut self, probe: serde_json::Value, every: Duration) -> Self {
        self.probe = probe;
        self.every = every;
        self
    }
}

impl ResponderPlugin {
    /// Describes the responder that `O` opens. `name` becomes its key in the configuration;
    /// `summary` is one line, without a full stop.
    #[track_caller]
    pub const fn new<O: ResponderOptions>(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            docs: "",
            command: None,
            metrics: &[],
            stage: None,
            declared_at: Location::caller(),
            parse: |node| {
                let options: O = read(node)?;
                Ok(Arc::new(Opened(options)) as Arc<dyn Open>)
            },
            schema: || schemars::schema_for!(O),
        }
    }

    /// Gives its manual, Markdown.
    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// Offers it on the command line.
    #[must_use]
    pub const fn command(mut self, command: ServeCommand) -> Self {
        self.command = Some(command);
        self
    }

    /// Declares what its [`Meter`] reads; see [`Metric::of_responder`]. The host adds the labels
    /// `responder` and `listen`.
    #[must_use]
    pub const fn metrics(mut self, metrics: &'static [&'static Metric]) -> Self {
        self.metrics = metrics;
        self
    }

    /// Lets it take part in the demonstration, on the stage that it is given.
    #[must_use]
    pub const fn demonstration(mut self, stage: fn(&Stage<'_>) -> io::Result<Staged>) -> Self {
        self.stage = Some(stage);
        self
    }

    /// Its key in the configuration.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it serves, in one line.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Its manual, Markdown; empty if it has none.
    pub fn manual(&self) -> &'static str {
        self.docs
    }

    /// How it is offered on the command line, if it is.
    pub fn by_hand(&self) -> Option<&ServeCommand> {
        self.command.as_ref()
    }

    /// What it counts.
    pub fn counted(&self) -> &'static [&'static Metric] {
        self.metrics
    }

    /// Prepares its part in the demonstration, if it takes part.
    ///
    /// # Errors
    ///
    /// What it needs in its directory cannot be written.
    pub fn stage(&self, stage: &Stage<'_>) -> io::Result<Option<Staged>> {
        self.stage.map(|prepare| prepare(stage)).transpose()
    }

    /// File and line of its descriptor.
    pub fn declared_at(&self) -> &'static Location<'static> {
        self.declared_at
    }

    /// Reads its options, or reports every mistake in them.
    pub fn parse(&self, options: &Node) -> Result<Arc<dyn Open>, Vec<OptionsError>> {
        (self.parse)(options)
    }

    /// The JSON Schema (2020-12) of its options.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }
}

impl fmt::Debug for ResponderPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponderPlugin({} at {})", self.name, self.declared_at)
    }
}
