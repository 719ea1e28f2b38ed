//! How is a dialogue led over a connection?
//!
//! The thin layer of I/O around [`super::dialogue`]: it writes and reads what is decided there,
//! times each phase and keeps its limit. What is seen of it, and what it is led for, is the
//! caller's affair.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use leadsman_core::{Cause, Fault};
use leadsman_dial::{Laps, Protocol, Shown, Tls, failure};
use tokio::time::{Instant, timeout_at};

use super::dialogue::{Dialogue, Line, Loss, Step};
use super::phase::{Outcome, Phase};
use super::reply::Reply;
use super::wire::{Wire, Written};

/// How long what may take, each at most what is left of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Until the server has greeted.
    pub(crate) greeting: Duration,
    /// A command with its answer, a handshake, and the writing of a message.
    pub(crate) command: Duration,
    /// The answer to a message.
    pub(crate) accept: Duration,
}

/// A dialogue over a connection.
#[derive(Debug)]
pub(crate) struct Conversation<'l> {
    pub(crate) dialogue: Dialogue,
    pub(crate) wire: Wire,
    pub(crate) peer: SocketAddr,
    pub(crate) laps: &'l mut Laps<Phase>,
    pub(crate) limits: Limits,
    /// How TLS is spoken, and with whom; not asked for where none is wanted.
    pub(crate) tls: Option<(Tls, String)>,
    /// What the server showed of itself in TLS, and what was agreed on.
    pub(crate) shown: Option<Shown>,
    pub(crate) agreed: Option<Protocol>,
    /// When the phase that is under way has to be over.
    until: Instant,
}

/// What has happened.
#[derive(Debug)]
pub(crate) enum Happening {
    /// This was written.
    Said(Line),
    /// This was heard.
    Heard(Phase, Reply),
    /// TLS is agreed on, or is not.
    Shook,
    /// The message is wanted: see [`Dialogue::content`].
    Compose,
    /// It is over.
    Over,
}

impl<'l> Conversation<'l> {
    /// Begins over a connection that is there; the phase of the connection ends now.
    pub(crate) fn begin(
        dialogue: Dialogue,
        wire: Wire,
        peer: SocketAddr,
        laps: &'l mut Laps<Phase>,
        limits: Limits,
        tls: Option<(Tls, String)>,
    ) -> Self {
        let mut conversation = Self {
            until: Instant::now(),
            dialogue,
            wire,
            peer,
            laps,
            limits,
            tls,
            shown: None,
            agreed: None,
        };
        conversation.enter(conversation.dialogue.phase());
        conversation
    }

    /// Takes the next step.
    pub(crate) async fn advance(&mut self) -> Happening {
        loop {
            match self.dialogue.next() {
                Step::Say(line) => {
                    if self.listen_first(&line) {
                        self.say(&line).await;
                        return Happening::Said(line);
                    }
                }
                Step::Hear => self.hear().await,
                Step::Heard(phase, reply) => return Happening::Heard(phase, reply),
                Step::Compose => {
                    self.enter(Phase::Own);
                    return Happening::Compose;
                }
                Step::Handshake => {
                    self.enter(Phase::Tls);
                    self.shake().await;
                    return Happening::Shook;
                }
                Step::Close => return Happening::Over,
            }
        }
    }

    /// Looks whether anything came that nobody asked for, and tells whether to go on.
    fn listen_first(&mut self, line: &Line) -> bool {
        if line.phase == Phase::Quit {
            return true;
        }
        let mut buffer = [0; CHUNK];
        match self.wire.read_now(&mut buffer) {
            None => true,
            Some(Ok(0)) => {
                self.lose(&io::ErrorKind::UnexpectedEof.into());
                false
            }
            Some(Ok(length)) => {
                self.dialogue.feed(&buffer[..length]);
                self.dialogue.interrupted()
            }
            Some(Err(error)) => {
                self.lose(&error);
                false
            }
        }
    }

    async fn say(&mut self, line: &Line) {
        self.enter(line.phase);
        if line.phase != Phase::Body {
            match timeout_at(self.until, self.wire.write(&line.bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.lose(&error),
                Err(_) => self.late(),
            }
            return;
        }
        let mut heard = [0; CHUNK];
        // A server may break off a message at any time, and must not take it before its end.
        for block in line.bytes.chunks(BLOCK) {
            let writing = self.wire.write_unless_heard(block, &mut heard);
            match timeout_at(self.until, writing).await {
                Ok(Ok(Written::All)) => {}
                Ok(Ok(Written::Heard(0))) => {
                    return self.lose(&io::ErrorKind::UnexpectedEof.into());
                }
                Ok(Ok(Written::Heard(length))) => {
                    self.dialogue.feed(&heard[..length]);
                    // What is left of the block cannot be told any more.
                    if self.dialogue.interrupted() {
                        let detail = "the server broke off the message".to_owned();
                        self.dialogue.lost(Loss::Broken(Cause::Protocol), detail);
                    }
                    return;
                }
                Ok(Err(error)) => return self.lose(&error),
                Err(_) => return self.late(),
            }
            let is_last = block.as_ptr_range().end == line.bytes.as_ptr_range().end;
            if !is_last && !self.listen_first(line) {
                return;
            }
        }
        // From now on nobody but the server knows what becomes of it.
        self.dialogue.sent();
        self.enter(Phase::Accept);
    }

    async fn hear(&mut self) {
        let mut buffer = [0; CHUNK];
        match timeout_at(self.until, self.wire.read(&mut buffer)).await {
            Ok(Ok(0)) => self.lose(&io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(length)) => self.dialogue.feed(&buffer[..length]),
            Ok(Err(error)) => self.lose(&error),
            Err(_) => self.late(),
        }
        // Replies to commands that went out together end one phase after the other.
        let phase = self.dialogue.phase();
        if self.laps.running() != Some(phase) && phase != Phase::Quit {
            self.enter(phase);
        }
    }

    async fn shake(&mut self) {
        let Wire::Plain(stream) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            let detail = "TLS within TLS is not spoken".to_owned();
            return self.dialogue.give_up(None, None, detail);
        };
        let Some((tls, name)) = &self.tls else {
            let detail = "no TLS was made ready".to_owned();
            return self.dialogue.give_up(None, None, detail);
        };
        let shaken = tls.handshake(stream, self.peer, name, &[]);
        let Ok(handshake) = timeout_at(self.until, shaken).await else {
            return self.late();
        };
        let verified = handshake.shown.as_ref().is_some_and(|s| s.trust.is_ok());
        self.shown = handshake.shown;
        match handshake.stream {
            Ok(stream) => {
                self.agreed = Some(Protocol::of(&stream));
                self.wire = Wire::Secure(Box::new(stream));
                self.dialogue.secured(verified);
                if self.dialogue.phase() == Phase::Banner {
                    self.enter(Phase::Banner);
                }
            }
            Err(Fault::Target(cause, detail)) => {
                let (outcome, detail) = (Outcome::TlsFailed, detail.into_owned());
                self.dialogue.give_up(Some(outcome), Some(cause), detail);
            }
            Err(own) => {
                let detail = own.to_string();
                self.dialogue.give_up(None, None, detail);
            }
        }
    }

    /// Goes on to a phase, with all the time that it has.
    fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        self.laps.enter_at(phase, now);
        let limit = match phase {
            Phase::Banner => self.limits.greeting,
            Phase::Accept => self.limits.accept,
            Phase::Quit => self.limits.command.min(FAREWELL),
            _ => self.limits.command,
        };
        self.until = now + limit;
    }

    fn lose(&mut self, error: &io::Error) {
        let doing = format!("the connection with {} broke off", self.peer);
        match failure(self.peer, &doing, error) {
            Fault::Target(cause, detail) => {
                let loss = Loss::Broken(match cause {
                    Cause::Timeout => Cause::Reset,
                    cause => cause,
                });
                self.dialogue.lost(loss, detail.into_owned());
            }
            own @ Fault::Own(..) => self
                .dialogue
                .lost(Loss::Broken(Cause::Reset), own.to_string()),
        }
        self.wire = Wire::Gone;
    }

    fn late(&mut self) {
        let detail = format!("nothing came from {} in time", self.peer);
        self.dialogue.lost(Loss::Late, detail);
    }
}

/// How much is read at a time.
const CHUNK: usize = 4096;
/// How much of a message is written before the next look at what the server says.
const BLOCK: usize = 16 * 1024;
/// How long an answer to QUIT is waited for, which changes nothing.
const FAREWELL: Duration = Duration::from_secs(2);
