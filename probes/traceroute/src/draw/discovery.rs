//! How are hops shown while they become known?
//!
//! A line for each: a star stands for silence, a question mark for what may still be heard.

use std::fmt::Write as _;

use leadsman_core::draw::milliseconds;

use super::notes::{told, translators};
use super::{INFALLIBLE, Names};
use crate::events::{Arrival, DISCOVERY, Hop, Said};

/// The hops of one target, by TTL, without gaps from the first that was asked.
#[derive(Default)]
pub(super) struct Discovered(Vec<Asked>);

/// One TTL.
struct Asked {
    ttl: u8,
    packets: u32,
    heard: Option<Box<Hop>>,
    is_silent: bool,
}

impl Discovered {
    pub(super) fn take(&mut self, said: Said) {
        match said {
            Said::Sent(sent) if sent.round == DISCOVERY => {
                if let Some(hop) = self.at(sent.ttl) {
                    hop.packets += 1;
                } else if self.is_next(sent.ttl) {
                    // Any other asks whether the target answers at all.
                    self.0.push(Asked {
                        ttl: sent.ttl,
                        packets: 1,
                        heard: None,
                        is_silent: false,
                    });
                }
            }
            Said::Hop(heard) if heard.round == DISCOVERY && heard.arrival != Arrival::Again => {
                if let Some(hop) = self.at(heard.ttl) {
                    hop.heard.get_or_insert(heard);
                }
            }
            Said::Silent(silent) => {
                if let Some(hop) = self.at(silent.ttl) {
                    hop.is_silent = true;
                }
            }
            _ => {}
        }
    }

    /// Adds its lines, none wider than `width`.
    pub(super) fn write(&self, names: &Names, width: usize, page: &mut String) {
        let shown = self.shown();
        let room = width.saturating_sub(LEAST_BESIDE);
        let who = |hop: &Asked| Some(names.shown(hop.heard.as_ref()?.from, room));
        let column = shown.iter().filter_map(who);
        let column = column.map(|who| who.chars().count()).max().unwrap_or(1);
        let heard = shown.iter().filter_map(|hop| hop.heard.as_deref());
        let translators = translators(heard);
        for hop in shown {
            let mut line = hop.line(&who(hop).unwrap_or_default(), column);
            if translators.contains(&hop.ttl) {
                line.push_str("  NAT");
            }
            page.extend(line.trim_end().chars().take(width));
            page.push('\n');
        }
    }

    fn at(&mut self, ttl: u8) -> Option<&mut Asked> {
        self.0.iter_mut().find(|hop| hop.ttl == ttl)
    }

    fn is_next(&self, ttl: u8) -> bool {
        self.0.last().is_none_or(|hop| hop.ttl + 1 == ttl)
    }

    /// Up to the target, or to who turns packets away, or to the farthest that was heard of and the
    /// first of the silence after.
    fn shown(&self) -> &[Asked] {
        let arrived = |hop: &Asked| hop.heard.as_ref().is_some_and(|hop| hop.arrived);
        let heard = self.0.iter().rposition(|hop| hop.heard.is_some());
        let end = self.0.iter().position(arrived);
        let end = match end.or_else(|| self.turned_away()) {
            Some(at) => at + 1,
            None => heard.map_or(1, |at| at + 2),
        };
        &self.0[..end.min(self.0.len())]
    }

    /// The first place of whoever answers for all that is farther: further TTLs are no further hops.
    fn turned_away(&self) -> Option<usize> {
        let heard = self.0.iter().enumerate().rev();
        let mut heard = heard.filter_map(|(at, hop)| Some((at, hop.heard.as_ref()?)));
        let (at, last) = heard.next().filter(|(_, hop)| hop.what.is_some())?;
        let same = |hop: &Hop| (hop.from, &hop.what) == (last.from, &last.what);
        let before = heard.take_while(|(_, hop)| same(hop)).last();
        Some(before.map_or(at, |(at, _)| at))
    }
}

impl Asked {
    fn line(&self, who: &str, column: usize) -> String {
        let mut line = format!("{:>3}  ", self.ttl);
        if let Some(hop) = &self.heard {
            write!(line, "{who:column$}  {:>7} ms", milliseconds(hop.rtt)).expect(INFALLIBLE);
        } else {
            line.push(if self.is_silent { '*' } else { '?' });
        }
        if self.packets > 1 {
            write!(line, "  (asked {} times)", self.packets).expect(INFALLIBLE);
        }
        for note in self.heard.iter().flat_map(|hop| told(hop)) {
            write!(line, "  {note}").expect(INFALLIBLE);
        }
        line
    }
}

/// Columns that the TTL and the round trip take.
const LEAST_BESIDE: usize = 18;
