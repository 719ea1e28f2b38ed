//! How does a lane's thread rest, and how much comes meanwhile?
//!
//! Decides nothing about packets, and waits for nothing itself.

use std::time::Duration;

use crate::clock::Stamp;

/// How a thread rests, and until when at most.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rest {
    /// Nothing is to end it.
    Nap(Stamp),
    /// Packets and requests end it.
    Listen(Stamp),
    /// Requests end it: what comes late or again is in no haste.
    Sleep(Stamp),
}

impl Rest {
    /// Whether something ends this rest that does not end `other`.
    pub(super) fn is_less_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Sleep(_), _) => false,
            (Self::Listen(_), Self::Sleep(_)) => true,
            _ => self.end() < other.end(),
        }
    }

    fn end(self) -> Stamp {
        let (Self::Nap(until) | Self::Listen(until) | Self::Sleep(until)) = self;
        until
    }
}

/// How much comes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    packets: usize,
    since: Stamp,
    pub(super) is_heavy: bool,
}

impl Traffic {
    pub(super) fn saw(&mut self, packets: usize, now: Stamp) {
        self.packets += packets;
        let time = now.since(self.since);
        if time >= SEEN {
            let each = time.checked_div(self.packets as u32);
            *self = Self {
                packets: 0,
                since: now,
                is_heavy: each.is_some_and(|each| each < HEAVY),
            };
        }
    }
}

/// Traffic is heavy while packets come faster than this, over [`SEEN`].
const HEAVY: Duration = Duration::from_millis(2);
const SEEN: Duration = Duration::from_millis(20);
