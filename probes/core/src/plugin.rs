//! What does a probe tell about itself?
//!
//! Everything that a person sees of a probe comes from its descriptor: the list, the help, the keys
//! of the configuration and their errors, the schema, the manual, the metrics. It is data, made by
//! `const fn`, so nothing of ours runs before `main`.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::Schema;

use crate::draw::{Draw, Stage};
use crate::metric::{Declared, common};
use crate::options::{Node, OptionsError, read};
use crate::probe::Aimed;
use crate::{Aim, Cause, Difference, Layout, Options};

/// A probe's descriptor. Submitting it is the whole registration:
///
/// ```
/// # use leadsman_core::{Cause, Context, Fault, Gauge, Options, OptionsError, Plugin};
/// # use leadsman_core::{Probe, Target, async_trait, inventory, schemars};
/// # #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// # struct NtpOptions {}
/// # struct Ntp;
/// # impl Options for NtpOptions {
/// #     type Probe = Ntp;
/// #     fn aim(self: &std::sync::Arc<Self>, _: &Target) -> Result<Ntp, OptionsError> { Ok(Ntp) }
/// # }
/// # #[async_trait]
/// # impl Probe for Ntp {
/// #     async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> { Ok(()) }
/// # }
/// static OFFSET: Gauge = Gauge::new("probe_ntp_offset_seconds", "Offset of the server's clock.");
///
/// inventory::submit! {
///     Plugin::new::<NtpOptions>("ntp", "Offset of a time server")
///         .metrics(&[&OFFSET])
///         .causes(&[Cause::Resolve, Cause::Timeout])
/// }
/// # assert!(leadsman_core::Registry::linked().unwrap().probe("ntp").is_some());
/// ```
pub struct Plugin {
    name: &'static str,
    summary: &'static str,
    docs: &'static str,
    demonstration: &'static [&'static str],
    metrics: &'static [&'static (dyn Declared + Sync)],
    causes: &'static [Cause],
    needs: &'static [Need],
    differences: &'static [Difference],
    command: Option<Command>,
    declared_at: &'static Location<'static>,
    parse: fn(&Node) -> Result<Arc<dyn Aim>, Vec<OptionsError>>,
    schema: fn() -> Schema,
}

inventory::collect!(Plugin);

impl Plugin {
    /// Describes the probe that `O` makes. `name` is the protocol's noun in lower case and becomes
    /// its key in the configuration; `summary` is one line, without a full stop.
    #[track_caller]
    pub const fn new<O: Options>(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            docs: "",
            demonstration: &[],
            metrics: &[],
            causes: &[Cause::Timeout],
            needs: &[],
            differences: &[],
            command: None,
            declared_at: Location::caller(),
            parse: |node| {
                let options: O = read(node)?;
                Ok(Arc::new(Aimed(Arc::new(options))) as Arc<dyn Aim>)
            },
            schema: || schemars::schema_for!(O),
        }
    }

    /// Declares what it records beside [`common::ALL`]; to record anything else is a bug.
    #[must_use]
    pub const fn metrics(mut self, metrics: &'static [&'static (dyn Declared + Sync)]) -> Self {
        self.metrics = metrics;
        self
    }

    /// Declares every [`Cause`] that a run can end with. Include [`Cause::Timeout`]: the core ends
    /// a run at its deadline with it.
    #[must_use]
    pub const fn causes(mut self, causes: &'static [Cause]) -> Self {
        self.causes = causes;
        self
    }

    /// Declares what it needs from the system.
    #[must_use]
    pub const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// Tells what it does otherwise than the prober of `blackbox_exporter` whose name it has.
    #[must_use]
    pub const fn differs(mut self, differences: &'static [Difference]) -> Self {
        self.differences = differences;
        self
    }

    /// Gives its manual, Markdown in the template of `probes/README.md`.
    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// Offers it on the command line.
    #[must_use]
    pub const fn command(mut self, command: Command) -> Self {
        self.command = Some(command);
        self
    }

    /// Names targets on loopback for the demonstration that runs without a configuration.
    #[must_use]
    pub const fn demonstration(mut self, targets: &'static [&'static str]) -> Self {
        self.demonstration = targets;
        self
    }

    /// The protocol's noun, its key in the configuration.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it measures, in one line.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Its manual, Markdown; empty if it has none.
    pub fn manual(&self) -> &'static str {
        self.docs
    }

    /// Targets on loopback for the demonstration.
    pub fn demonstration_targets(&self) -> &'static [&'static str] {
        self.demonstration
    }

    /// Every cause that a run can end with.
    pub fn possible_causes(&self) -> &'static [Cause] {
        self.causes
    }

    /// What it does otherwise than the prober of `blackbox_exporter` whose name it has, if there is
    /// one.
    pub fn differences(&self) -> &'static [Difference] {
        self.differences
    }

    /// What it needs from the system.
    pub fn needed(&self) -> &'static [Need] {
        self.needs
    }

    /// How it is offered on the command line, if it is.
    pub fn by_hand(&self) -> Option<&Command> {
        self.command.as_ref()
    }

    /// File and line of its descriptor.
    pub fn declared_at(&self) -> &'static Location<'static> {
        self.declared_at
    }

    /// Reads its options, or reports every mistake in them.
    pub fn parse(&self, options: &Node) -> Result<Arc<dyn Aim>, Vec<OptionsError>> {
        (self.parse)(options)
    }

    /// The JSON Schema (2020-12) of its options.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Where its metrics stand in a recording: the core's first, then its own as declared.
    pub fn layout(&'static self) -> &'static Layout {
        // Beside the descriptors and not in them, for `inventory` takes no constant with a cell.
        static LAYOUTS: Mutex<BTreeMap<usize, &Layout>> = Mutex::new(BTreeMap::new());
        let mut layouts = LAYOUTS.lock().unwrap_or_else(PoisonError::into_inner);
        layouts
            .entry(std::ptr::from_ref(self).addr())
            .or_insert_with(|| {
                let metrics = common::ALL.iter().chain(self.metrics);
                Box::leak(Box::new(Layout::new(
                    metrics.map(|metric| *metric as &'static dyn Declared),
                )))
            })
    }

    /// Where its metrics stand if `buckets` take the place of [`RTT_BUCKETS`]: upper bounds in
    /// seconds, ascending and finite.
    ///
    /// Layouts live as long as the program, so that there is one for each list that was ever asked
    /// for: as many as a person writes.
    ///
    /// [`RTT_BUCKETS`]: crate::metric::RTT_BUCKETS
    pub fn layout_with(&'static self, buckets: &[f64]) -> &'static Layout {
        static CHOSEN: Mutex<BTreeMap<(usize, Vec<u64>), &Layout>> = Mutex::new(BTreeMap::new());
        let key = buckets.iter().map(|bound| bound.to_bits()).collect();
        let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        chosen
            .entry((std::ptr::from_ref(self).addr(), key))
            .or_insert_with(|| {
                let buckets = Box::leak(Box::<[f64]>::from(buckets));
                let metrics = common::ALL.iter().chain(self.metrics);
                Box::leak(Box::new(Layout::with_buckets(
                    metrics.map(|metric| *metric as &'static dyn Declared),
                    Some(buckets),
                )))
            })
    }

    /// Whether any of its histograms takes the buckets that the configuration chooses.
    pub fn takes_buckets(&self) -> bool {
        let mut metrics = self.metrics.iter();
        metrics.any(|metric| metric.metric().takes_buckets())
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} at {})", self.name, self.declared_at)
    }
}

/// What a probe needs from the system beside a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A socket for ICMP: raw with `CAP_NET_RAW`, else a ping socket where
    /// `net.ipv4.ping_group_range` includes the process's group.
    IcmpSocket,
}

/// What the first argument of a command says that is about something else than its targets, as
/// `host NAME SERVER` is about the name.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// What it is called in the help: `NAME`.
    pub argument: &'static str,
    /// The option that it sets.
    pub option: &'static str,
    /// The targets where none is named. Called only then.
    pub targets: fn() -> Vec<String>,
}

/// How a probe is offered on the command line: `leadsman ping HOST…`.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The verb.
    pub name: &'static str,
    /// What a target is called in the help: `HOST`, `URL`.
    pub target: &'static str,
    /// What its first argument says if that is no target.
    pub subject: Option<Subject>,
    /// Options whose value by hand differs from their default: name and value as written.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The same where nobody watches because the output is no terminal, in place of
    /// [`Self::defaults`]: what goes on until a person ends it needs an end then.
    pub unwatched: &'static [(&'static str, &'static str)],
    /// One-letter flags for options.
    pub shorts: &'static [(char, &'static str)],
    /// One-letter flags that say an option in words of their own, as a well-known program does: the
    /// letter, the option, and each word with the value that it stands for.
    pub words: &'static [(char, &'static str, &'static [(&'static str, &'static str)])],
    /// One-letter flags for options with their value: letter, name and value as written.
    pub choices: &'static [(char, &'static str, &'static str)],
    /// Long flags for options with their value: flag, name and value as written.
    pub phrases: &'static [(&'static str, &'static str, &'static str)],
    /// Whether a run goes on until a person ends it, so that it has no timeout of its own.
    pub open_ended: bool,
    /// Begins what takes this host a while, such as to stamp packets. It is called as soon as the
    /// command is seen, whatever else the command line says, and must not wait.
    pub prepare: Option<fn()>,
    /// Draws its runs; without it, the host prints a line for each event.
    pub draw: Option<fn(Stage) -> Box<dyn Draw>>,
}

impl Command {
    /// A command whose targets are called `target` in the help.
    pub const fn new(name: &'static str, target: &'static str) -> Self {
        Self {
            name,
            target,
            subject: None,
            defaults: &[],
            unwatched: &[],
            shorts: &[],
            words: &[],
            choices: &[],
            phrases: &[],
            open_ended: false,
            prepare: None,
            draw: None,
        }
    }
}
