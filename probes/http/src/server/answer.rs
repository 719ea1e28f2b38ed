//! What is the answer to a request?
//!
//! Decides between all that the other files know: the rules of a request, the path, the file, the
//! conditions, the ranges, the cookie. It sends nothing and knows no connection.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
    RANGE, SET_COOKIE,
};
use hyper::{Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::access_log::AccessLog;
use super::cache::{Cache, Hit};
use super::coding::Coding;
use super::conditional::Outcome;
use super::cookie::{Cookie, Visits};
use super::counts::Counts;
use super::date::Date;
use super::directory::{Directory, Found};
use super::disturb::Disturbances;
use super::fault::{Fault, PREFIX};
use super::listing::listing;
use super::path::Path;
use super::payload::{Payload, Piece};
use super::range::{Wanted, wanted};
use super::refusal::{Refusal, allowed};
use super::representation::Representation;
use super::request::{Verb, verb};

/// A directory, as one thread serves it.
#[derive(Debug)]
pub(super) struct Site {
    directory: Arc<Directory>,
    manners: Manners,
    pub(super) oddities: Arc<Oddities>,
    /// Where answers are written down, if anywhere.
    pub(super) log: Option<AccessLog>,
    /// What the thread has done.
    pub(super) counts: Arc<Counts>,
    // Only ever locked by the one thread that has this site, and never for long.
    memory: Mutex<Memory>,
}

/// In what a server is other than any other, because somebody wants to see it misbehave.
#[derive(Debug)]
pub(super) struct Oddities {
    /// Whether [`Fault`]s can be asked for.
    pub(super) faults: bool,
    /// What happens to files.
    pub(super) disturbances: Disturbances,
}

/// What is done beside sending files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// The cookie that visitors get.
    pub(super) cookie: Cookie,
    /// Whether it is told what lies in a directory without an index.
    pub(super) listing: bool,
}

/// What a path means.
enum Meant {
    /// A file.
    File(Arc<Representation>),
    /// What lies in a directory.
    Directory(Path),
}

/// What a thread has in memory.
#[derive(Debug)]
pub(super) struct Memory {
    cache: Cache,
    pub(super) visits: Visits,
    pub(super) date: Date,
    /// For the head of the next plain answer.
    pub(super) spare: Vec<u8>,
}

impl Site {
    /// Serves a directory, with at most so many bytes of it in memory.
    pub(super) fn new(
        directory: Arc<Directory>,
        most_in_memory: usize,
        manners: Manners,
        oddities: Arc<Oddities>,
        log: Option<AccessLog>,
        counts: Arc<Counts>,
    ) -> Self {
        let memory = Memory {
            cache: Cache::new(most_in_memory),
            visits: Visits::new(manners.cookie),
            date: Date::default(),
            spare: Vec::new(),
        };
        Self {
            directory,
            manners,
            oddities,
            log,
            counts,
            memory: Mutex::new(memory),
        }
    }

    /// Whether nothing is written down of requests for files, and nothing goes wrong with them.
    pub(super) fn is_ordinary(&self) -> bool {
        self.log.is_none() && self.oddities.disturbances.are_none()
    }

    /// Answers a request; its content is not read.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Payload> {
        let answer = self.try_answer(request).await;
        answer.unwrap_or_else(Refusal::response)
    }

    async fn try_answer<B>(&self, request: &Request<B>) -> Result<Response<Payload>, Refusal> {
        let (uri, headers) = (request.uri(), request.headers());
        let verb = verb(request)?;
        if verb == Verb::Options {
            if uri.path() != "*" {
                Path::parse(uri.path())?;
            }
            return Ok(options());
        }
        if self.oddities.faults && uri.path().starts_with(PREFIX) {
            let fault = Fault::parse(uri.path(), uri.query());
            let fault = fault.ok_or(StatusCode::NOT_FOUND)?;
            let cookie = self.memory().visits.renew(headers);
            let cookie = cookie.map_err(io::Error::from)?;
            return Ok(fault.answer(request, cookie).await);
        }
        if let Some(fate) = self.oddities.disturbances.fate(uri.path()) {
            sleep(fate.latency).await;
            if fate.fails {
                return Err(StatusCode::SERVICE_UNAVAILABLE.into());
            }
        }
        let mut response = match self.find(uri.path(), uri.query()).await? {
            Meant::File(file) => {
                let file = file.preferred(headers);
                match file.validators.evaluate(headers) {
                    Outcome::Proceed if verb == Verb::Get => self.content(file, headers)?,
                    Outcome::Proceed => whole(file, Payload::EMPTY),
                    Outcome::NotModified => return Ok(not_modified(file)),
                    Outcome::Failed => return Err(StatusCode::PRECONDITION_FAILED.into()),
                }
            }
            Meant::Directory(path) => self.list(path, headers).await?,
        };
        let cookie = self.memory().visits.renew(headers);
        let cookie = cookie.map_err(io::Error::from)?;
        response.headers_mut().insert(SET_COOKIE, cookie);
        Ok(response)
    }

    /// What the path of a request means; a file comes from memory if it is there.
    async fn find(&self, raw: &str, query: Option<&str>) -> Result<Meant, Refusal> {
        let now = Instant::now();
        // What is kept was found by its decoded path. Without an escape this is one.
        if !raw.contains('%')
            && let Some(file) = self.remembered(raw.as_bytes(), now)
        {
            return Ok(Meant::File(file));
        }
        let path = Path::parse(raw)?;
        if let Some(file) = self.remembered(path.as_bytes(), now) {
            return Ok(Meant::File(file));
        }
        let at = if path.is_directory() {
            path.join(INDEX)
        } else {
            path.clone()
        };
        let (file, stamp) = match self.directory.find(&at)? {
            Found::File(file, stamp) => (file, stamp),
            Found::Directory(_) if !path.is_directory() => {
                return Err(Refusal::moved(path.with_slash(query)));
            }
            _ if self.manners.listing && path.is_directory() => {
                return Ok(Meant::Directory(path));
            }
            Found::Directory(_) | Found::Missing => return Err(StatusCode::NOT_FOUND.into()),
        };
        let mut file = Representation::of(at, file, stamp).await?;
        for coding in Coding::ALL {
            let beside = file.path.join(coding.suffix());
            if let Found::File(opened, stamp) = self.directory.find(&beside)? {
                file.offer(coding, Representation::of(beside, opened, stamp).await?);
            }
        }
        if !file.is_lasting() {
            return Ok(Meant::File(Arc::new(file)));
        }
        let mut memory = self.memory();
        if memory.cache.has_room_for_twin() {
            file.make_twin();
        }
        let file = Arc::new(file);
        memory.cache.keep(&path, &file, now);
        Ok(Meant::File(file))
    }

    /// Tells what lies in a directory.
    async fn list(&self, path: Path, headers: &HeaderMap) -> Result<Response<Payload>, Refusal> {
        let directory = Arc::clone(&self.directory);
        let list = move || (directory.list(&path), path);
        let listed = spawn_blocking(list).await.map_err(io::Error::other)?;
        match listed {
            (Ok(Some(entries)), path) => Ok(listing(&path, &entries, headers)),
            (Ok(None), _) => Err(StatusCode::NOT_FOUND.into()),
            (Err(why), _) => Err(why.into()),
        }
    }

    /// What is in memory for a path, unless it has changed since.
    pub(super) fn remembered(&self, path: &[u8], now: Instant) -> Option<Arc<Representation>> {
        let file = match self.memory().cache.find(path, now)? {
            Hit::Fresh(file) => return Some(file),
            Hit::Stale(file) => file,
        };
        if self.is_still(&file) {
            return Some(file);
        }
        self.memory().cache.forget(path);
        None
    }

    /// Whether nothing has changed of a file, nor of what lies beside it.
    fn is_still(&self, file: &Representation) -> bool {
        let is_new = |coding: &Coding| {
            let found = self.directory.find(&file.path.join(coding.suffix()));
            matches!(found, Ok(Found::File(..)))
        };
        let is_offered = |coding: &Coding| file.compressed.iter().any(|(has, _)| has == coding);
        let mut others = Coding::ALL.iter().filter(|coding| !is_offered(coding));
        file.all()
            .all(|file| self.directory.is_still(&file.path, &file.stamp))
            && !others.any(is_new)
    }

    /// Answers GET, with all of the file or with the parts that were asked for.
    fn content(
        &self,
        file: &Representation,
        headers: &HeaderMap,
    ) -> Result<Response<Payload>, Refusal> {
        let mut fields = headers.get_all(RANGE).iter();
        let ranges = match (fields.next(), fields.next()) {
            (Some(field), None) if file.validators.allow_range(headers) => {
                wanted(field.as_bytes(), file.length())
            }
            // The field is no list that may be spread over several (RFC 9110, section 5.3).
            _ => Wanted::Whole,
        };
        Ok(match ranges {
            Wanted::Whole => whole(file, file.content.clone().into()),
            Wanted::Nothing => return Err(Refusal::out_of_range(file.length())),
            Wanted::Parts(parts) => {
                if let [part] = parts.as_slice() {
                    single(file, part)
                } else if file.headers.contains_key(CONTENT_ENCODING) {
                    // It would be said of the boundaries as well.
                    whole(file, file.content.clone().into())
                } else {
                    let boundary = self.memory().visits.unguessable();
                    let boundary = boundary.map_err(io::Error::from)?;
                    several(file, &parts, &String::from_utf8_lossy(&boundary))
                }
            }
        })
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic leaves behind here is at worst a file less.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn options() -> Response<Payload> {
    let mut response = Response::new(Payload::EMPTY);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allowed());
    response
}

fn not_modified(file: &Representation) -> Response<Payload> {
    let mut response = Response::new(Payload::EMPTY);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = file.headers_of_copy();
    response
}

fn whole(file: &Representation, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.headers_mut() = file.headers.clone();
    if let Some(twin) = &file.twin {
        response.extensions_mut().insert(Arc::clone(twin));
    }
    response
}

/// One part (RFC 9110, section 15.3.7.1).
fn single(file: &Representation, part: &Range<u64>) -> Response<Payload> {
    let mut response = whole(file, file.content.slice(part.clone()).into());
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let range = HeaderValue::try_from(content_range(file, part)).expect("numbers are ASCII");
    let headers = response.headers_mut();
    headers.insert(CONTENT_RANGE, range);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    response
}

/// Several parts (RFC 9110, sections 14.6 and 15.3.7.2), between boundaries that no file can have.
fn several(file: &Representation, parts: &[Range<u64>], boundary: &str) -> Response<Payload> {
    let media = file.headers[CONTENT_TYPE]
        .to_str()
        .expect("a media type is ASCII");
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        let range = content_range(file, part);
        let head =
            format!("\r\n--{boundary}\r\nContent-Type: {media}\r\nContent-Range: {range}\r\n\r\n");
        pieces.push(Piece::Memory(Bytes::from(head)));
        pieces.push(file.content.slice(part.clone()));
    }
    let end = format!("\r\n--{boundary}--\r\n");
    pieces.push(Piece::Memory(Bytes::from(end)));
    let mut response = whole(file, Payload::pieces(pieces));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let media = format!("multipart/byteranges; boundary={boundary}");
    let media = HeaderValue::try_from(media).expect("a boundary is ASCII");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media);
    // Hyper counts the pieces.
    headers.remove(CONTENT_LENGTH);
    response
}

fn content_range(file: &Representation, part: &Range<u64>) -> String {
    format!("bytes {}-{}/{}", part.start, part.end - 1, file.length())
}

/// The file that stands for a directory.
const INDEX: &str = "index.html";

#[cfg(test)]
pub(super) mod tests;
