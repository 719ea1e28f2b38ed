//! How is a trace shown to a person?
//!
//! A line for each hop below a line for the target, drawn anew in place as hops become known: a
//! star stands for silence, a question mark for what may still be heard.

mod branches;
mod mtu;

use std::fmt::Write as _;
use std::time::Duration;

use leadsman_core::draw::{Draw, Stage};
use leadsman_core::{Event, Run, Word};

use self::branches::Branching;
use crate::events::sounding::PathMtu;
use crate::events::{Hop, Said, Sent, branching};
use crate::quote::first_changed;

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
    /// By TTL, without gaps from the first that was asked.
    hops: Vec<Asked>,
    /// How it ended.
    last: Option<String>,
    branching: Branching,
    mtu: Option<PathMtu>,
}

/// One TTL.
struct Asked {
    ttl: u8,
    packets: u32,
    heard: Option<Box<Hop>>,
    is_silent: bool,
}

impl Draw for Drawing {
    fn event(&mut self, target: usize, event: &Event, _: &mut String) {
        if let Some(said) = Said::of(event) {
            self.traces[target].take(said);
        } else if let Some(said) = branching::Said::of(event) {
            self.traces[target].branching.take(said);
        } else if let Some(mtu) = PathMtu::of(event) {
            self.traces[target].mtu = Some(mtu);
        }
    }

    fn finished(&mut self, target: usize, run: &Run, _: &mut String) {
        let trace = &mut self.traces[target];
        if let Err(fault) = &run.result {
            let fault = fault.to_string();
            trace.last = Some(if self.stage.color {
                format!("\x1b[31m{fault}\x1b[0m")
            } else {
                fault
            });
        } else if let Some(last) = &mut trace.last {
            let ms = milliseconds(run.duration);
            write!(last, ", {ms} ms").expect(INFALLIBLE);
        }
    }

    fn table(&self) -> Option<String> {
        let mut page = String::new();
        for (trace, target) in self.traces.iter().zip(&self.stage.targets) {
            trace.write(&target.address, self.stage.width, &mut page);
            if let Some(found) = &trace.mtu {
                mtu::write(found, self.stage.width, &mut page);
            }
            trace.branching.write(&self.stage, &mut page);
        }
        Some(page)
    }

    fn summary(&mut self, _: &mut String) {}
}

impl Trace {
    fn take(&mut self, said: Said) {
        match said {
            Said::Sent(sent) => {
                if let Some(hop) = self.at(sent.ttl) {
                    hop.packets += 1;
                } else if self.is_next(sent.ttl) {
                    // Any other asks whether the target answers at all.
                    self.hops.push(Asked {
                        ttl: sent.ttl,
                        packets: 1,
                        heard: None,
                        is_silent: false,
                    });
                }
                self.asked = Some(sent);
            }
            Said::Hop(heard) => {
                if let Some(hop) = self.at(heard.ttl) {
                    hop.heard.get_or_insert(heard);
                }
            }
            Said::Silent(silent) => {
                if let Some(hop) = self.at(silent.ttl) {
                    hop.is_silent = true;
                }
            }
            Said::Ended(ended) => {
                let packets = ended.packets;
                self.last = Some(match ended.hops {
                    Some(hops) => format!("reached in {hops} hops: {packets} packets"),
                    None => format!("{}: {packets} packets", ended.result),
                });
            }
        }
    }

    fn at(&mut self, ttl: u8) -> Option<&mut Asked> {
        self.hops.iter_mut().find(|hop| hop.ttl == ttl)
    }

    fn is_next(&self, ttl: u8) -> bool {
        self.hops.last().is_none_or(|hop| hop.ttl + 1 == ttl)
    }

    fn write(&self, name: &str, width: usize, page: &mut String) {
        write!(page, "TRACE {name}").expect(INFALLIBLE);
        if let Some(sent) = &self.asked {
            let protocol = sent.protocol.to_uppercase();
            write!(page, " ({}), {} bytes of {protocol}", sent.to, sent.bytes).expect(INFALLIBLE);
            if let Some(port) = sent.port {
                write!(page, " to port {port}").expect(INFALLIBLE);
            }
        }
        page.push('\n');
        let shown = self.shown();
        let addresses = shown.iter().filter_map(|hop| hop.heard.as_ref());
        let column = addresses.map(|hop| hop.from.to_string().len()).max();
        let translators = translators(shown);
        for hop in shown {
            let mut line = hop.line(column.unwrap_or(1));
            if translators.contains(&hop.ttl) {
                line.push_str("  NAT");
            }
            page.extend(line.trim_end().chars().take(width));
            page.push('\n');
        }
        if let Some(last) = &self.last {
            writeln!(page, "{last}").expect(INFALLIBLE);
        }
    }

    /// Up to the target, or to the farthest that was heard of and the first of the silence after.
    fn shown(&self) -> &[Asked] {
        let arrived = |hop: &Asked| hop.heard.as_ref().is_some_and(|hop| hop.arrived);
        let heard = self.hops.iter().rposition(|hop| hop.heard.is_some());
        let end = match self.hops.iter().position(arrived) {
            Some(at) => at + 1,
            None => heard.map_or(1, |at| at + 2),
        };
        &self.hops[..end.min(self.hops.len())]
    }
}

impl Asked {
    fn line(&self, column: usize) -> String {
        let mut line = format!("{:>3}  ", self.ttl);
        let Some(hop) = &self.heard else {
            line.push(if self.is_silent { '*' } else { '?' });
            if self.packets > 1 {
                write!(line, "  (asked {} times)", self.packets).expect(INFALLIBLE);
            }
            return line;
        };
        let from = hop.from.to_string();
        write!(line, "{from:column$}  {:>7} ms", milliseconds(hop.rtt)).expect(INFALLIBLE);
        if self.packets > 1 {
            write!(line, "  (asked {} times)", self.packets).expect(INFALLIBLE);
        }
        if let Some(what) = &hop.what {
            write!(line, "  {what}").expect(INFALLIBLE);
        }
        if let Some(port) = &hop.port {
            write!(line, "  port {port}").expect(INFALLIBLE);
        }
        let unusual = |ttl: &u8| *ttl != 1 && hop.what.is_none() && !hop.arrived;
        if let Some(ttl) = hop.quoted_ttl.filter(unusual) {
            write!(line, "  ttl {ttl}").expect(INFALLIBLE);
        }
        if let Some(tos) = hop.changed_tos {
            write!(line, "  tos {tos:#04x}").expect(INFALLIBLE);
        }
        for label in &hop.labels {
            write!(line, "  MPLS {} ttl {}", label.number, label.ttl).expect(INFALLIBLE);
        }
        for interface in &hop.interfaces {
            if let Some(name) = &interface.name {
                write!(line, "  {} {}", interface.role, Word(name)).expect(INFALLIBLE);
            }
        }
        line
    }
}

/// TTLs before whose routers there is another translator of addresses than before those nearer.
fn translators(hops: &[Asked]) -> Vec<u8> {
    let heard = hops.iter().filter_map(|hop| hop.heard.as_ref());
    // An answer that quotes nothing shows no translator.
    let quoting = heard.filter(|hop| hop.quoted_ttl.is_some());
    first_changed(quoting.map(|hop| (hop.ttl, hop.translated.clone())))
}

/// Milliseconds with as many decimals as ping(8) shows: three digits count.
fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let decimals = match ms {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// Writing to a `String` cannot fail.
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests;
