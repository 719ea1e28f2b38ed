//! Which probes and responders does this program have?
//!
//! `inventory` gives what was linked in no order, with duplicates, and silently nothing on a
//! platform it does not know. A registry is sorted, free of duplicates and not empty.

use std::panic::Location;

use crate::options::closest;
use crate::{Plugin, ResponderPlugin};

/// The probes and responders of this program, each list sorted by name.
#[derive(Clone, Debug)]
pub struct Registry {
    probes: Vec<&'static Plugin>,
    responders: Vec<&'static ResponderPlugin>,
}

/// Why what was linked cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two descriptors bear one name.
    #[error("two {kind} are called {name:?}: at {first} and at {second}; link only one of them")]
    Duplicate {
        /// `probes`, `responders` or `commands`.
        kind: &'static str,
        /// The name of both.
        name: &'static str,
        /// File and line of one.
        first: &'static Location<'static>,
        /// File and line of the other.
        second: &'static Location<'static>,
    },
    /// No probe was linked at all.
    #[error(
        "this program contains no probe: name each plugin crate in code, as in `use your_probe as _;`"
    )]
    Empty,
}

impl Registry {
    /// Collects whatever was linked into this program.
    pub fn linked() -> Result<Self, RegistryError> {
        Self::of(
            inventory::iter::<Plugin>,
            inventory::iter::<ResponderPlugin>,
        )
    }

    /// Makes a registry of these descriptors.
    pub fn of(
        probes: impl IntoIterator<Item = &'static Plugin>,
        responders: impl IntoIterator<Item = &'static ResponderPlugin>,
    ) -> Result<Self, RegistryError> {
        let mut probes: Vec<_> = probes.into_iter().collect();
        let mut responders: Vec<_> = responders.into_iter().collect();
        // By place as well as name, so that a complaint is the same at every start.
        probes.sort_by_key(|p| (p.name(), p.declared_at()));
        responders.sort_by_key(|r| (r.name(), r.declared_at()));
        let of_probes = probes
            .iter()
            .filter_map(|p| p.by_hand().map(|command| (command.name, p.declared_at())));
        let of_responders = responders
            .iter()
            .filter_map(|r| r.by_hand().map(|command| (command.name, r.declared_at())));
        let mut commands: Vec<_> = of_probes.chain(of_responders).collect();
        commands.sort_unstable();
        unique("probes", probes.iter().map(|p| (p.name(), p.declared_at())))?;
        unique(
            "responders",
            responders.iter().map(|r| (r.name(), r.declared_at())),
        )?;
        unique("commands", commands.into_iter())?;
        if probes.is_empty() {
            Err(RegistryError::Empty)
        } else {
            Ok(Self { probes, responders })
        }
    }

    /// The probes, sorted by name.
    pub fn probes(&self) -> &[&'static Plugin] {
        &self.probes
    }

    /// The responders, sorted by name.
    pub fn responders(&self) -> &[&'static ResponderPlugin] {
        &self.responders
    }

    /// The probe of this name.
    pub fn probe(&self, name: &str) -> Option<&'static Plugin> {
        let at = self.probes.binary_search_by(|p| p.name().cmp(name)).ok()?;
        Some(self.probes[at])
    }

    /// The responder of this name.
    pub fn responder(&self, name: &str) -> Option<&'static ResponderPlugin> {
        let at = self
            .responders
            .binary_search_by(|r| r.name().cmp(name))
            .ok()?;
        Some(self.responders[at])
    }

    /// The name of the probe that may have been meant by a name that no probe bears.
    pub fn probe_like(&self, name: &str) -> Option<&'static str> {
        closest(name, self.probes.iter().map(|p| p.name()))
    }
}

fn unique(
    kind: &'static str,
    sorted: impl Iterator<Item = (&'static str, &'static Location<'static>)>,
) -> Result<(), RegistryError> {
    let mut last: Option<(&'static str, &'static Location<'static>)> = None;
    for (name, second) in sorted {
        match last {
            Some((before, first)) if before == name => {
                return Err(RegistryError::Duplicate {
                    kind,
                    name,
                    first,
                    second,
                });
            }
            _ => last = Some((name, second)),
        }
    }
    Ok(())
}
