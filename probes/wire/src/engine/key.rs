//! How are destinations and requests named?

/// Names a destination that was taken in; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl PeerKey {
    pub(crate) const NOBODY: Self = Self {
        index: u32::MAX,
        generation: 0,
    };

    /// Returns a small number that no other destination has for as long as this one is taken in.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// Returns a number that no other destination ever has.
    pub(crate) const fn number(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Which of so many identifiers it has.
    pub(super) fn page(self, identifiers: u32) -> u16 {
        (self.index % identifiers) as u16
    }
}

/// Names a request while it may be answered: which identifier of the block, and sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u32);

impl Key {
    pub(crate) const fn new(page: u16, sequence: u16) -> Self {
        Self((page as u32) << 16 | sequence as u32)
    }

    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number under which the kernel may return the stamp of the departure.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// Which identifier or source port of the block it is.
    pub(crate) const fn page(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Returns the sequence number on the wire.
    pub const fn sequence(self) -> u16 {
        self.0 as u16
    }
}
