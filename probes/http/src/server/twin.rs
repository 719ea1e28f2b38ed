//! How does content that is kept in memory leave without being copied?
//!
//! The kernel copies what a process writes to a stream, and then the half of what an answer of
//! 100 KiB costs is this copy. What lies in a file it takes from where it is (`sendfile(2)`). So content
//! that is sent again and again has a twin: the same bytes in a file that nothing can change any
//! more, and that is nowhere but in memory (`memfd_create(2)`). A stream that is to write a piece of the
//! content sends that piece of the twin. That is worth it for large content only, and where nothing is
//! to be encrypted.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::ops::Range;
use std::os::fd::AsFd;

use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// The same bytes in memory and in a file.
#[derive(Debug)]
pub(super) struct Twin {
    bytes: Bytes,
    file: File,
}

/// A piece of content among others that are to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The first of the slices that is a piece of it.
    pub(super) slice: usize,
    /// Where that piece lies in the content.
    pub(super) range: Range<usize>,
}

impl Twin {
    /// Makes the twin of some content, if it is large enough to be worth it. The system may have no
    /// descriptor for it, or not know such files; then the content has to do without.
    pub(super) fn of(bytes: &Bytes) -> Option<Self> {
        if bytes.len() < WORTH_IT {
            return None;
        }
        let made = || -> io::Result<File> {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let mut file = File::from(memfd_create("content", flags)?);
            file.write_all(bytes)?;
            let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
            fcntl_add_seals(&file, seals)?;
            Ok(file)
        };
        Some(Self {
            file: made().ok()?,
            bytes: bytes.clone(),
        })
    }

    /// Finds the first piece of the content among slices of memory; the very bytes, not their like.
    pub(super) fn find(&self, slices: &[IoSlice<'_>]) -> Option<Found> {
        let content = self.bytes.as_ptr_range();
        let (start, end) = (content.start.addr(), content.end.addr());
        slices.iter().enumerate().find_map(|(at, slice)| {
            let piece = slice.as_ptr_range();
            let is_piece = start <= piece.start.addr() && piece.end.addr() <= end;
            (is_piece && slice.len() >= WORTH_IT).then(|| Found {
                slice: at,
                range: piece.start.addr() - start..piece.end.addr() - start,
            })
        })
    }

    /// Sends what is before the piece and then the piece, as far as there is room. Returns the bytes
    /// sent, or an error if there were none.
    pub(super) fn send(
        &self,
        to: impl AsFd,
        before: &[IoSlice<'_>],
        piece: Range<usize>,
    ) -> io::Result<usize> {
        let length: usize = before.iter().map(|slice| slice.len()).sum();
        let mut sent = 0;
        if length > 0 {
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
            sent = sendmsg(&to, before, &mut SendAncillaryBuffer::default(), flags)?;
        }
        if sent == length {
            let mut at = piece.start as u64;
            match sendfile(&to, &self.file, Some(&mut at), piece.len()) {
                Ok(more) => sent += more,
                // What has been sent has been sent; what is wrong comes up with the rest.
                Err(_) if sent > 0 => {}
                // It cannot be sent in this way, so that it has to be copied.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    let piece = &self.bytes[piece];
                    let piece = [IoSlice::new(piece)];
                    let mut nothing = SendAncillaryBuffer::default();
                    return Ok(sendmsg(&to, &piece, &mut nothing, SendFlags::NOSIGNAL)?);
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(sent)
    }
}

/// Bytes from which on a copy costs more than a call of its own.
const WORTH_IT: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    fn content(length: usize) -> Bytes {
        (0..length).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn piece_is_found_where_it_is_and_never_its_like() {
        let bytes = content(100_000);
        let twin = Twin::of(&bytes).unwrap();
        let like = bytes.to_vec();
        let found = |slices: &[&[u8]]| {
            let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
            twin.find(&slices).map(|found| (found.slice, found.range))
        };
        assert_eq!(found(&[b"head", &bytes, b"tail"]), Some((1, 0..100_000)));
        assert_eq!(found(&[&bytes[10_000..]]), Some((0, 10_000..100_000)));
        assert_eq!(found(&[&like, b"", b"head"]), None);
        // So little is copied.
        assert_eq!(found(&[&bytes[..1000]]), None);
        assert_eq!(found(&[]), None);
        assert!(Twin::of(&content(1000)).is_none());
    }

    #[test]
    fn stream_gets_the_same_bytes_in_the_same_order() {
        let bytes = content(1 << 20);
        let twin = Twin::of(&bytes).unwrap();
        let (stream, mut peer) = UnixStream::pair().unwrap();
        let received = thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            received
        });
        let head = [IoSlice::new(b"he"), IoSlice::new(b"ad")];
        let mut sent = twin.send(&stream, &head, 0..bytes.len()).unwrap() - 4;
        while sent < bytes.len() {
            sent += twin.send(&stream, &[], sent..bytes.len()).unwrap();
        }
        drop(stream);
        let received = received.join().unwrap();
        assert!(received == [b"head", &bytes[..]].concat());
    }

    #[test]
    fn twin_cannot_be_changed() {
        let mut twin = Twin::of(&content(100_000)).unwrap();
        twin.file.set_len(1).unwrap_err();
        twin.file.write_all(b"x").unwrap_err();
    }
}
