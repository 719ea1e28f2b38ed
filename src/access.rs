//! Who is let in over the web, and how are they spoken with?
//!
//! As the file of `--web.config.file` says, and the files that it names: all are looked at once a
//! second, so that a renewed certificate or password is in force without a restart or a reload. What
//! cannot be used is told, and what was before stays in force. Only to begin or to end with TLS
//! takes a restart: a mistake in a file must not open a door that was shut.

mod passwords;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::header::{HeaderName, HeaderValue};
use leadsman_core::Stop;
use leadsman_core::options::Secret;
use leadsman_dial::{ServerFiles, ServerTls, ServerTlsError, alpn};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::{AccessOptions, Problems};
pub(crate) use passwords::{Passwords, Queue};

/// Who is let in.
#[derive(Debug, Default)]
pub(crate) struct Access {
    file: Option<PathBuf>,
    rules: ArcSwap<Rules>,
    /// Compares passwords.
    pub(crate) passwords: Passwords,
}

/// What is in force.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<ServerTls>,
    /// Fields that every answer gets.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Hashes of passwords by the user's name; nobody needs one if there are none.
    pub(crate) users: BTreeMap<String, Secret>,
    /// The time from one request to the next, and how many may come at once.
    pub(crate) rate: Option<(Duration, u32)>,
    seen: Seen,
}

/// All that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    text: String,
    files: Option<ServerFiles>,
}

/// Why a file cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// It cannot be read.
    #[error("cannot read {}, the file of --web.config.file: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has mistakes.
    #[error("{}", .0.render(false).trim_end())]
    Written(Problems),
    /// What it says about TLS cannot be done.
    #[error("{}: tls_server_config: {source}", .path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ServerTlsError,
    },
    /// It begins or ends with TLS.
    #[error("{}: whether TLS is spoken changes only with a restart", .0.display())]
    Restart(PathBuf),
}

impl Access {
    /// Puts a file in force; without one, anybody is let in. Blocks on the file.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self, AccessError> {
        let rules = match &file {
            Some(path) => Rules::read(path, None)?.unwrap_or_default(),
            None => Rules::default(),
        };
        Ok(Self {
            file,
            rules: ArcSwap::from_pointee(rules),
            passwords: Passwords::default(),
        })
    }

    /// What is in force now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Puts in force what has changed; says whether anything has. Blocks on the files.
    fn look(&self) -> Result<bool, AccessError> {
        let Some(path) = &self.file else {
            return Ok(false);
        };
        let now = self.rules();
        let Some(rules) = Rules::read(path, Some(&now.seen))? else {
            return Ok(false);
        };
        if rules.tls.is_some() != now.tls.is_some() {
            return Err(AccessError::Restart(path.clone()));
        }
        self.rules.store(Arc::new(rules));
        Ok(true)
    }

    /// Looks at the files until the end is asked for.
    pub(crate) async fn follow(self: Arc<Self>, stop: Stop) {
        let Some(path) = self.file.clone() else {
            return;
        };
        let mut told = None;
        loop {
            tokio::select! {
                () = stop.requested() => return,
                () = sleep(INTERVAL) => {}
            }
            let access = Arc::clone(&self);
            let looked = spawn_blocking(move || access.look()).await;
            match looked.expect("looking at files does not panic") {
                Ok(changed) => {
                    if changed {
                        info!(file = %path.display(), "web configuration put in force");
                    }
                    told = None;
                }
                Err(why) => {
                    let why = why.to_string();
                    // Once, for what is wrong stays so until somebody mends it.
                    if told.as_ref() != Some(&why) {
                        warn!(%why, "web configuration not put in force, that of before is kept");
                    }
                    told = Some(why);
                }
            }
        }
    }
}

impl Rules {
    /// Reads all files; `None` if they are as they were `seen` before.
    fn read(path: &Path, seen: Option<&Seen>) -> Result<Option<Self>, AccessError> {
        let text = std::fs::read_to_string(path).map_err(|source| AccessError::Read {
            path: path.to_owned(),
            source,
        })?;
        let options = AccessOptions::parse(path, &text).map_err(AccessError::Written)?;
        let unusable = |source| AccessError::Tls {
            path: path.to_owned(),
            source,
        };
        let files = options.tls.as_ref().map(ServerFiles::read);
        let files = files.transpose().map_err(unusable)?;
        let now = Seen { text, files };
        if seen == Some(&now) {
            return Ok(None);
        }
        let offered: &[&[u8]] = if options.server.http2 {
            &[alpn::H2, alpn::HTTP_11]
        } else {
            &[alpn::HTTP_11]
        };
        let tls = match (&options.tls, &now.files) {
            (Some(tls), Some(files)) => {
                Some(ServerTls::new(tls, files, offered).map_err(unusable)?)
            }
            _ => None,
        };
        let headers = options.server.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name).ok()?;
            let value = HeaderValue::from_str(value).ok()?;
            (!value.is_empty()).then_some((name, value))
        });
        let interval = *options.rate_limit.interval;
        let rate = (interval, options.rate_limit.burst.max(1));
        Ok(Some(Self {
            tls,
            headers: headers.collect(),
            users: options.users,
            rate: (!interval.is_zero()).then_some(rate),
            seen: now,
        }))
    }
}

/// How long a change may lie there unseen.
const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
