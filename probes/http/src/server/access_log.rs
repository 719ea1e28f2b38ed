//! Who asked for what, and what did they get?
//!
//! One line for each answered request, on standard output. A thread of its own writes them, so that
//! a reader who stalls delays nobody; what does not fit in its queue is lost and counted. What comes
//! from peers is escaped, and a visit is only told apart from others: its identifier would let
//! whoever reads the log be that visitor.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::{HeaderMap, HeaderName, REFERER, SET_COOKIE, USER_AGENT};
use hyper::{Request, StatusCode, Version};
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

/// How the lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AccessFormat {
    /// There are none.
    #[default]
    Off,
    /// Apache's Common Log Format.
    Common,
    /// The same with referrer and user agent.
    Combined,
    /// An object in JSON.
    Json,
}

/// Takes the lines. Clones write to the same place.
#[derive(Clone, Debug)]
pub(super) struct AccessLog {
    format: AccessFormat,
    lines: SyncSender<String>,
}

/// What a request was.
#[derive(Debug)]
pub(super) struct Asked {
    peer: Option<IpAddr>,
    at: SystemTime,
    method: String,
    target: String,
    version: Version,
    referer: Option<String>,
    agent: Option<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    /// Of content.
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) visit: Option<Visit>,
}

/// Tells a visit apart from others without giving away who it is: the beginning of the SHA-256 of
/// its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit(u32);

impl AccessLog {
    /// Starts to write, unless there is nothing to write; the receiver hears when all is written.
    pub(super) fn start(
        format: AccessFormat,
        out: impl Write + Send + 'static,
    ) -> io::Result<Option<(Self, oneshot::Receiver<()>)>> {
        if format == AccessFormat::Off {
            return Ok(None);
        }
        let (lines, queue) = sync_channel(LONGEST_QUEUE);
        let (tell, written) = oneshot::channel();
        let write = move || {
            // There is no one to tell that standard output was closed.
            _ = drain(&queue, BufWriter::new(out));
            _ = tell.send(());
        };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(write)?;
        Ok(Some((Self { format, lines }, written)))
    }

    /// Notes an exchange; false if that is lost.
    pub(super) fn note(&self, asked: &Asked, got: Got) -> bool {
        self.lines.try_send(asked.line(self.format, got)).is_ok()
    }
}

/// Writes what comes, together what comes together.
fn drain(queue: &Receiver<String>, mut out: impl Write) -> io::Result<()> {
    loop {
        let line = match queue.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => return out.flush(),
            Err(TryRecvError::Empty) => {
                out.flush()?;
                let Ok(line) = queue.recv() else {
                    return Ok(());
                };
                line
            }
        };
        out.write_all(line.as_bytes())?;
    }
}

impl Asked {
    /// Keeps of a request what is told of it.
    pub(super) fn of<B>(request: &Request<B>, peer: Option<IpAddr>) -> Self {
        let field = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            peer,
            at: SystemTime::now(),
            method: request.method().to_string(),
            target: request.uri().to_string(),
            version: request.version(),
            referer: field(REFERER),
            agent: field(USER_AGENT),
        }
    }

    fn line(&self, format: AccessFormat, got: Got) -> String {
        let peer = self.peer.map(|peer| peer.to_canonical().to_string());
        let status = got.status.as_u16();
        let version = self.version;
        if format == AccessFormat::Json {
            let object = json!({
                "time": seconds(self.at),
                "peer": peer,
                "method": self.method,
                "target": self.target,
                "version": format!("{version:?}"),
                "status": status,
                "bytes": got.bytes,
                "duration_seconds": got.took.as_secs_f64(),
                "referer": self.referer,
                "user_agent": self.agent,
                "visit": got.visit.map(Visit::hex),
            });
            return tame(&object.to_string()) + "\n";
        }
        let peer = peer.as_deref().unwrap_or("-");
        let request = escaped(&format!("{} {} {version:?}", self.method, self.target));
        let bytes = match got.bytes {
            0 => "-".to_owned(),
            bytes => bytes.to_string(),
        };
        let at = clock(self.at);
        let mut line = format!("{peer} - - [{at}] \"{request}\" {status} {bytes}");
        if format == AccessFormat::Combined {
            for field in [&self.referer, &self.agent] {
                let field = field.as_deref().map_or_else(|| "-".to_owned(), escaped);
                write!(line, " \"{field}\"").expect("writing to a String cannot fail");
            }
        }
        line + "\n"
    }
}

impl Visit {
    /// The visit that an answer begins or renews.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let (_, rest) = headers.get(SET_COOKIE)?.to_str().ok()?.split_once('=')?;
        let visit = rest.split(';').next().unwrap_or_default();
        let hash = digest(&SHA256, visit.as_bytes());
        let begin = hash.as_ref().first_chunk().expect("it has 32 bytes");
        Some(Self(u32::from_be_bytes(*begin)))
    }

    fn hex(self) -> String {
        format!("{:08x}", self.0)
    }
}

/// What a peer wrote, so that it can neither end a field nor a line nor steer a terminal.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => escaped.extend(['\\', char::from(byte)]),
            b' '..=b'~' => escaped.push(char::from(byte)),
            _ => write!(escaped, "\\x{byte:02x}").expect("writing to a String cannot fail"),
        }
    }
    escaped
}

/// JSON without the control characters that it may have in its strings, beyond ASCII's.
fn tame(json: &str) -> String {
    let mut tame = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            write!(tame, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            tame.push(c);
        }
    }
    tame
}

/// `10/Oct/2000:13:55:36 +0000`, as Apache writes a time.
fn clock(at: SystemTime) -> String {
    // Always `Tue, 10 Oct 2000 13:55:36 GMT` (RFC 9110, section 5.6.7).
    let date = httpdate::fmt_http_date(at);
    let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    format!("{day}/{month}/{year}:{time} +0000")
}

/// Since the Unix epoch, to the millisecond.
fn seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as f64 / 1e3
}

/// Lines that wait to be written.
const LONGEST_QUEUE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hyper::header::HeaderValue;

    use super::*;

    fn asked() -> Asked {
        let request = Request::get("/a?b=1")
            .header("referer", "http://a/\t\u{9b}2J")
            .header("user-agent", "x\" 200 \\")
            .body(())
            .unwrap();
        Asked {
            at: UNIX_EPOCH + Duration::from_millis(971_186_136_250),
            ..Asked::of(&request, Some("::ffff:192.0.2.1".parse().unwrap()))
        }
    }

    fn got() -> Got {
        let mut headers = HeaderMap::new();
        let cookie = HeaderValue::from_static("visit=abc; Path=/; HttpOnly");
        headers.insert(SET_COOKIE, cookie);
        Got {
            status: StatusCode::OK,
            bytes: 2326,
            took: Duration::from_millis(5),
            visit: Visit::of(&headers),
        }
    }

    #[test]
    fn line_looks_as_its_readers_expect_and_peers_cannot_forge_it() {
        fn check(format: AccessFormat, expected: &str) {
            assert_eq!(asked().line(format, got()), expected);
        }
        check(
            AccessFormat::Common,
            "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=1 HTTP/1.1\" 200 2326\n",
        );
        check(
            AccessFormat::Combined,
            "192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=1 HTTP/1.1\" 200 2326 \
             \"http://a/\\x09\\xc2\\x9b2J\" \"x\\\" 200 \\\\\"\n",
        );
        // SHA-256 of `abc` is ba7816bf….
        check(
            AccessFormat::Json,
            "{\"time\":971186136.25,\"peer\":\"192.0.2.1\",\"method\":\"GET\",\
             \"target\":\"/a?b=1\",\"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":2326,\
             \"duration_seconds\":0.005,\"referer\":\"http://a/\\t\\u009b2J\",\
             \"user_agent\":\"x\\\" 200 \\\\\",\"visit\":\"ba7816bf\"}\n",
        );
    }

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn everything_is_written_by_the_end() {
        let kept = Kept::default();
        let started = AccessLog::start(AccessFormat::Common, kept.clone()).unwrap();
        let (log, written) = started.unwrap();
        for _ in 0..1000 {
            assert!(log.note(&asked(), got()));
        }
        drop(log);
        written.await.unwrap();
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, asked().line(AccessFormat::Common, got()).repeat(1000));
        let none = AccessLog::start(AccessFormat::Off, io::sink()).unwrap();
        assert!(none.is_none());
    }
}
