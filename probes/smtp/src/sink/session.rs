//! How does one connection go?
//!
//! Reads lines and content within their times, and writes what the dialogue answers. Answers to
//! commands that were sent at once leave at once.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use leadsman_core::Stop;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::info;

use super::content::Content;
use super::counts::{Counts, Kind, Refused};
use super::dialogue::{Dialogue, Next, Policy, Received, Verdict};
use super::reply::Reply;
use super::tls::Tls;
use crate::delivery;

/// What all sessions have in common.
#[derive(Debug)]
pub(super) struct House {
    pub(super) policy: Arc<Policy>,
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Stop,
    /// Whether what happens is told in the log.
    pub(super) logs: bool,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For a line, from its first octet.
    pub(super) line: Duration,
    /// For its next octet.
    pub(super) idle: Duration,
    /// For all that it has to say.
    pub(super) session: Duration,
}

/// How a part of a session has ended.
enum End {
    /// With the session.
    Closed,
    /// With the client's wish for TLS.
    Tls,
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The client has gone.
    Gone,
    /// It was silent for too long, or too slow.
    Idle,
    /// The session takes too long.
    Session,
    /// Its line has no end in sight.
    Long,
    /// Its line ends otherwise than with CR and LF.
    Bare,
    /// The sink is being closed.
    Stopping,
}

impl House {
    /// Serves one client to the end.
    pub(super) async fn serve(&self, mut stream: TcpStream, peer: IpAddr) {
        let end = Instant::now() + self.limits.session;
        let mut dialogue = Dialogue::new(Arc::clone(&self.policy));
        let tls = self.tls.as_ref();
        if let Some(tls) = tls.filter(|tls| tls.is_implicit()) {
            return self.encrypted(tls, stream, dialogue, peer, end, true).await;
        }
        let session = Session::new(self, &mut stream, &mut dialogue, peer, end);
        if let (End::Tls, Some(tls)) = (session.converse(true).await, tls) {
            self.encrypted(tls, stream, dialogue, peer, end, false)
                .await;
        }
    }

    async fn encrypted(
        &self,
        tls: &Tls,
        stream: TcpStream,
        mut dialogue: Dialogue,
        peer: IpAddr,
        end: Instant,
        greets: bool,
    ) {
        let by = end.min(Instant::now() + self.limits.line);
        let Ok(Ok(accepted)) = timeout_at(by, tls.latest().accept(stream)).await else {
            self.refuse(Refused::Tls, peer);
            return;
        };
        let mut stream = accepted.stream;
        dialogue.secured();
        let session = Session::new(self, &mut stream, &mut dialogue, peer, end);
        // It is not offered twice, so that there is no other end.
        session.converse(greets).await;
        // So that the client knows that nothing was cut off (RFC 8446, section 6.1).
        _ = timeout(LAST_WORDS, stream.shutdown()).await;
    }

    /// Counts what was refused, and tells it if somebody wants that.
    pub(super) fn refuse(&self, why: Refused, peer: IpAddr) {
        self.counts.refuse(why);
        if self.logs {
            info!(%peer, reason = why.name(), "mail refused");
        }
    }

    /// Counts a message that was received, and tells its probe if there is one.
    fn note(&self, received: &Received, peer: IpAddr) {
        let kind = match received.verdict {
            Verdict::Taken(None) => Kind::Foreign,
            Verdict::Taken(Some(token)) => Kind::of(delivery::taken(token, Instant::now())),
            Verdict::TooLarge => return self.refuse(Refused::Size, peer),
            Verdict::Bare => return self.refuse(Refused::Bare, peer),
        };
        self.counts.take(kind, received.size);
        if self.logs {
            let to = received.recipients.join(" ");
            let (from, bytes, kind) = (&received.sender, received.size, kind.name());
            info!(%peer, from, to, bytes, kind, "mail taken");
        }
    }
}

/// One session, before TLS or in it.
struct Session<'a, S> {
    house: &'a House,
    stream: &'a mut S,
    dialogue: &'a mut Dialogue,
    peer: IpAddr,
    end: Instant,
    input: BytesMut,
    output: String,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(
        house: &'a House,
        stream: &'a mut S,
        dialogue: &'a mut Dialogue,
        peer: IpAddr,
        end: Instant,
    ) -> Self {
        Self {
            house,
            stream,
            dialogue,
            peer,
            end,
            input: BytesMut::new(),
            output: String::new(),
        }
    }

    /// Goes on until the client wants TLS, or the session is over.
    async fn converse(mut self, greets: bool) -> End {
        if greets {
            let greeting = self.dialogue.greeting();
            self.say(&greeting);
        }
        let lost = match self.commands().await {
            Ok(end) => return end,
            Err(lost) => lost,
        };
        let (last_words, why) = match lost {
            Lost::Gone => return End::Closed,
            Lost::Idle => (Reply::IDLE, Some(Refused::Timeout)),
            Lost::Session => (Reply::TOO_LONG_HERE, Some(Refused::Timeout)),
            Lost::Long => (Reply::LINE_TOO_LONG, Some(Refused::Commands)),
            Lost::Bare => (Reply::BARE_LINE_END, Some(Refused::Bare)),
            Lost::Stopping => (Reply::STOPPING, None),
        };
        if let Some(why) = why {
            self.house.refuse(why, self.peer);
        }
        self.say(&last_words);
        self.part().await;
        End::Closed
    }

    async fn commands(&mut self) -> Result<End, Lost> {
        loop {
            let line = self.line().await?;
            let more = !self.input.is_empty();
            match self.dialogue.obey(&line, more) {
                Next::Say(reply) => {
                    if reply == Reply::NO_RELAY {
                        self.house.refuse(Refused::Recipient, self.peer);
                    } else if reply == Reply::TOO_LARGE {
                        self.house.refuse(Refused::Size, self.peer);
                    }
                    self.say(&reply);
                }
                Next::Leave(reply) => {
                    if reply == Reply::OUT_OF_STEP {
                        self.house.refuse(Refused::Turn, self.peer);
                    } else if reply == Reply::TOO_LARGE {
                        self.house.refuse(Refused::Size, self.peer);
                    } else if reply != Reply::FAREWELL {
                        self.house.refuse(Refused::Commands, self.peer);
                    }
                    self.say(&reply);
                    self.part().await;
                    return Ok(End::Closed);
                }
                Next::Dotted => {
                    self.say(&Reply::CONTENT_NOW);
                    if !self.dotted().await? {
                        return Ok(End::Closed);
                    }
                }
                Next::Counted(chunk, refusal) => {
                    let mut left = chunk.size;
                    while left > 0 {
                        self.some().await?;
                        let here = usize::try_from(left).unwrap_or(usize::MAX);
                        let here = here.min(self.input.len());
                        if refusal.is_none() {
                            self.dialogue.take(&self.input[..here]);
                        }
                        self.input.advance(here);
                        left -= here as u64;
                    }
                    match refusal {
                        Some(reply) => {
                            if reply == Reply::TOO_LARGE {
                                self.house.refuse(Refused::Size, self.peer);
                            }
                            self.say(&reply);
                        }
                        None => match self.dialogue.chunk_ended(chunk) {
                            None => self.say(&Reply::CHUNK_OK),
                            Some(received) => self.settle(&received),
                        },
                    }
                }
                Next::Tls => {
                    self.say(&Reply::TLS_NOW);
                    self.flush().await?;
                    return Ok(End::Tls);
                }
            }
        }
    }

    /// Reads a message up to its dot; false if it was so large that it was not read to its end.
    async fn dotted(&mut self) -> Result<bool, Lost> {
        let mut content = Content::new();
        loop {
            self.some().await?;
            let taken = content.take_dotted(&self.input);
            self.input.advance(taken);
            if content.is_over() {
                let received = self.dialogue.received(&content);
                self.settle(&received);
                return Ok(true);
            }
            if content.size() > self.dialogue.most_read() {
                self.house.refuse(Refused::Size, self.peer);
                self.say(&Reply::TOO_LARGE);
                self.part().await;
                return Ok(false);
            }
        }
    }

    fn settle(&mut self, received: &Received) {
        self.house.note(received, self.peer);
        for reply in &received.replies {
            self.say(reply);
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<BytesMut, Lost> {
        let mut looked_at = 0;
        let mut by = None;
        loop {
            let end = self.input[looked_at..].iter().position(|b| *b == b'\n');
            if let Some(end) = end.map(|end| looked_at + end) {
                // What comes behind it may be read in two ways, so that none of it is read.
                let Some(before) = end.checked_sub(1).filter(|at| self.input[*at] == b'\r') else {
                    return Err(Lost::Bare);
                };
                if before > LONGEST_LINE {
                    return Err(Lost::Long);
                }
                let line = self.input.split_to(before);
                self.input.advance(2);
                return Ok(line);
            }
            looked_at = self.input.len();
            if looked_at > LONGEST_LINE {
                return Err(Lost::Long);
            }
            self.flush().await?;
            if self.input.is_empty() {
                let stop = self.house.stop.clone();
                tokio::select! {
                    read = self.read(None) => read?,
                    () = stop.requested() => return Err(Lost::Stopping),
                }
            } else {
                let by = *by.get_or_insert_with(|| Instant::now() + self.house.limits.line);
                self.read(Some(by)).await?;
            }
        }
    }

    /// Waits until there is something to take.
    async fn some(&mut self) -> Result<(), Lost> {
        if self.input.is_empty() {
            self.flush().await?;
            self.read(None).await?;
        }
        Ok(())
    }

    /// Reads something, by a time and within the patience that there is anyway.
    async fn read(&mut self, by: Option<Instant>) -> Result<(), Lost> {
        let idle = Instant::now() + self.house.limits.idle;
        let by = by.map_or(idle, |by| by.min(idle));
        self.input.reserve(MOST_AT_ONCE);
        let read = self.stream.read_buf(&mut self.input);
        match timeout_at(by.min(self.end), read).await {
            Ok(Ok(0) | Err(_)) => Err(Lost::Gone),
            Ok(Ok(_)) => Ok(()),
            Err(_) if self.end <= by => Err(Lost::Session),
            Err(_) => Err(Lost::Idle),
        }
    }

    fn say(&mut self, reply: &Reply) {
        write!(self.output, "{reply}").expect("writing to a String cannot fail");
    }

    /// Writes what was said.
    async fn flush(&mut self) -> Result<(), Lost> {
        if self.output.is_empty() {
            return Ok(());
        }
        let by = self.end.min(Instant::now() + self.house.limits.idle);
        let written = async {
            self.stream.write_all(self.output.as_bytes()).await?;
            self.stream.flush().await?;
            Ok::<_, io::Error>(())
        };
        let written = timeout_at(by, written).await;
        self.output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            // It does not listen, so that there is nothing to be said about it.
            Ok(Err(_)) | Err(_) => Err(Lost::Gone),
        }
    }

    /// Writes what was said last, if that can be done soon.
    async fn part(&mut self) {
        _ = timeout(LAST_WORDS, self.flush()).await;
        _ = timeout(LAST_WORDS, self.stream.shutdown()).await;
    }
}

/// Octets of a line without its end: 510, and what extensions add (RFC 5321, section 4.5.3.1.4).
const LONGEST_LINE: usize = 2048;
/// Octets that are read at once.
const MOST_AT_ONCE: usize = 8 << 10;
/// How long it may take to say farewell.
const LAST_WORDS: Duration = Duration::from_secs(1);
