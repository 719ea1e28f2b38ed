//! How is a trace shown to a person?
//!
//! While the path is being found, a line for each hop; then a table with the figures of all rounds.
//! Both are drawn anew in place, and below each other where there are several targets.

mod branches;
mod course;
mod discovery;
mod figures;
mod mtu;
mod notes;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use leadsman_core::draw::{Draw, Stage, milliseconds, red};
use leadsman_core::{Event, Run, Word};
use serde_json::{Map, Value};

use self::branches::Branching;
use self::course::Course;
use self::discovery::Discovered;
use crate::events::sounding::PathMtu;
use crate::events::{Router, Said, Sent, branching};

/// A drawing for as many traces as there are targets on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    let traces = stage.targets.iter().map(|_| Trace::default()).collect();
    Box::new(Drawing { stage, traces })
}

struct Drawing {
    stage: Stage,
    traces: Vec<Trace>,
}

/// What is known of one target.
#[derive(Default)]
struct Trace {
    /// A packet, of which all are alike.
    asked: Option<Sent>,
    /// When the first one left, on the clock of the events.
    begun: Option<Duration>,
    discovered: Discovered,
    course: Course,
    names: Names,
    /// Why this host cannot send, if it cannot.
    refusal: Option<String>,
    /// How it ended.
    last: Option<String>,
    /// Whether there is nothing more to come.
    is_over: bool,
    branching: Branching,
    mtu: Option<PathMtu>,
}

/// Who it is that answered, as far as that is known.
#[derive(Default)]
struct Names(BTreeMap<IpAddr, Known>);

#[derive(Default)]
struct Known {
    name: Option<String>,
    /// The number of its autonomous system.
    system: Option<u32>,
}

impl Draw for Drawing {
    fn event(&mut self, target: usize, event: &Event, _: &mut String) {
        if let Some(said) = Said::of(event) {
            let at = event.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.traces[target].take(said, at);
        } else if let Some(said) = branching::Said::of(event) {
            self.traces[target].branching.take(said);
        } else if let Some(mtu) = PathMtu::of(event) {
            self.traces[target].mtu = Some(mtu);
        }
    }

    fn finished(&mut self, target: usize, run: &Run, _: &mut String) {
        let trace = &mut self.traces[target];
        trace.is_over = true;
        if let Err(fault) = &run.result {
            trace.last = Some(red(&fault.to_string(), self.stage.color));
        }
    }

    fn resized(&mut self, width: usize) {
        self.stage.width = width;
    }

    fn table(&self) -> Option<String> {
        let mut page = String::new();
        for (trace, target) in self.traces.iter().zip(&self.stage.targets) {
            trace.write(&target.address, &self.stage, &mut page);
        }
        Some(page)
    }

    fn figures(&self, target: usize) -> Map<String, Value> {
        let trace = &self.traces[target];
        figures::figures(&trace.course, &trace.names)
    }

    fn summary(&mut self, _: &mut String) {}
}

impl Trace {
    /// Takes in what was said `at` a time on the clock of the events.
    fn take(&mut self, said: Said, at: Duration) {
        match &said {
            Said::Sent(sent) => {
                self.begun.get_or_insert(at);
                self.asked = Some(sent.clone());
            }
            Said::Ended(ended) => {
                let packets = ended.packets;
                let how = match ended.hops {
                    Some(1) => "reached in 1 hop".to_owned(),
                    Some(hops) => format!("reached in {hops} hops"),
                    None => ended.result.to_string(),
                };
                // What follows, such as looking up names, is no part of it.
                let took = at.saturating_sub(self.begun.unwrap_or(at));
                let took = milliseconds(took);
                self.last = Some(format!("{how}: {packets} packets, {took} ms"));
            }
            Said::Router(router) => self.names.learn(router),
            Said::NotSent(not_sent) => self.refusal = Some(not_sent.error.clone()),
            Said::Round(_) => self.refusal = None,
            _ => {}
        }
        self.course.take(&said, at);
        self.discovered.take(said);
    }

    fn write(&self, target: &str, stage: &Stage, page: &mut String) {
        write!(page, "TRACE {target}").expect(INFALLIBLE);
        if let Some(sent) = &self.asked {
            let protocol = sent.protocol.to_uppercase();
            write!(page, " ({}), {} bytes of {protocol}", sent.to, sent.bytes).expect(INFALLIBLE);
            if let Some(port) = sent.port {
                write!(page, " to port {port}").expect(INFALLIBLE);
            }
        }
        if self.course.round > 0 {
            writeln!(page, ", {}", self.rounds()).expect(INFALLIBLE);
            table::write(&self.course, &self.names, stage, page);
        } else {
            page.push('\n');
            self.discovered.write(&self.names, stage.width, page);
        }
        let last = self.last.iter();
        let last = last.filter(|_| self.course.round == 0 || !self.course.is_reached());
        for line in last.chain(&self.refusal) {
            page.extend([line.as_str(), "\n"]);
        }
        if let Some(found) = &self.mtu {
            mtu::write(found, stage.width, page);
        }
        self.branching.write(stage, page);
    }

    /// The round that is under way; how many there were once it is over.
    fn rounds(&self) -> String {
        match self.course.round {
            round if !self.is_over => format!("round {round}"),
            1 => "1 round".to_owned(),
            rounds => format!("{rounds} rounds"),
        }
    }
}

impl Names {
    fn learn(&mut self, router: &Router) {
        let known = self.0.entry(router.address).or_default();
        if let Some(name) = &router.name {
            // Whoever owns the address may have written anything.
            known.name = Some(Word(name).to_string());
        }
        known.system = known.system.or(router.system);
    }

    fn name(&self, address: IpAddr) -> Option<&String> {
        self.0.get(&address)?.name.as_ref()
    }

    /// `AS64500`.
    fn system(&self, address: IpAddr) -> Option<String> {
        let system = self.0.get(&address)?.system?;
        Some(format!("AS{system}"))
    }

    /// An address behind its name, if there is room for both in so many columns; else the name.
    fn shown(&self, address: IpAddr, width: usize) -> String {
        let Some(name) = self.name(address) else {
            return address.to_string();
        };
        let both = format!("{name} ({address})");
        if both.chars().count() <= width {
            both
        } else {
            name.clone()
        }
    }
}

/// A share of 1 in percent, with a decimal where it has one: `0%`, `33.3%`.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// Writing to a `String` cannot fail.
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests;
