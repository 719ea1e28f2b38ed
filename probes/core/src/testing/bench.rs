//! How is one probe run in a test?
//!
//! Through [`perform`], as in the host, so deadline and panics are handled the same. What differs
//! is told to the bench: options as values, and names with their addresses. It never asks a real
//! resolver.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::finished::Finished;
use super::hosts::Hosts;
use super::written::written;
use crate::options::{Kind, Node, OptionsError};
use crate::{
    Event, Exchanger, Fence, Order, Plugin, Probe, Registry, ResolveError, Run, Sink, Stop, Target,
    perform,
};

/// A plugin with the options, names and timeout to run it with.
///
/// ```
/// # use std::sync::Arc;
/// # use leadsman_core::metric::Counter;
/// # use leadsman_core::options::OptionsError;
/// # use leadsman_core::{Context, Fault, Options, Plugin, Preference, Probe, Target, async_trait};
/// # use leadsman_core::schemars::{self, JsonSchema};
/// # use serde::{Deserialize, Serialize};
/// use leadsman_core::testing::Bench;
///
/// # /// Options.
/// # #[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
/// # #[serde(default, deny_unknown_fields)]
/// # struct Nothing {
/// #     /// How often.
/// #     times: u8,
/// # }
/// # struct Look(u8);
/// # impl Options for Nothing {
/// #     type Probe = Look;
/// #     fn aim(self: &Arc<Self>, _: &Target) -> Result<Look, OptionsError> {
/// #         Ok(Look(self.times))
/// #     }
/// # }
/// #[async_trait]
/// impl Probe for Look {
///     async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
///         for _ in 0..self.0 {
///             cx.resolve(&cx.target().address, Preference::new("ip4", true)).await?;
///             cx.add(&LOOKS, 1);
///         }
///         Ok(())
///     }
/// }
///
/// static LOOKS: Counter = Counter::new("probe_look_looks_total", "Look-ups made.");
/// static LOOK: Plugin = Plugin::new::<Nothing>("look", "Looks a name up").metrics(&[&LOOKS]);
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bench = Bench::of(&LOOK).option("times", 2).host("a.test", [[192, 0, 2, 1].into()]);
/// let found = bench.run("a.test").await;
/// assert!(found.succeeded());
/// assert_eq!(found.counter(&LOOKS, None), 2);
/// assert_eq!(found.said("resolved").count(), 2);
/// assert_eq!(bench.run("b.test").await.reason(), Some("resolve"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Bench {
    plugin: &'static Plugin,
    options: Vec<(Node, Node)>,
    hosts: Hosts,
    timeout: Duration,
    stop: Stop,
    compatible: bool,
    fence: Option<Arc<dyn Fence>>,
}

impl Bench {
    /// A bench for this plugin: default options, no names, [`Bench::timeout`] of 5 s.
    pub fn of(plugin: &'static Plugin) -> Self {
        Self {
            plugin,
            options: Vec::new(),
            hosts: Hosts::default(),
            timeout: PATIENCE,
            stop: Stop::never(),
            compatible: false,
            fence: None,
        }
    }

    /// A bench for the plugin that was submitted under this name.
    ///
    /// # Panics
    /// If no plugin of this name is linked into the test, or the registry refuses what is.
    pub fn linked(name: &str) -> Self {
        let registry = Registry::linked().unwrap_or_else(|error| panic!("{error}"));
        let plugin = registry.probe(name);
        Self::of(plugin.unwrap_or_else(|| panic!("no plugin called {name:?} is linked")))
    }

    /// Writes an option, as if a person had: `option("count", 3)`, `option("interval", "20ms")`.
    /// It replaces what was written under the same key before.
    ///
    /// # Panics
    /// If the value has no JSON form.
    #[must_use]
    pub fn option(mut self, key: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| panic!("the option {key} cannot be written: {error}"));
        self.options.retain(|(other, _)| other.text() != Some(key));
        self.options.push((Node::word(key), written(value)));
        self
    }

    /// Gives a name its addresses; all names that were given none have no record.
    #[must_use]
    pub fn host(mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let known = self.hosts.addresses.entry(name.to_owned()).or_default();
        known.extend(addresses);
        self
    }

    /// Says what a look-up of a domain's mail exchangers comes to; all domains of which nothing is
    /// said do not exist.
    #[must_use]
    pub fn exchangers(mut self, domain: &str, found: Result<Vec<Exchanger>, ResolveError>) -> Self {
        self.hosts.exchangers.insert(domain.to_owned(), found);
        self
    }

    /// Makes a name an alias of another; that it has addresses is said by [`Bench::host`].
    #[must_use]
    pub fn alias(mut self, name: &str, of: &str) -> Self {
        self.hosts.aliases.insert(name.to_owned(), of.to_owned());
        self
    }

    /// Sets how long a run may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets what ends an open-ended run.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Has runs record what `blackbox_exporter` would, see [`Context::is_compatible`].
    ///
    /// [`Context::is_compatible`]: crate::Context::is_compatible
    #[must_use]
    pub fn compatible(mut self) -> Self {
        self.compatible = true;
        self
    }

    /// Sets whom runs may ask.
    #[must_use]
    pub fn fence(mut self, fence: impl Fence + 'static) -> Self {
        self.fence = Some(Arc::new(fence));
        self
    }

    /// The plugin that is run.
    pub fn plugin(&self) -> &'static Plugin {
        self.plugin
    }

    /// How long a run may take.
    pub(super) fn patience(&self) -> Duration {
        self.timeout
    }

    /// The options as if a person had written them.
    pub(super) fn written(&self) -> Node {
        Node::new(Kind::Map(self.options.clone()))
    }

    /// Aims the probe, or tells every mistake in the options, or the one in the target.
    pub fn aim(&self, target: &Target) -> Result<Box<dyn Probe>, Vec<OptionsError>> {
        let aim = self.plugin.parse(&self.written())?;
        aim.aim(target).map_err(|mistake| vec![mistake])
    }

    /// Aims at an address and runs once.
    ///
    /// # Panics
    /// If the options or the address are refused; see [`Bench::aim`] to test that.
    pub async fn run(&self, address: &str) -> Finished {
        let target = Arc::new(Target::new(address));
        let mut probe = self.aimed(&target);
        self.measure(&mut *probe, &target).await
    }

    /// Runs a probe that was aimed before, so that a test sees what it keeps from run to run.
    pub async fn measure(&self, probe: &mut dyn Probe, target: &Arc<Target>) -> Finished {
        let events = Events::default();
        let order = Order {
            plugin: self.plugin,
            layout: self.plugin.layout(),
            target,
            timeout: self.timeout,
            stop: &self.stop,
            resolver: &self.hosts,
            sink: &events,
            compatible: self.compatible,
            fence: self.fence.as_deref(),
        };
        let run = perform(probe, order).await;
        let events = events
            .0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Finished { run, events }
    }

    /// Aims where a refusal is a mistake of the test.
    pub(super) fn aimed(&self, target: &Target) -> Box<dyn Probe> {
        self.aim(target).unwrap_or_else(|mistakes| {
            let words: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            let (plugin, address) = (self.plugin.name(), &target.address);
            panic!("cannot aim {plugin} at {address}: {}", words.join("; "))
        })
    }
}

impl From<&'static Plugin> for Bench {
    fn from(plugin: &'static Plugin) -> Self {
        Self::of(plugin)
    }
}

/// Keeps what a run says while it runs.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Sink for Events {
    fn wants_events(&self) -> bool {
        true
    }

    fn event(&self, event: Event) {
        // A list is whole whatever panicked while it was locked.
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
    }

    fn finished(&self, _: &Run) {}
}

/// What a good run may take on a busy machine; a test that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
