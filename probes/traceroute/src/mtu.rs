//! How large a packet gets through to the target undivided?
//!
//! The largest that fits the first link is tried, then whatever the router that refuses it says
//! fits (RFC 1191, RFC 8201). A router older than that says nothing: then the next usual size is
//! tried, and from there the search halves what is left. So it does where large packets vanish
//! without a word, which is a black hole (RFC 2923, section 2.1; RFC 8899, section 3): something
//! on the way drops the error messages.
//!
//! A lost packet is tried three times, the last two together. One size at a time is tried, for
//! what comes next depends on what became of it.

mod depth;

use std::net::IpAddr;
use std::time::Duration;

pub use self::depth::{Depth, DepthStep};

/// A search for the path MTU. Sizes are those of whole IP packets, in bytes.
#[derive(Debug)]
pub struct MtuSearch {
    bounds: Bounds,
    wait: Duration,
    /// The largest size that arrived, 0 at first.
    fits: u32,
    /// The smallest size known not to fit.
    too_big: u32,
    trial: Trial,
    black_hole: bool,
    reports: Vec<Report>,
    outcome: Option<Outcome>,
}

/// Sizes that are given beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What every link must carry: 68 (RFC 791, p. 25) or 1,280 (RFC 8200, section 5). A router
    /// that says less is not believed.
    pub least: u32,
    /// What is tried when large packets vanish: 576 over IPv4, 1,280 over IPv6.
    pub base: u32,
    /// The MTU of the first link.
    pub most: u32,
}

impl Bounds {
    /// For packets to `target`; what the first link carries is not known.
    pub const fn of(target: IpAddr) -> Self {
        match target {
            IpAddr::V4(_) => Self::v4(MOST),
            IpAddr::V6(_) => Self::v6(MOST),
        }
    }

    /// For IPv4, over a first link with this MTU.
    pub const fn v4(most: u32) -> Self {
        let (least, base) = (68, 576);
        Self { least, base, most }
    }

    /// For IPv6, over a first link with this MTU.
    pub const fn v6(most: u32) -> Self {
        let (least, base) = (1280, 1280);
        Self { least, base, most }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MtuStep {
    /// Send a packet of this size that may not be fragmented, then ask again at once.
    Send(u32),
    /// There is nothing to do before this time unless something is heard.
    Wait(Duration),
    /// The search is over.
    Done,
}

/// A router that refused a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The router before the narrow link.
    pub from: IpAddr,
    /// The size that it refused.
    pub refused: u32,
    /// What it says fits; `None` from routers older than RFC 1191.
    pub mtu: Option<u32>,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The largest packet that gets through.
    Found {
        /// Its size, or how much is sure to fit if the target stopped answering meanwhile.
        mtu: u32,
        /// Whether larger ones vanish without a word.
        black_hole: bool,
    },
    /// Not even the smallest packet that was tried was answered.
    Unanswered,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    size: u32,
    tries: u32,
    sent: Duration,
}

impl MtuSearch {
    /// Prepares a search within `bounds`; an answer is waited for so long.
    pub fn new(bounds: Bounds, wait: Duration) -> Self {
        Self {
            bounds,
            wait,
            fits: 0,
            too_big: bounds.most.saturating_add(1),
            trial: Trial::of(bounds.most),
            black_hole: false,
            reports: Vec::new(),
            outcome: None,
        }
    }

    /// Says what to do next.
    pub fn poll(&mut self, now: Duration) -> MtuStep {
        let Trial { size, tries, sent } = self.trial;
        let end = sent + self.wait;
        if self.outcome.is_none() && tries == TRIES && end <= now {
            self.vanished(size);
        }
        if self.outcome.is_some() {
            return MtuStep::Done;
        }
        // The second and third leave together.
        if self.trial.tries == 0 || self.trial.tries == 2 || (self.trial.tries == 1 && end <= now) {
            self.trial.tries += 1;
            self.trial.sent = now;
            return MtuStep::Send(self.trial.size);
        }
        MtuStep::Wait(end)
    }

    /// A packet of this size arrived.
    pub fn arrived(&mut self, size: u32) {
        if self.outcome.is_some() || size <= self.fits {
            return;
        }
        self.fits = size;
        self.too_big = self.too_big.max(size.saturating_add(1));
        if size >= self.trial.size {
            self.go_on();
        }
    }

    /// A router refused a packet of this size.
    pub fn refused(&mut self, report: Report) {
        let Report { refused, mtu, .. } = report;
        if self.outcome.is_some() || refused >= self.too_big || refused <= self.fits {
            return;
        }
        self.reports.push(report);
        self.too_big = refused;
        let believable = self.bounds.least.max(self.fits + 1)..refused;
        match mtu.filter(|mtu| believable.contains(mtu)) {
            Some(mtu) => {
                self.too_big = mtu + 1;
                self.trial = Trial::of(mtu);
            }
            None => self.try_usual(),
        }
    }

    /// The system did not send a packet of this size, for the first link carries no more than
    /// `believed`: but that may be what it has learnt of the path earlier, which is tried and no
    /// more.
    pub fn refused_here(&mut self, size: u32, believed: Option<u32>) {
        if self.outcome.is_some() || size >= self.too_big || size <= self.fits {
            return;
        }
        self.too_big = size;
        let believed = believed.filter(|mtu| (self.fits + 1..size).contains(mtu));
        match believed {
            Some(mtu) => self.trial = Trial::of(mtu),
            None => self.go_on(),
        }
    }

    /// How it ended; `None` until [`MtuSearch::poll`] has said [`MtuStep::Done`].
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// The routers that refused packets, in order: each is before a narrower link than the last.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    fn vanished(&mut self, size: u32) {
        if self.fits == 0 && size <= self.bounds.base {
            self.outcome = Some(Outcome::Unanswered);
            return;
        }
        self.black_hole = true;
        self.too_big = size;
        self.go_on();
    }

    /// After a refusal that did not say what fits.
    fn try_usual(&mut self) {
        let usual = USUAL_SIZES.into_iter();
        let mut usual = usual.filter(|usual| *usual < self.too_big && *usual >= self.bounds.least);
        match usual.next().filter(|usual| *usual > self.fits) {
            Some(size) => self.trial = Trial::of(size),
            None => self.go_on(),
        }
    }

    /// Halves what is left, once anything is known to fit.
    fn go_on(&mut self) {
        let left = self.too_big - self.fits;
        if left == 1 {
            let (mtu, black_hole) = (self.fits, self.black_hole);
            self.outcome = Some(Outcome::Found { mtu, black_hole });
        } else if self.fits == 0 {
            self.trial = Trial::of(self.bounds.base.min(self.too_big - 1));
        } else {
            self.trial = Trial::of(self.fits + left / 2);
        }
    }
}

impl Trial {
    fn of(size: u32) -> Self {
        let (tries, sent) = (0, Duration::ZERO);
        Self { size, tries, sent }
    }
}

/// A packet that was lost so often by chance is rare; RFC 8899 calls it `MAX_PROBES`.
const TRIES: u32 = 3;

/// The largest IPv4 packet (RFC 791, p. 12), and as large an IPv6 packet.
const MOST: u32 = 65_535;

/// The plateaus of RFC 1191, section 7.1.
const USUAL_SIZES: [u32; 11] = [
    65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68,
];

#[cfg(test)]
mod tests;
