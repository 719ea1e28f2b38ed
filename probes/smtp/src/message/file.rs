//! How is a text read from a file?
//!
//! Again for each message, so that it may be changed, and in no case forever: what is no file, or
//! has no end, is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use super::{LONGEST_TEXT, MessageError};

/// Reads a text of at most [`LONGEST_TEXT`] octets.
pub(crate) async fn read_text(path: &Path) -> Result<String, MessageError> {
    let unreadable = |source| MessageError::Read {
        path: path.to_owned(),
        source,
    };
    let own = path.to_owned();
    let read = spawn_blocking(move || {
        let file = open(&own)?;
        let mut octets = Vec::new();
        // One more, by which a file that is too long is known.
        file.take(LONGEST_TEXT as u64 + 1)
            .read_to_end(&mut octets)?;
        Ok(octets)
    });
    let read = read.await.map_err(io::Error::other).map_err(unreadable)?;
    let octets = read.map_err(unreadable)?;
    if octets.len() > LONGEST_TEXT {
        return Err(MessageError::TooLong);
    }
    String::from_utf8(octets).map_err(|_| MessageError::NotText {
        path: path.to_owned(),
    })
}

/// Opens a file to read it, and nothing that could keep its reader waiting.
fn open(path: &Path) -> io::Result<File> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_wait)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}
