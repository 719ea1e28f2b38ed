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
        if sent < length {
            return Ok(sent);
        }
        for part in parts(length, piece) {
            let mut at = part.start as u64;
            match sendfile(&to, &self.file, Some(&mut at), part.len()) {
                Ok(more) => {
                    sent += more;
                    if more < part.len() {
                        break;
                    }
                }
                // What has been sent has been sent; what is wrong comes up with the rest.
                Err(_) if sent > 0 => break,
                // It cannot be sent in this way, so that it has to be copied.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    let part = [IoSlice::new(&self.bytes[part])];
                    let mut nothing = SendAncillaryBuffer::default();
                    return Ok(sendmsg(&to, &part, &mut nothing, SendFlags::NOSIGNAL)?);
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(sent)
    }
}

/// The parts in which a piece is sent after so many bytes that are to go with it. Of a file the kernel
/// takes 64 KiB at once; what then exceeds a packet it has to cut off again, which costs more than a
/// call for the rest.
fn parts(before: usize, piece: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let cut = match before {
        0 => piece.end,
        _ => piece.end.min(piece.start + PACKET.saturating_sub(before)),
    };
    let parts = [piece.start..cut, cut..piece.end];
    parts.into_iter().filter(|part| !part.is_empty())
}

/// Bytes that a packet carries at the most: 64 KiB less the headers of IP and TCP, as over loopback.
const PACKET: usize = 65_483;

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
    fn first_part_fills_a_packet_with_what_goes_before_it() {
        for (before, piece, expected) in [
            (0, 0..102_400, &[102_400][..]),
            (483, 0..102_400, &[65_000, 37_400]),
            (483, 1000..66_000, &[65_000]),
            (483, 1000..66_001, &[65_000, 1]),
            (70_000, 0..50_000, &[50_000]),
        ] {
            let mut next = piece.start;
            let lengths = parts(before, piece.clone()).map(|part| {
                assert_eq!(part.start, next);
                next = part.end;
                part.len()
            });
            assert_eq!(lengths.collect::<Vec<_>>(), expected);
            assert_eq!(next, piece.end);
        }
    }

    #[test]
    fn twin_cannot_be_changed() {
        let mut twin = Twin::of(&content(100_000)).unwrap();
        twin.file.set_len(1).unwrap_err();
        twin.file.write_all(b"x").unwrap_err();
    }
}
