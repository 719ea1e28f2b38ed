//! What is sent of a file, and with which fields?
//!
//! Everything about a state of a file that does not depend on the request, made once, so that an
//! answer needs no more than copies of what is here.

use std::fs::File;
use std::io;
use std::iter;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use memmap2::MmapMut;

use super::coding::{Coding, choose};
use super::conditional::Validators;
use super::directory::Stamp;
use super::media;
use super::path::Path;
use super::payload::{Piece, read};
use super::twin::Twin;

/// A state of a file, ready to be sent.
#[derive(Debug)]
pub(super) struct Representation {
    /// Where the file lies.
    pub(super) path: Path,
    /// In which state it was.
    pub(super) stamp: Stamp,
    /// What a client tells this state by.
    pub(super) validators: Validators,
    /// The fields of an answer with all of it.
    pub(super) headers: HeaderMap,
    /// All of it.
    pub(super) content: Piece,
    /// The content once more, if it is to be sent without a copy.
    pub(super) twin: Option<Arc<Twin>>,
    /// The same as it lies beside the file, compressed.
    pub(super) compressed: Vec<(Coding, Self)>,
    /// Made when it is asked for.
    head: OnceLock<Box<[u8]>>,
}

impl Representation {
    /// Reads a file, or only looks at it if it is too big to be kept in memory.
    pub(super) async fn of(path: Path, file: File, stamp: Stamp) -> io::Result<Self> {
        let file = Arc::new(file);
        let mut seen = SystemTime::now();
        let content = match usize::try_from(stamp.size) {
            Ok(size) if size <= MOST_IN_MEMORY => {
                let content = content(&file, size).await?;
                if Stamp::of_file(&file)? != stamp {
                    // Bytes of two states: such a one is never kept, nor told from another.
                    seen = UNIX_EPOCH;
                }
                Piece::Memory(content)
            }
            _ => Piece::File(file, 0..stamp.size),
        };
        let validators = Validators::of(&stamp, seen);
        Ok(Self {
            headers: fields(&path, &stamp, &validators),
            path,
            stamp,
            validators,
            content,
            twin: None,
            compressed: Vec::new(),
            head: OnceLock::new(),
        })
    }

    /// Offers the same compressed as well, to whom it suits better.
    pub(super) fn offer(&mut self, coding: Coding, mut compressed: Self) {
        let vary = HeaderValue::from_static("accept-encoding");
        self.headers.insert(VARY, vary.clone());
        let fields = &mut compressed.headers;
        fields.insert(CONTENT_TYPE, self.headers[CONTENT_TYPE].clone());
        fields.insert(CONTENT_ENCODING, coding.name());
        fields.insert(VARY, vary);
        self.compressed.push((coding, compressed));
    }

    /// The one among this and what is offered beside it that the client of these fields likes best.
    pub(super) fn preferred(&self, headers: &HeaderMap) -> &Self {
        if self.compressed.is_empty() {
            return self;
        }
        let chosen = choose(headers, self.compressed.iter().map(|(coding, _)| *coding));
        let mut compressed = self.compressed.iter();
        compressed
            .find(|(coding, _)| Some(*coding) == chosen)
            .map_or(self, |(_, compressed)| compressed)
    }

    /// Makes it faster to send again and again. What is compressed is hardly ever large enough for
    /// that to be felt.
    pub(super) fn make_twin(&mut self) {
        if let Piece::Memory(bytes) = &self.content {
            self.twin = Twin::of(bytes).map(Arc::new);
        }
    }

    /// All of it and what is offered beside it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        iter::once(self).chain(self.compressed.iter().map(|(_, compressed)| compressed))
    }

    /// The beginning of an answer over HTTP/1.1 with all of it: the status and the fields.
    pub(super) fn head(&self) -> &[u8] {
        self.head.get_or_init(|| {
            let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
            for (name, value) in &self.headers {
                head.extend_from_slice(name.as_str().as_bytes());
                head.extend_from_slice(b": ");
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            head.into()
        })
    }

    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.stamp.size
    }

    /// Whether all of it may be kept and sent again: it is in memory, and another state of the file
    /// would have another tag.
    pub(super) fn is_lasting(&self) -> bool {
        self.all()
            .all(|file| matches!(file.content, Piece::Memory(_)) && !file.validators.weak)
    }

    /// The fields of an answer without content.
    pub(super) fn headers_of_copy(&self) -> HeaderMap {
        let kept = [ETAG, LAST_MODIFIED, CACHE_CONTROL, VARY].into_iter();
        kept.filter_map(|name| Some((name.clone(), self.headers.get(name)?.clone())))
            .collect()
    }
}

impl Validators {
    /// What a file in this state is told by, looked at by the clock `seen`.
    fn of(stamp: &Stamp, seen: SystemTime) -> Self {
        let (seconds, nanos) = stamp.modified;
        let exact = u64::try_from(seconds)
            .ok()
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::new(seconds, nanos)));
        // Later than the answer itself it must not be (RFC 9110, section 8.8.2.1).
        let exact = exact.filter(|exact| *exact <= seen);
        let settled = exact.and_then(|exact| exact.checked_add(SETTLED));
        Self {
            tag: format!("{:x}-{seconds:x}.{nanos:x}-{:x}", stamp.inode, stamp.size),
            weak: settled.is_none_or(|settled| settled > seen),
            modified: exact.map(|exact| exact - Duration::from_nanos(nanos.into())),
            seen,
        }
    }

    fn etag(&self) -> HeaderValue {
        let weak = if self.weak { "W/" } else { "" };
        HeaderValue::try_from(format!("{weak}\"{}\"", self.tag)).expect("it is ASCII")
    }
}

/// Reads so many bytes from the beginning.
async fn content(file: &Arc<File>, size: usize) -> io::Result<Bytes> {
    let file = Arc::clone(file);
    Ok(if size < LARGE {
        read(file, 0, BytesMut::zeroed(size)).await?.freeze()
    } else {
        Bytes::from_owner(read(file, 0, MmapMut::map_anon(size)?).await?)
    })
}

fn fields(path: &Path, stamp: &Stamp, validators: &Validators) -> HeaderMap {
    let modified = validators.modified.map(|modified| {
        let date = httpdate::fmt_http_date(modified);
        (
            LAST_MODIFIED,
            HeaderValue::try_from(date).expect("a date is ASCII"),
        )
    });
    let fields: [(HeaderName, HeaderValue); 6] = [
        (CONTENT_TYPE, media_type(path)),
        (CONTENT_LENGTH, HeaderValue::from(stamp.size)),
        (ETAG, validators.etag()),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        // The cookie is for one visitor only, and Set-Cookie alone keeps no shared cache from
        // giving it to another one (RFC 9111, section 7.3).
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    fields.into_iter().chain(modified).collect()
}

/// The media type that the name suggests.
fn media_type(path: &Path) -> HeaderValue {
    let name = String::from_utf8_lossy(path.as_bytes());
    let media = media::of_name(&name);
    let charset = if media.starts_with("text/") {
        "; charset=utf-8"
    } else {
        ""
    };
    HeaderValue::try_from(format!("{media}{charset}")).expect("a media type is ASCII")
}

/// A file that has not been written for so long will have another time when it is written again.
const SETTLED: Duration = Duration::from_secs(2);
/// Bytes from which on memory is the system's again when it is not needed any more.
const LARGE: usize = 128 << 10;
/// Bytes up to which a file is read as a whole.
const MOST_IN_MEMORY: usize = 1 << 20;
