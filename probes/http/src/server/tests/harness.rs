//! A server to be asked, and what comes of that.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leadsman_core::{Meter, Responder as _, Stopper};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::server::options::ServerOptions;
use crate::server::responder::FileServer;

/// A server of a directory of its own, beside which lies a secret.
pub(super) struct Server {
    pub(super) lair: TempDir,
    pub(super) address: SocketAddr,
    pub(super) meter: Arc<dyn Meter>,
    pub(super) stopper: Stopper,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let lair = TempDir::new().unwrap();
        let root = lair.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(lair.path().join("secret"), "secret").unwrap();
        fs::write(root.join("index.html"), "0123456789").unwrap();
        settle(&root.join("index.html"));
        let mut options = ServerOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            directory: root,
            threads: NonZeroUsize::new(2),
            ..ServerOptions::default()
        };
        change(&mut options);
        let server = FileServer::open(&options).unwrap();
        let address = server.address();
        let meter = server.meter().unwrap();
        let (stopper, stop) = Stopper::new();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(Box::new(server).serve(stop)).unwrap();
        });
        Self {
            lair,
            address,
            meter,
            stopper,
            thread: Some(thread),
        }
    }

    /// A server that finds in its memory what it was asked for before, whoever asks.
    pub(super) fn of_one_thread() -> Self {
        Self::with(|options| options.threads = Some(NonZeroUsize::MIN))
    }

    pub(super) fn root(&self) -> PathBuf {
        self.lair.path().join("root")
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends all of this, then the end, and takes what comes.
    pub(super) fn ask(&self, sent: &[u8]) -> Vec<Answer> {
        let mut stream = self.connect();
        // A server that has had enough may close before it has all.
        _ = stream.write_all(sent);
        _ = stream.shutdown(Shutdown::Write);
        let mut received = Vec::new();
        _ = stream.read_to_end(&mut received);
        answers(&received, sent.starts_with(b"HEAD "))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        only(self.ask(sent.as_bytes()))
    }

    pub(super) fn get_with(&self, fields: &str) -> Answer {
        let sent = format!("GET /index.html HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        only(self.ask(sent.as_bytes()))
    }

    /// Asks for the end and waits for it.
    pub(super) fn end(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .split("\r\n")
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Makes a file look as if it had been written long ago, so that its tag is strong.
pub(in crate::server) fn settle(file: &Path) {
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(file)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
}

pub(super) fn only(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

pub(super) fn answers(mut received: &[u8], to_head: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !received.is_empty() {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(received)));
        let head = String::from_utf8(received[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        received = &received[end + 4..];
        let length = answer
            .field("content-length")
            .map_or(0, |length| length.parse().unwrap());
        if !to_head && answer.status != "304" {
            let (body, rest) = received.split_at(length);
            answer.body = body.to_vec();
            received = rest;
        }
        answers.push(answer);
    }
    answers
}

/// How long a test waits for what has to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
