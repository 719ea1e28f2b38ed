//! Which files have come since the last look, and are they ours?
//!
//! Anything may lie in the directory, and all of it may change or vanish meanwhile. So nothing is
//! opened but regular files, no more is read of one than has room for a header, and none is read
//! twice unless it has changed before its header was whole.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use tokio::time::Instant;

use crate::delivery;
use crate::message::Token;

/// What was seen in one Maildir so far.
#[derive(Debug)]
pub(super) struct Look {
    new: PathBuf,
    deletes: bool,
    known: HashMap<OsString, Known>,
    last: Option<Instant>,
}

/// Why it cannot be looked.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    /// The directory is not there, or may not be read.
    #[error("cannot read the Maildir's directory {}: {source}", .path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is too much in it to look through once a second.
    #[error("{} has more than {MOST_FILES} files, of which the others are not looked at", .path.display())]
    Full {
        /// The directory.
        path: PathBuf,
    },
    /// A message that was seen cannot be deleted.
    #[error("cannot delete {}: {source}", .path.display())]
    Delete {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// All there is to know.
    Whole,
    /// Its header was not whole when it was like this.
    Part(Stamp),
}

/// By which a change is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: (i64, i64),
}

impl Look {
    /// Nothing was seen yet in the Maildir at `path`.
    pub(super) fn new(path: &Path, deletes: bool) -> Self {
        Self {
            new: path.join("new"),
            deletes,
            known: HashMap::new(),
            last: None,
        }
    }

    /// Looks through what is there at `now`, which is `clock` by the clock of files, and says which
    /// messages were seen.
    pub(super) fn again(&mut self, now: Instant, clock: SystemTime) -> Result<(), LookError> {
        let unreadable = |source| LookError::Read {
            path: self.new.clone(),
            source,
        };
        let entries = fs::read_dir(&self.new).map_err(unreadable)?;
        let mut known = HashMap::new();
        let mut trouble = None;
        // What has come since then cannot have come before.
        let since = self
            .last
            .map_or(Duration::ZERO, |last| now.duration_since(last));
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            // No message is called so, but what others put there may be.
            if name.as_bytes().starts_with(b".") {
                continue;
            }
            if known.len() >= MOST_FILES {
                let path = self.new.clone();
                trouble = Some(LookError::Full { path });
                break;
            }
            let before = self.known.get(&name).copied();
            if before == Some(Known::Whole) || is_unchanged(before, &entry) {
                known.extend(before.map(|before| (name, before)));
                continue;
            }
            let path = entry.path();
            let found = match examine(&path) {
                Ok(found) => found,
                // It has vanished, or somebody with the mailbox open has moved it.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                    trouble = Some(LookError::Read { path, source });
                    continue;
                }
                // It is no file, and will not become one.
                Err(_) => {
                    known.insert(name, Known::Whole);
                    continue;
                }
            };
            let Some(token) = found.token else {
                let whole = found.is_whole;
                let what = if whole {
                    Known::Whole
                } else {
                    Known::Part(found.stamp)
                };
                known.insert(name, what);
                continue;
            };
            delivery::taken(token, now - found.stamp.age(clock).min(since));
            if self.deletes
                && let Err(source) = fs::remove_file(&path)
                && source.kind() != io::ErrorKind::NotFound
            {
                trouble = Some(LookError::Delete { path, source });
            }
            known.insert(name, Known::Whole);
        }
        self.known = known;
        self.last = Some(now);
        trouble.map_or(Ok(()), Err)
    }
}

/// What was seen in a file.
struct Found {
    token: Option<Token>,
    stamp: Stamp,
    /// Whether there is no more to be seen.
    is_whole: bool,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            length: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    /// How long ago the file was put where it is. That is when its inode was changed last, since it
    /// was given its name; nobody can set that time.
    fn age(self, clock: SystemTime) -> Duration {
        let (seconds, nanos) = self.changed;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
        let age = clock.duration_since(UNIX_EPOCH + seconds + nanos);
        age.unwrap_or_default()
    }
}

/// Whether a file is still what it was when its header was not whole.
fn is_unchanged(before: Option<Known>, entry: &DirEntry) -> bool {
    let Some(Known::Part(before)) = before else {
        return false;
    };
    entry.metadata().is_ok_and(|now| Stamp::of(&now) == before)
}

/// Reads the header of a file, if it is one.
fn examine(path: &Path) -> io::Result<Found> {
    // Whoever puts something else there shall not keep us waiting, or lead us elsewhere.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let header = beginning(file)?;
    let ends = |end: &[u8]| header.windows(end.len()).any(|part| part == end);
    let is_whole = header.len() >= LONGEST_HEADER || ends(b"\n\n") || ends(b"\n\r\n");
    Ok(Found {
        token: Token::within(&header),
        stamp: Stamp::of(&metadata),
        is_whole,
    })
}

fn beginning(file: File) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    file.take(LONGEST_HEADER as u64)
        .read_to_end(&mut beginning)?;
    Ok(beginning)
}

/// Octets of a file in which a token is looked for.
const LONGEST_HEADER: usize = 64 << 10;
/// Files in a directory that are looked at.
const MOST_FILES: usize = 20_000;
