//! How many descriptors may be open?
//!
//! Systems give a program few of them to begin with, for the sake of programs that use select(2), and
//! let it have more if it asks (`setrlimit(2)`). Programs in Go ask without being told to.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Has as many descriptors as the system lets a program have; returns how many.
pub(crate) fn raise() -> usize {
    let given = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: given.maximum,
        maximum: given.maximum,
    };
    let current = match setrlimit(Resource::Nofile, most) {
        Ok(()) => most.current,
        // Then what was given has to do.
        Err(error) => {
            debug!(%error, "cannot raise the limit of descriptors");
            given.current
        }
    };
    // None is no limit at all.
    current.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_be_had_is_had() {
        let limit = raise();
        let given = getrlimit(Resource::Nofile);
        assert_eq!(given.current, given.maximum);
        let given = given.current.map_or(usize::MAX, |limit| limit as usize);
        assert_eq!(limit, given);
        assert_eq!(raise(), limit);
    }
}
