//! Where does the configuration come from, at the start and at each reload?
//!
//! From a file, or from the demonstration where there is none. A few flags have the last word, at a
//! reload as well, so that a service file means the same after it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use leadsman_core::Registry;
use leadsman_core::options::Period;

use crate::config::{Config, Problems};
use crate::demonstration;

/// Where the configuration comes from, and what flags change in it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    origin: Origin,
    /// In place of `web.timeout_offset`.
    pub(crate) timeout_offset: Option<Duration>,
    /// In place of `web.history`.
    pub(crate) history: Option<usize>,
}

#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    Demonstration,
}

impl Source {
    /// Takes the file named, else `leadsman.yml` in the working directory, else the demonstration.
    pub(crate) fn choose(named: Option<PathBuf>) -> Self {
        let usual = PathBuf::from(USUAL);
        let origin = match named {
            Some(path) => Origin::File(path),
            None if usual.exists() => Origin::File(usual),
            None => Origin::Demonstration,
        };
        Self {
            origin,
            timeout_offset: None,
            history: None,
        }
    }

    /// Reads the configuration, and the warnings about it. Blocks on the file.
    pub(crate) fn read(&self, registry: &Registry) -> Result<(Config, Problems), Problems> {
        let (mut config, warnings) = match &self.origin {
            Origin::File(path) => Config::load(path, registry)?,
            Origin::Demonstration => Config::parse(
                "demonstration",
                &demonstration::configuration(registry),
                registry,
            )?,
        };
        if let Some(offset) = self.timeout_offset {
            config.web.timeout_offset = Period(offset);
        }
        if let Some(history) = self.history {
            config.web.history = history;
        }
        Ok((config, warnings))
    }

    /// Whether it is the demonstration.
    pub(crate) fn is_demonstration(&self) -> bool {
        matches!(self.origin, Origin::Demonstration)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Demonstration => f.write_str("the built-in demonstration"),
        }
    }
}

/// The file that is taken from the working directory where none is named.
const USUAL: &str = "leadsman.yml";
