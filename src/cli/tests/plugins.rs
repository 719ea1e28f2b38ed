//! Which plugins are the commands of the tests made from?

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{OptionsError, Period};
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{
    Context, Fault, Need, Options, Plugin, Probe, Responder, ResponderOptions, ResponderPlugin,
    ServeCommand, Subject, Sweep, SweepOrder, Target, async_trait,
};
use serde::{Deserialize, Serialize};

/// Options with one of each shape.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Lead {
    /// How often the lead is heaved; 0 for no end.
    ///
    /// By hand there is no end.
    count: u32,
    /// Time to wait for the bottom.
    wait: Period,
    /// What the hollow of the lead is armed with.
    arming: Arming,
    /// Whether to call the depth.
    call: bool,
    /// Address to sound from.
    source: Option<IpAddr>,
    /// Family of addresses that is preferred.
    preferred_ip_protocol: String,
    /// Whether the other family will do.
    ip_protocol_fallback: bool,
    /// Depth in fathoms; may be below zero at low water.
    depth: f64,
    /// Seen as the host's flag of the same name would be, so that only the letter is left.
    timeout: Period,
    /// The line.
    line: Line,
    /// Marks along the line.
    marks: Vec<u16>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Line {
    /// Its length in fathoms.
    length: u16,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Buoy {
    /// Fathoms below it.
    depth: u16,
    /// Links of its chain.
    links: u16,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "leadsman_core::schemars")]
enum Arming {
    /// Brings up sand and shells.
    #[default]
    Tallow,
    /// Brings up nothing.
    None,
}

impl Default for Lead {
    fn default() -> Self {
        Self {
            count: 3,
            wait: Period(Duration::from_secs(1)),
            arming: Arming::Tallow,
            call: true,
            source: None,
            preferred_ip_protocol: "ip6".into(),
            ip_protocol_fallback: true,
            depth: 0.0,
            timeout: Period(Duration::from_secs(2)),
            line: Line::default(),
            marks: vec![2, 3, 5],
        }
    }
}

struct Never;

#[async_trait]
impl Probe for Never {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Options for Lead {
    type Probe = Never;

    /// Fails with the options in force, so that tests can see them.
    fn aim(self: &Arc<Self>, target: &Target) -> Result<Never, OptionsError> {
        match &*target.address {
            "show" => Err(OptionsError::new(serde_json::to_string(&**self).unwrap())),
            "nowhere" => Err(OptionsError::new("there is no such water")),
            _ if self.count == 13 => Err(OptionsError::field("count", "brings bad luck")),
            _ => Ok(Never),
        }
    }
}

#[async_trait]
impl ResponderOptions for Buoy {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn std::error::Error + Send + Sync>> {
        Err("never opened".into())
    }
}

/// Options that a command with the flags of a sweep has to get along with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Sonar {
    /// Pings a second.
    rate: u32,
    /// Whether to listen only, so that nobody can be swept.
    passive: bool,
    /// The ship's own noise; no ship is quieter than 1.
    noise: u32,
    /// Family of addresses that is preferred.
    preferred_ip_protocol: String,
    /// Whether the other family will do.
    ip_protocol_fallback: bool,
}

impl Default for Sonar {
    fn default() -> Self {
        Self {
            rate: 0,
            passive: false,
            noise: 0,
            preferred_ip_protocol: String::new(),
            ip_protocol_fallback: true,
        }
    }
}

impl Options for Sonar {
    type Probe = Never;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Never, OptionsError> {
        match self.noise {
            1 => Err(OptionsError::field("noise", "must be more than 1")),
            _ => Ok(Never),
        }
    }

    fn sweep(self: &Arc<Self>) -> Option<Box<dyn Sweep>> {
        (!self.passive).then(|| Box::new(Silence) as Box<dyn Sweep>)
    }
}

struct Silence;

impl Sweep for Silence {
    fn sweep(self: Box<Self>, _: SweepOrder<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

pub(super) static LEAD: Plugin = Plugin::new::<Lead>("lead", "Depth of the water")
    .needs(&[Need::IcmpSocket])
    .command(leadsman_core::Command {
        defaults: &[("count", "0"), ("wait", "5s")],
        unwatched: &[("count", "3")],
        shorts: &[('c', "count"), ('W', "timeout")],
        words: &[('M', "call", &[("aloud", "true"), ("not", "false")])],
        phrases: &[("unarmed", "arming", "none")],
        choices: &[('T', "arming", "tallow"), ('N', "arming", "none")],
        open_ended: true,
        ..leadsman_core::Command::new("heave", "WATER")
    });
pub(super) static LOG: Plugin =
    Plugin::new::<Lead>("log", "Speed through the water, by a chip on a line")
        .command(leadsman_core::Command {
            subject: Some(Subject {
                argument: "FATHOMS",
                option: "depth",
                targets: || vec!["show".to_owned()],
            }),
            ..leadsman_core::Command::new("stream", "SHIP")
        })
        .docs("# The log\n\nKnots are counted.\n\n<!-- generated: metrics -->\n<!-- end -->\n");
pub(super) static ECHO: Plugin = Plugin::new::<Lead>("echo", "Depth by sound");
pub(super) static SONAR: Plugin =
    Plugin::new::<Sonar>("sonar", "Who is below").command(leadsman_core::Command {
        shorts: &[('q', "noise"), ('r', "rate")],
        open_ended: true,
        ..leadsman_core::Command::new("listen", "SHIP")
    });
pub(super) static BUOY: ResponderPlugin =
    ResponderPlugin::new::<Buoy>("buoy", "Something to be sounded").command(ServeCommand {
        name: "moor",
        argument: "DEPTH",
        option: "depth",
    });
