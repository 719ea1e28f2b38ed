//! Which file lies at a path of the directory, if any that may be served?
//!
//! Only regular files below the directory count, whatever symbolic links say: the kernel itself
//! keeps the way inside (openat2(2), `RESOLVE_BENEATH`). Where it cannot, no link is followed. A
//! FIFO or a device is opened without waiting and then put aside. Nothing is read here.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat,
};
use rustix::io::Errno;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::path::Path;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Symlinks {
    /// Those that stay inside the directory.
    #[default]
    Inside,
    /// None.
    Deny,
}

/// A directory that is served, held open: renaming it changes nothing.
#[derive(Debug)]
pub(super) struct Directory {
    root: OwnedFd,
    resolve: Option<ResolveFlags>,
}

/// What lies at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A regular file.
    File(File, Stamp),
    /// A directory.
    Directory(Stamp),
    /// Nothing that may be served, or nothing at all; which of them is nobody's business.
    Missing,
}

/// What a directory has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name there.
    pub(super) name: Vec<u8>,
    /// Bytes of a file; `None` for a directory.
    pub(super) size: Option<u64>,
    /// Seconds since 1970.
    pub(super) modified: i64,
}

/// In which state a file is: if any of this changes, so may its content have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    /// Inode number.
    pub(super) inode: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Seconds and nanoseconds since 1970; the seconds may be negative.
    pub(super) modified: (i64, u32),
    changed: (i64, u32),
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the directory {} to serve: {source}", .path.display())]
pub(super) struct DirectoryError {
    path: PathBuf,
    source: io::Error,
}

impl Directory {
    pub(super) fn open(path: PathBuf, symlinks: Symlinks) -> Result<Self, DirectoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(root) => root,
            Err(why) => {
                return Err(DirectoryError {
                    path,
                    source: why.into(),
                });
            }
        };
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let resolve = match symlinks {
            Symlinks::Inside => inside,
            Symlinks::Deny => inside | ResolveFlags::NO_SYMLINKS,
        };
        // Missing before Linux 5.6, and forbidden in some containers.
        let is_there = openat2(&root, c".", flags, Mode::empty(), resolve).is_ok();
        let resolve = is_there.then_some(resolve);
        Ok(Self { root, resolve })
    }

    /// Opens what lies at a path. The error is this host's, not that of whoever asks.
    pub(super) fn find(&self, path: &Path) -> io::Result<Found> {
        let Some(file) = self.open_inside(path)? else {
            return Ok(Found::Missing);
        };
        let stat = fstat(&file)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Found::Directory(Stamp::of(&stat)),
            FileType::RegularFile if !path.is_directory() => {
                Found::File(File::from(file), Stamp::of(&stat))
            }
            _ => Found::Missing,
        })
    }

    /// Whether the file at a path is still in this state.
    ///
    /// Links are followed anywhere here: what is not the same file, in the same state, counts as
    /// changed, and is looked for again as [`Self::find`] does.
    pub(super) fn is_still(&self, path: &Path, stamp: &Stamp) -> bool {
        let stat = statat(&self.root, path.relative(), AtFlags::empty());
        stat.is_ok_and(|stat| Stamp::of(&stat) == *stamp)
    }

    /// What may be asked for in a directory, by name; `None` if there is no such directory.
    pub(super) fn list(&self, path: &Path) -> io::Result<Option<Vec<Entry>>> {
        let Some(directory) = self.open_inside(path)? else {
            return Ok(None);
        };
        if FileType::from_raw_mode(fstat(&directory)?.st_mode) != FileType::Directory {
            return Ok(None);
        }
        let mut entries = Vec::new();
        for entry in Dir::read_from(directory)?.take(MOST_LISTED) {
            let name = entry?.file_name().to_bytes().to_vec();
            let Some(path) = path.below(&name) else {
                continue;
            };
            // Whatever is told of is found as if it was asked for.
            let (size, stamp) = match self.find(&path)? {
                Found::File(_, stamp) => (Some(stamp.size), stamp),
                Found::Directory(stamp) => (None, stamp),
                Found::Missing => continue,
            };
            let modified = stamp.modified.0;
            entries.push(Entry {
                name,
                size,
                modified,
            });
        }
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(Some(entries))
    }

    /// Opens what lies at a path, whatever it is. The error is this host's.
    fn open_inside(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        let relative = path.relative();
        let opened = match self.resolve {
            Some(resolve) => self.open_beneath(&relative, resolve),
            None => self.open_without_links(&relative),
        };
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(why) if is_ours(why) => Err(why.into()),
            Err(_) => Ok(None),
        }
    }

    fn open_beneath(&self, relative: &CStr, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
        // The kernel says so if something was renamed on the way (openat2(2), EAGAIN).
        for _ in 0..ATTEMPTS {
            match openat2(&self.root, relative, FLAGS, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                opened => return opened,
            }
        }
        Err(Errno::NOENT)
    }

    fn open_without_links(&self, relative: &CStr) -> Result<OwnedFd, Errno> {
        let step = FLAGS | OFlags::NOFOLLOW;
        let mut segments = relative.to_bytes().split(|byte| *byte == b'/');
        let first = segments.next().unwrap_or_default();
        segments.try_fold(
            openat(&self.root, first, step, Mode::empty())?,
            |parent, segment| openat(&parent, segment, step, Mode::empty()),
        )
    }
}

impl Stamp {
    /// The state of an open file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&fstat(file)?))
    }

    fn of(stat: &Stat) -> Self {
        let nanos = |nanos| u32::try_from(nanos).unwrap_or_default();
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (stat.st_mtime, nanos(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanos(stat.st_ctime_nsec)),
        }
    }
}

/// Whether the error says that this host has come to its limits.
fn is_ours(why: Errno) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO].contains(&why)
}

/// Nothing waits: neither for the other end of a FIFO nor for a terminal.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Entries of a directory that are looked at to tell of it.
const MOST_LISTED: usize = 10_000;
/// How often something may be renamed on the way.
const ATTEMPTS: usize = 8;

#[cfg(test)]
mod tests;
