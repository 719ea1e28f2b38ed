//! How long did each phase of a run take, as it is told to others?
//!
//! At the end of a run it stands in an event, for the page of a run, for logs and for whoever draws
//! what happened.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use leadsman_core::draw::Stage;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::laps::{Laps, Phase};

/// Seconds by the names of phases, in the order in which the phases first began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seconds(Vec<(Cow<'static, str>, f64)>);

/// The details of the event at the end of a run that tells no more than its phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// How long each took.
    pub seconds: Seconds,
}

impl Phases {
    /// The name of the event.
    pub const NAME: &str = "phases";

    /// The phases that have come to an end.
    pub fn of<P: Phase>(laps: &Laps<P>) -> Self {
        let seconds = Seconds::of(laps);
        Self { seconds }
    }
}

impl Seconds {
    /// The phases that have come to an end.
    pub fn of<P: Phase>(laps: &Laps<P>) -> Self {
        let seconds = laps.all();
        let seconds = seconds.map(|(phase, took)| (phase.label().into(), took.as_secs_f64()));
        Self(seconds.collect())
    }

    /// How long a phase took, if it came to an end.
    pub fn get(&self, phase: &str) -> Option<f64> {
        self.iter()
            .find(|(name, _)| *name == phase)
            .map(|(_, seconds)| seconds)
    }

    /// All phases.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(phase, seconds)| (&**phase, *seconds))
    }

    /// Draws a line for each phase, with a bar to scale that begins where the one before ends.
    pub fn bars(&self, stage: &Stage) -> String {
        let total: f64 = self.iter().map(|(_, seconds)| seconds).sum();
        let room = stage.width.saturating_sub(INDENT).clamp(10, 60) as f64;
        let block = if stage.utf8 { "━" } else { "#" };
        let share = |seconds: f64| {
            if total > 0.0 {
                (seconds / total * room).round() as usize
            } else {
                0
            }
        };
        let mut text = String::new();
        let mut begun = 0.0;
        for (phase, seconds) in self.iter() {
            let blank = share(begun);
            let bar = (share(begun + seconds) - blank).max(usize::from(seconds > 0.0));
            begun += seconds;
            let (blank, bar) = (" ".repeat(blank), block.repeat(bar));
            let name = phase.replace('_', " ");
            let ms = seconds * 1e3;
            writeln!(text, "  {name:<14}{ms:>9.2} ms  {blank}{bar}").expect(INFALLIBLE);
        }
        text
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds by the names of phases")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seconds, A::Error> {
                let mut seconds = Vec::new();
                while let Some((phase, took)) = map.next_entry::<String, f64>()? {
                    seconds.push((phase.into(), took));
                }
                Ok(Seconds(seconds))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// What stands before a bar.
const INDENT: usize = 2 + 14 + 9 + 5;
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seconds() -> Seconds {
        let seconds = json!({ "resolve": 0.0, "connect": 0.025, "wait": 0.05, "transfer": 0.025 });
        serde_json::from_value(seconds).unwrap()
    }

    #[test]
    fn the_phases_keep_their_order() {
        let text = serde_json::to_string(&seconds()).unwrap();
        let expected = r#"{"resolve":0.0,"connect":0.025,"wait":0.05,"transfer":0.025}"#;
        assert_eq!(text, expected);
        assert_eq!(
            (seconds().get("wait"), seconds().get("tls")),
            (Some(0.05), None)
        );
    }

    #[test]
    fn the_bars_stand_behind_one_another_and_are_to_scale() {
        let expected = [
            "  resolve            0.00 ms  ",
            "  connect           25.00 ms  ━━━━━",
            "  wait              50.00 ms       ━━━━━━━━━━",
            "  transfer          25.00 ms                 ━━━━━",
        ];
        let mut stage = Stage {
            targets: Vec::new(),
            width: INDENT + 20,
            color: false,
            utf8: true,
        };
        let text = seconds().bars(&stage);
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        stage.utf8 = false;
        assert_eq!(seconds().bars(&stage), text.replace('━', "#"));
    }
}
