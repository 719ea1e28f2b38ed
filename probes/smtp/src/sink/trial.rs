//! A sink on loopback for tests, and what it has seen.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leadsman_core::{Responder as _, Stopper};
use serde_json::{Value, json};
use tokio::runtime;

use super::counts::{Counts, Kind, Refused};
use super::options::SinkOptions;
use super::responder::MailSink;

/// A sink that runs until it is dropped.
pub(crate) struct Trial {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Trial {
    /// A sink for `probe@example.test` with these options besides.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is written where it is passed"
    )]
    pub(crate) fn with(options: Value) -> Self {
        let mut all = json!({
            "listen": "127.0.0.1:0",
            "recipients": ["probe@example.test"],
            "hostname": "sink.test",
        });
        for (key, value) in options.as_object().expect("an object") {
            all[key] = value.clone();
        }
        let options: SinkOptions = serde_json::from_value(all).expect("options");
        let sink = Box::new(MailSink::open(&options).expect("a port is free"));
        let (stopper, stop) = Stopper::new();
        let (address, counts) = (sink.address(), Arc::clone(&sink.counts));
        let serve = move || {
            let runtime = runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime");
            runtime.block_on(sink.serve(stop)).expect("it serves");
        };
        Self {
            address,
            counts,
            stopper,
            thread: Some(thread::spawn(serve)),
        }
    }

    /// How many messages it has taken, whosoever they are.
    pub(crate) fn messages(&self) -> u64 {
        let kinds = [Kind::InTime, Kind::Late, Kind::Unknown, Kind::Foreign];
        kinds.iter().map(|kind| self.counts.messages(*kind)).sum()
    }

    /// How many messages of one kind it has taken.
    pub(super) fn taken(&self, kind: Kind) -> u64 {
        self.counts.messages(kind)
    }

    /// How often it has refused for a reason.
    pub(super) fn refused(&self, why: Refused) -> u64 {
        self.counts.refused(why)
    }

    /// Asks it to end.
    pub(super) fn stop(&self) {
        self.stopper.stop();
    }

    /// A connection to it, whose greeting was read.
    pub(super) fn client(&self) -> Client {
        let mut client = Client(self.connect());
        assert!(client.line().starts_with("220 sink.test ESMTP "));
        client
    }

    /// A connection to it.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("it is not zero");
        stream
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.stopper.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        // A second panic would hide the first.
        if !thread::panicking() {
            ended.expect("it was started").expect("it does not panic");
        }
    }
}

/// Somebody who speaks to it.
pub(super) struct Client<S = TcpStream>(pub(super) S);

impl<S: std::io::Read + std::io::Write> Client<S> {
    /// Sends these octets.
    pub(super) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.0.write_all(octets.as_ref()).expect("it reads");
        self.0.flush().expect("it reads");
    }

    /// Reads one line of an answer, without its end; empty if there is none any more.
    pub(super) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut octet = [0];
        while !line.ends_with(b"\r\n") {
            match self.0.read(&mut octet) {
                Ok(1) => line.push(octet[0]),
                // Whether it has ended or was reset is a matter of time.
                _ => break,
            }
        }
        let line = String::from_utf8(line).expect("answers are text");
        line.trim_end().to_owned()
    }

    /// Reads a whole answer and returns its code, 0 if there is none.
    pub(super) fn code(&mut self) -> u16 {
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line
                    .get(..3)
                    .map_or(0, |code| code.parse().expect("a code"));
            }
        }
    }

    /// Says these lines one by one, each answered with its code.
    pub(super) fn say(&mut self, lines: &[(&str, u16)]) {
        for (line, expected) in lines {
            self.send(format!("{line}\r\n"));
            assert_eq!(self.code(), *expected, "{line}");
        }
    }

    /// Opens a message for who is there.
    pub(super) fn envelope(&mut self) {
        self.say(&[
            ("EHLO client.test", 250),
            ("MAIL FROM:<a@example.org>", 250),
            ("RCPT TO:<probe@example.test>", 250),
        ]);
    }
}
