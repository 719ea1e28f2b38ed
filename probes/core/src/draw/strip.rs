//! How did the recent requests to a host go, at a glance?
//!
//! A character for each, the latest on the right: the higher the block, the longer the round trip.
//! One scale serves all hosts of a table. It is logarithmic, for hosts near and far share it, and
//! it never spreads a little noise over its whole height. Without UTF-8 digits stand for the blocks.

use std::collections::VecDeque;
use std::time::Duration;

use super::{milliseconds, red};

/// What is shown of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// It has not ended.
    Waiting,
    /// It was answered after this time.
    Reply(Duration),
    /// It was not.
    Lost,
    /// Somebody said that it could not be.
    Error,
    /// Nothing is known of it, by a fault of this host.
    Unknown,
    /// This host did not send it.
    NotSent,
}

/// The recent requests to one host.
#[derive(Debug, Default)]
pub struct Strip {
    /// Sequence number of the first one kept.
    first: u64,
    marks: VecDeque<Mark>,
}

impl Strip {
    /// A request was sent; they are told in ascending order.
    pub fn sent(&mut self, sequence: u64) {
        if self.marks.len() == WIDEST_STRIP {
            self.marks.pop_front();
            self.first += 1;
        }
        if self.first + self.marks.len() as u64 != sequence {
            self.marks.clear();
            self.first = sequence;
        }
        self.marks.push_back(Mark::Waiting);
    }

    /// A request has ended; one that is not kept any more is ignored.
    pub fn ended(&mut self, sequence: u64, mark: Mark) {
        let place = sequence.checked_sub(self.first);
        let place = place.and_then(|place| self.marks.get_mut(usize::try_from(place).ok()?));
        if let Some(place) = place {
            *place = mark;
        }
    }

    /// The last `width` of them, on as many columns.
    pub fn drawn(&self, width: usize, scale: &Scale, color: bool) -> String {
        let shown = self.recent(width);
        let empty = " ".repeat(width.saturating_sub(shown.len()));
        let glyphs = shown.map(|mark| match mark {
            Mark::Waiting => " ".to_owned(),
            Mark::Reply(rtt) => scale.glyph(*rtt).to_string(),
            Mark::Lost => red("x", color),
            Mark::Error => red("!", color),
            Mark::Unknown => "?".to_owned(),
            Mark::NotSent => "-".to_owned(),
        });
        empty + &glyphs.collect::<String>()
    }

    /// The round trips among the last `width`.
    pub fn replies(&self, width: usize) -> impl Iterator<Item = Duration> {
        self.recent(width).filter_map(|mark| match mark {
            Mark::Reply(rtt) => Some(*rtt),
            _ => None,
        })
    }

    fn recent(&self, width: usize) -> impl ExactSizeIterator<Item = &Mark> {
        self.marks.range(self.marks.len().saturating_sub(width)..)
    }
}

/// Which round trip has which height.
#[derive(Debug)]
pub struct Scale {
    glyphs: [char; LEVELS],
    /// The shortest round trip, in seconds.
    bottom: f64,
    /// How many times longer a round trip one level higher is.
    factor: f64,
}

impl Scale {
    /// A scale for these round trips.
    pub fn of(trips: impl Iterator<Item = Duration>, utf8: bool) -> Self {
        let (mut bottom, mut top) = (f64::INFINITY, 0.0_f64);
        for trip in trips {
            let seconds = trip.as_secs_f64().max(1e-9);
            (bottom, top) = (bottom.min(seconds), top.max(seconds));
        }
        let spread = (top / bottom).powf(1.0 / LEVELS as f64);
        Self {
            glyphs: if utf8 { BLOCKS } else { DIGITS },
            bottom,
            factor: spread.max(LEAST_FACTOR),
        }
    }

    /// What the lowest and the highest glyph stand for, in milliseconds; empty while there is no
    /// round trip.
    pub fn legend(&self) -> String {
        if self.bottom.is_infinite() {
            return String::new();
        }
        let ends = [0, LEVELS - 1].map(|level| {
            let from = self.bottom * self.factor.powf(level as f64);
            let from = milliseconds(Duration::from_secs_f64(from));
            format!("{}:{from}", self.glyphs[level])
        });
        ends.join(" ")
    }

    fn glyph(&self, rtt: Duration) -> char {
        let above = (rtt.as_secs_f64() / self.bottom).ln() / self.factor.ln();
        // Less than nothing is the lowest level, too: the cast is saturating.
        self.glyphs[(above as usize).min(LEVELS - 1)]
    }
}

const LEVELS: usize = 8;
const BLOCKS: [char; LEVELS] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const DIGITS: [char; LEVELS] = ['1', '2', '3', '4', '5', '6', '7', '8'];

/// So that a strip as high as it can be shows round trips that differ at least fivefold.
const LEAST_FACTOR: f64 = 1.25;

/// Requests that are kept, and so the most that are shown.
pub const WIDEST_STRIP: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    use Mark::{Error, Lost, NotSent, Unknown, Waiting};

    fn us(us: u64) -> Mark {
        Mark::Reply(Duration::from_micros(us))
    }

    /// Requests that ended like this, drawn on so many columns.
    #[track_caller]
    fn check(marks: &[Mark], width: usize, utf8: bool, expected: &str) {
        let mut strip = Strip::default();
        for (sequence, mark) in (1..).zip(marks) {
            strip.sent(sequence);
            strip.ended(sequence, *mark);
        }
        let scale = Scale::of(strip.replies(width), utf8);
        assert_eq!(strip.drawn(width, &scale, false), expected);
    }

    #[test]
    fn the_height_is_that_of_the_round_trip() {
        let trips = [1, 2, 4, 8, 16, 32, 64, 128, 255].map(|n| us(100 * n));
        check(&trips, 9, true, "▁▂▃▄▅▆▇██");
        check(&trips, 9, false, "123456788");
        check(&[us(500), us(500)], 3, true, " ▁▁");
        check(&[us(500), us(550), us(640), us(800)], 4, true, "▁▁▂▃");
    }

    #[test]
    fn what_is_no_reply_has_a_mark_of_its_own() {
        let marks = [us(0), Lost, Error, Unknown, NotSent, Waiting];
        check(&marks, 7, true, " ▁x!?- ");
        check(&[Lost], 2, true, " x");
        check(&[], 2, true, "  ");
    }

    #[test]
    fn only_the_latest_are_shown_and_scaled_and_few_are_kept() {
        check(&[us(1), us(1), us(9_000), us(9_000)], 2, true, "▁▁");
        let many: Vec<_> = (0..200)
            .map(|n| if n < 199 { us(5) } else { Lost })
            .collect();
        check(&many, 3, true, "▁▁x");
        let mut strip = Strip::default();
        for sequence in 0..200 {
            strip.sent(sequence);
        }
        strip.ended(0, Lost);
        assert_eq!(strip.marks.len(), WIDEST_STRIP);
        assert!(strip.marks.iter().all(|mark| *mark == Waiting));
    }

    #[test]
    fn the_legend_says_where_the_lowest_and_the_highest_begin() {
        let trips = [100, 25_600].map(Duration::from_micros);
        let legend = Scale::of(trips.into_iter(), true).legend();
        assert_eq!(legend, "▁:0.100 █:12.8");
        assert_eq!(Scale::of([].into_iter(), true).legend(), "");
    }
}
