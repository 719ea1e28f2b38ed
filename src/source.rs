//! Where does the configuration come from, at the start and at each reload?
//!
//! From a file, or from the demonstration where there is none. A few flags have the last word, at a
//! reload as well, so that a service file means the same after it. So has where the program listens
//! by then, which it does not change before its next start.

use std::fmt;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use leadsman_core::Registry;
use leadsman_core::options::Period;
use tracing::warn;

use crate::config::{Address, Compatibility, Config, Digest, Listen, Problems};
use crate::demonstration::Demonstration;

/// Where the configuration comes from, and what flags change in it.
#[derive(Debug)]
pub(crate) struct Source {
    origin: Origin,
    /// In place of `web.listen`, unless it is empty.
    pub(crate) listen: Vec<Address>,
    /// In place of `web.timeout_offset`.
    pub(crate) timeout_offset: Option<Duration>,
    /// In place of `web.history`.
    pub(crate) history: Option<usize>,
    /// In place of `web.compatibility`.
    pub(crate) compatibility: Option<Compatibility>,
    serving: Option<Serving>,
}

/// Where the program has listened since its start.
#[derive(Clone, Debug)]
struct Serving {
    asked: Listen,
    open: Listen,
}

#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Demonstration(Demonstration),
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare the demonstration: {0}; name a configuration with --config")]
pub(crate) struct StageError(#[source] io::Error);

impl Source {
    /// Takes the file named, else `leadsman.yml` in the working directory, else the demonstration.
    pub(crate) fn choose(named: Option<PathBuf>, registry: &Registry) -> Result<Self, StageError> {
        let usual = PathBuf::from(USUAL);
        let origin = match named {
            Some(path) => Origin::File(path),
            None if usual.exists() => Origin::File(usual),
            None => Origin::Demonstration(Demonstration::prepare(registry).map_err(StageError)?),
        };
        Ok(Self {
            origin,
            listen: Vec::new(),
            timeout_offset: None,
            history: None,
            compatibility: None,
            serving: None,
        })
    }

    /// Reads the configuration, and the warnings about it. Blocks on the file.
    pub(crate) fn read(&self, registry: &Registry) -> Result<(Config, Problems), Problems> {
        let (mut config, warnings) = match &self.origin {
            Origin::File(path) => Config::load(path, registry)?,
            Origin::Demonstration(demonstration) => {
                Config::parse("demonstration", demonstration.configuration(), registry)?
            }
        };
        if !self.listen.is_empty() {
            config.web.listen = Listen(self.listen.clone());
        }
        if let Some(serving) = &self.serving {
            serving.keep(&mut config);
        }
        if let Some(offset) = self.timeout_offset {
            config.web.timeout_offset = Period(offset);
        }
        if let Some(history) = self.history {
            config.web.history = history;
        }
        if let Some(compatibility) = self.compatibility {
            config.web.compatibility = compatibility;
        }
        Ok((config, warnings))
    }

    /// What the file is like now; `None` if there is none, or it cannot be read as one. Blocks on it.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let Origin::File(path) = &self.origin else {
            return None;
        };
        // Reading a pipe would wait for somebody to fill it.
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        is_file.then(|| Digest::of_file(path).ok()).flatten()
    }

    /// Notes that `config`, read before, is served at `open`: for good, whatever is read from now on.
    pub(crate) fn serves(&mut self, config: &mut Config, open: Listen) {
        let asked = mem::replace(&mut config.web.listen, open.clone());
        self.serving = Some(Serving { asked, open });
    }

    /// Whether it is the demonstration.
    pub(crate) fn is_demonstration(&self) -> bool {
        matches!(self.origin, Origin::Demonstration(_))
    }
}

impl Serving {
    /// Keeps in force where the program listens.
    fn keep(&self, config: &mut Config) {
        let asked = mem::replace(&mut config.web.listen, self.open.clone());
        if asked != self.asked && asked != self.open {
            warn!(
                listening = %self.open,
                configured = %asked,
                "a change of web.listen takes effect at the next start"
            );
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Demonstration(_) => f.write_str("the built-in demonstration"),
        }
    }
}

/// The file that is taken from the working directory where none is named.
const USUAL: &str = "leadsman.yml";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn where_it_listens_stays_as_it_is_until_the_next_start() {
        let registry = Registry::linked().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let check = |source: &Source, text: &str, expected: &str| {
            fs::write(&file, text).unwrap();
            let (config, _) = source.read(&registry).unwrap();
            assert_eq!(config.web.listen.to_string(), expected, "{text}");
            config
        };
        let at = |text: &str| Listen(vec![text.parse().unwrap()]);
        let mut source = Source::choose(Some(file.path().to_owned()), &registry).unwrap();
        let mut config = check(&source, "web: { listen: ':0' }", ":0");
        source.serves(&mut config, at(":4711"));
        assert_eq!(config.web.listen, at(":4711"));
        check(&source, "web: { listen: ':0', history: 7 }", ":4711");
        check(&source, "web: { listen: '[::1]:9116' }", ":4711");

        let mut flagged = Source::choose(Some(file.path().to_owned()), &registry).unwrap();
        flagged.listen = at("127.0.0.1:9117").0;
        check(&flagged, "web: { listen: ':9116' }", "127.0.0.1:9117");
    }
}
