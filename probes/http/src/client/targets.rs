//! Which URL is a target that was asked for before?
//!
//! Whoever asks over the network asks for the same few targets again and again, and each time a probe
//! is aimed anew; to read its URL costs a twentieth of the whole run. What was made of such a target
//! is kept. A target of the schedule is read once, and is not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use leadsman_core::{OptionsError, Target};
use url::Url;

use super::target;

/// URLs by the addresses that they were read from.
#[derive(Debug, Default)]
pub(crate) struct Targets(Mutex<HashMap<Box<str>, Arc<Url>>>);

impl Targets {
    /// The URL of a target.
    pub(crate) fn url(&self, target: &Target) -> Result<Arc<Url>, OptionsError> {
        let address = &target.address;
        if !target.foreign || address.len() > LONGEST {
            return target::url(address).map(Arc::new);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(url) = known.get(address) {
            return Ok(Arc::clone(url));
        }
        let url = Arc::new(target::url(address)?);
        if known.len() == MOST {
            known.clear();
        }
        known.insert(address.clone(), Arc::clone(&url));
        Ok(url)
    }
}

/// Targets that are kept, with those of a length that strangers choose about a megabyte.
const MOST: usize = 2048;

/// Bytes of the longest address that is kept.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for(address: impl Into<Box<str>>) -> Target {
        Target {
            foreign: true,
            ..Target::new(address)
        }
    }

    #[test]
    fn only_what_strangers_ask_for_is_kept_and_only_so_much_of_it() {
        let targets = Targets::default();
        let kept = || targets.0.lock().unwrap().len();
        let long = "a".repeat(LONGEST + 1);
        targets.url(&Target::new("a.test")).unwrap();
        targets.url(&asked_for(long)).unwrap();
        targets.url(&asked_for("ftp://a.test")).unwrap_err();
        assert_eq!(kept(), 0);
        let first = targets.url(&asked_for("a.test")).unwrap();
        assert_eq!(first.as_str(), "http://a.test/");
        let again = targets.url(&asked_for("a.test")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        for number in 0..2 * MOST {
            let url = targets.url(&asked_for(number.to_string())).unwrap();
            assert_eq!(*url, target::url(&number.to_string()).unwrap());
            assert!(kept() <= MOST);
        }
    }
}
