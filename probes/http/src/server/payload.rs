//! How does the content of an answer leave?
//!
//! What is in memory goes as it is. A big file goes in chunks: one that the kernel has in its cache
//! is copied at once, any other is read on a thread where waiting for a disk delays nobody. A file
//! that has become shorter ends the connection, for what was promised cannot be sent any more.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::spawn_blocking;

use super::generated::Generated;

/// The content of an answer.
pub(super) enum Payload {
    /// In memory, perhaps empty.
    Memory(Bytes),
    /// Several pieces, one after the other.
    Pieces(Box<Pieces>),
    /// Made while it is sent.
    Generated(Box<Generated>),
}

/// A piece of content.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// In memory.
    Memory(Bytes),
    /// So many bytes of a file.
    File(Arc<File>, Range<u64>),
}

/// Pieces of content on their way.
pub(super) struct Pieces {
    waiting: VecDeque<Piece>,
    reading: Option<Pin<Box<dyn Future<Output = io::Result<BytesMut>> + Send>>>,
    /// The last chunk, whose memory is used again once it has left.
    last: Bytes,
    left: u64,
    /// Bytes that leave at once, at most.
    most: u64,
}

impl Payload {
    pub(super) const EMPTY: Self = Self::Memory(Bytes::new());

    /// Sends several pieces, one after the other.
    pub(super) fn pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let waiting: VecDeque<_> = pieces.into_iter().collect();
        Self::Pieces(Box::new(Pieces {
            left: waiting.iter().map(Piece::length).sum(),
            waiting,
            reading: None,
            last: Bytes::new(),
            most: CHUNK,
        }))
    }

    /// The same, of which so many bytes leave at once, at most.
    pub(super) fn in_chunks_of(self, most: u64) -> Self {
        match self {
            Self::Memory(bytes) if bytes.len() as u64 > most => {
                Self::pieces([Piece::Memory(bytes)]).in_chunks_of(most)
            }
            Self::Memory(_) => self,
            Self::Pieces(pieces) => Self::Pieces(Box::new(Pieces { most, ..*pieces })),
            Self::Generated(content) => Self::Generated(Box::new(content.in_steps_of(most))),
        }
    }
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, range) => range.end - range.start,
        }
    }

    /// A part of this piece; it has to lie in it.
    pub(super) fn slice(&self, part: Range<u64>) -> Self {
        match self {
            Self::Memory(bytes) => {
                let at = |position| usize::try_from(position).expect("it lies in memory");
                Self::Memory(bytes.slice(at(part.start)..at(part.end)))
            }
            Self::File(file, range) => {
                let part = range.start + part.start..range.start + part.end;
                Self::File(Arc::clone(file), part)
            }
        }
    }
}

impl From<Piece> for Payload {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Memory(bytes) => Self::Memory(bytes),
            file @ Piece::File(..) => Self::pieces([file]),
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = match &mut *self {
            Self::Memory(bytes) if bytes.is_empty() => None,
            Self::Memory(bytes) => Some(Ok(std::mem::take(bytes))),
            Self::Pieces(pieces) => ready!(pieces.poll_next(cx)),
            Self::Generated(content) => ready!(content.poll_next(cx)),
        };
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Pieces(pieces) => pieces.left,
            Self::Generated(content) => content.promised(),
        })
    }
}

impl Pieces {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(reading) = &mut self.reading {
            let read = ready!(reading.as_mut().poll(cx));
            self.reading = None;
            return Poll::Ready(Some(read.map(|chunk| {
                self.last = chunk.freeze();
                self.left -= self.last.len() as u64;
                self.last.clone()
            })));
        }
        match self.waiting.front_mut() {
            None => Poll::Ready(None),
            Some(Piece::Memory(bytes)) => {
                let most = usize::try_from(self.most).unwrap_or(usize::MAX);
                let chunk = bytes.split_to(most.min(bytes.len()));
                if bytes.is_empty() {
                    self.waiting.pop_front();
                }
                self.left -= chunk.len() as u64;
                Poll::Ready(Some(Ok(chunk)))
            }
            Some(Piece::File(file, range)) => {
                let length = self.most.min(range.end - range.start);
                let length = usize::try_from(length).expect("a chunk fits in memory");
                let last = std::mem::take(&mut self.last);
                let mut buffer = last.try_into_mut().unwrap_or_default();
                buffer.resize(length, 0);
                self.reading = Some(Box::pin(read(Arc::clone(file), range.start, buffer)));
                range.start += length as u64;
                if range.is_empty() {
                    self.waiting.pop_front();
                }
                self.poll_next(cx)
            }
        }
    }
}

/// Fills the buffer from a position of the file.
pub(super) async fn read(file: Arc<File>, at: u64, mut buffer: BytesMut) -> io::Result<BytesMut> {
    let mut slice = [IoSliceMut::new(&mut buffer)];
    // An error is told by the read that may wait, if it is one for that as well.
    let cached = preadv2(&*file, &mut slice, at, ReadWriteFlags::NOWAIT).unwrap_or_default();
    if cached == buffer.len() {
        return Ok(buffer);
    }
    let rest = spawn_blocking(move || {
        file.read_exact_at(&mut buffer[cached..], at + cached as u64)?;
        Ok(buffer)
    });
    rest.await.unwrap_or_else(|why| Err(io::Error::other(why)))
}

/// Bytes of a big file that are read at once.
const CHUNK: u64 = 256 << 10;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use std::io::Write as _;
    use tempfile::tempfile;

    use super::*;

    fn numbered(length: usize) -> (Arc<File>, Vec<u8>) {
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let mut file = tempfile().unwrap();
        file.write_all(&content).unwrap();
        (Arc::new(file), content)
    }

    #[tokio::test]
    async fn pieces_leave_in_order_and_whole() {
        let (file, content) = numbered(700_000);
        let pieces = [
            Piece::Memory(Bytes::from_static(b"head")),
            Piece::File(Arc::clone(&file), 0..700_000),
            Piece::File(file, 0..700_000).slice(100..200).slice(10..20),
            Piece::Memory(Bytes::from_static(b"tail")).slice(1..4),
        ];
        let expected = [b"head", &content[..], &content[110..120], b"ail"].concat();
        let payload = Payload::pieces(pieces);
        assert_eq!(payload.size_hint().exact(), Some(expected.len() as u64));
        assert_eq!(payload.collect().await.unwrap().to_bytes(), expected);
    }

    #[tokio::test]
    async fn chunks_are_as_small_as_they_are_wanted() {
        let (file, content) = numbered(2500);
        let in_memory = || Bytes::from(content.clone());
        for payload in [
            Payload::Memory(in_memory()),
            Payload::pieces([Piece::Memory(in_memory())]),
            Payload::from(Piece::File(file, 0..2500)),
        ] {
            let mut payload = payload.in_chunks_of(1000);
            for expected in [&content[..1000], &content[1000..2000], &content[2000..]] {
                assert!(!payload.is_end_stream());
                let chunk = payload.frame().await.unwrap().unwrap();
                assert_eq!(chunk.into_data().unwrap(), expected);
            }
            assert!(payload.is_end_stream());
        }
        assert!(Payload::EMPTY.in_chunks_of(1000).is_end_stream());
    }

    #[tokio::test]
    async fn file_that_became_shorter_is_never_padded() {
        let (file, _) = numbered(700_000);
        let mut payload = Payload::from(Piece::File(Arc::clone(&file), 0..700_000));
        payload.frame().await.unwrap().unwrap();
        file.set_len(300_000).unwrap();
        let why = payload.frame().await.unwrap().unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::UnexpectedEof);
    }
}
