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
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use memmap2::MmapMut;
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
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Chunk>> + Send>>>,
    /// The memory of the last chunk, once that has left.
    spare: Arc<Mutex<Option<MmapMut>>>,
    left: u64,
    /// Bytes that leave at once, at most.
    most: u64,
}

/// A piece of a file, in memory that is the system's again when it is not needed any more: thousands
/// of slow peers have as many chunks, of which the allocator would keep most.
struct Chunk {
    memory: Option<MmapMut>,
    length: usize,
    /// Where the memory is left for the next one.
    spare: Arc<Mutex<Option<MmapMut>>>,
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
            spare: Arc::default(),
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
                self.left -= chunk.length as u64;
                Bytes::from_owner(chunk)
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
                let chunk = match Chunk::new(length, &self.spare) {
                    Ok(chunk) => chunk,
                    Err(why) => return Poll::Ready(Some(Err(why))),
                };
                self.reading = Some(Box::pin(read(Arc::clone(file), range.start, chunk)));
                range.start += length as u64;
                if range.is_empty() {
                    self.waiting.pop_front();
                }
                self.poll_next(cx)
            }
        }
    }
}

impl Chunk {
    /// So many bytes, in spare memory if there is some.
    fn new(length: usize, spare: &Arc<Mutex<Option<MmapMut>>>) -> io::Result<Self> {
        let left = spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let memory = match left {
            Some(memory) if memory.len() >= length => memory,
            _ => MmapMut::map_anon(length)?,
        };
        Ok(Self {
            memory: Some(memory),
            length,
            spare: Arc::clone(spare),
        })
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        let memory = self.memory.as_ref().expect("it is there until the end");
        &memory[..self.length]
    }
}

impl AsMut<[u8]> for Chunk {
    fn as_mut(&mut self) -> &mut [u8] {
        let memory = self.memory.as_mut().expect("it is there until the end");
        &mut memory[..self.length]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = self.memory.take();
    }
}

/// Fills the buffer from a position of the file.
pub(super) async fn read<B>(file: Arc<File>, at: u64, mut buffer: B) -> io::Result<B>
where
    B: AsMut<[u8]> + Send + 'static,
{
    let slice = buffer.as_mut();
    let length = slice.len();
    // An error is told by the read that may wait, if it is one for that as well.
    let cached = preadv2(
        &*file,
        &mut [IoSliceMut::new(slice)],
        at,
        ReadWriteFlags::NOWAIT,
    );
    let cached = cached.unwrap_or_default();
    if cached == length {
        return Ok(buffer);
    }
    let rest = spawn_blocking(move || {
        let missing = &mut buffer.as_mut()[cached..];
        file.read_exact_at(missing, at + cached as u64)?;
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
