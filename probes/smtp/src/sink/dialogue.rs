//! What is answered to a command, and what may come next?
//!
//! Decides, and touches no socket. A message goes nowhere from here: there is a list of addresses
//! that it may be for, and what was received for them is looked at and forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::message::Token;

use super::command::{Chunk, Command, Hello, Sender};
use super::content::Content;
use super::reply::Reply;

/// What holds for all sessions.
#[derive(Debug)]
pub(super) struct Policy {
    /// What the sink calls itself.
    pub(super) host: String,
    /// Who is here.
    pub(super) recipients: Recipients,
    /// Octets of a message.
    pub(super) max_size: u64,
    /// Whether TLS can be begun with a command.
    pub(super) offers_tls: bool,
    /// Whether LMTP is spoken (RFC 2033).
    pub(super) is_lmtp: bool,
}

/// Addresses that are known.
#[derive(Debug, Default)]
pub(super) struct Recipients(BTreeSet<String>);

/// One session.
#[derive(Debug)]
pub(super) struct Dialogue {
    policy: Arc<Policy>,
    greeted: Option<Hello>,
    is_secure: bool,
    message: Option<Message>,
    commands: usize,
    errors: usize,
}

/// A message that is being sent.
#[derive(Debug)]
struct Message {
    sender: Sender,
    recipients: Vec<String>,
    /// What was received of it with `BDAT`.
    chunks: Option<Content>,
}

/// What is to be done after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To answer, and to read another command.
    Say(Reply),
    /// To answer, and to close the connection.
    Leave(Reply),
    /// To ask for content, and to read it up to its dot.
    Dotted,
    /// To read so many octets: of content, or, with an answer to it, of nothing.
    Counted(Chunk, Option<Reply>),
    /// To begin TLS.
    Tls,
}

/// What came of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Who has sent it, by the envelope.
    pub(super) sender: String,
    /// For whom.
    pub(super) recipients: Vec<String>,
    /// Octets.
    pub(super) size: u64,
    /// Whether it was taken, and with which token.
    pub(super) verdict: Verdict,
    /// What is answered; in LMTP once for each recipient.
    pub(super) replies: Vec<Reply>,
}

/// Whether a message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was, and has this token of ours, if any.
    Taken(Option<Token>),
    /// It was too large.
    TooLarge,
    /// Its lines were not all ended as they have to be.
    Bare,
}

impl Recipients {
    /// These addresses; nobody writes domains in one way.
    pub(super) fn new(addresses: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(addresses.into_iter().map(|a| normal(a.as_ref())).collect())
    }

    fn know(&self, address: &str) -> bool {
        self.0.contains(&normal(address))
    }
}

/// An address with its domain in lower case; what is before it means something only to its host
/// (RFC 5321, section 2.4).
fn normal(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => address.to_owned(),
    }
}

impl Dialogue {
    /// A session that has just begun.
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy,
            greeted: None,
            is_secure: false,
            message: None,
            commands: 0,
            errors: 0,
        }
    }

    /// What is said first.
    pub(super) fn greeting(&self) -> Reply {
        Reply::Greeting(self.policy.host.clone())
    }

    /// TLS has begun: nothing that was said before is believed (RFC 3207, section 4.2).
    pub(super) fn secured(&mut self) {
        self.is_secure = true;
        self.greeted = None;
        self.message = None;
    }

    /// Answers a line without its end; `more` if something was received already behind it.
    pub(super) fn obey(&mut self, line: &[u8], more: bool) -> Next {
        self.commands += 1;
        if self.commands > MOST_COMMANDS {
            return Next::Leave(Reply::TOO_MANY_COMMANDS);
        }
        let next = match Command::read(line) {
            Ok(command) => self.answer(command, more),
            Err(reply) => Next::Say(reply),
        };
        let refused = match &next {
            Next::Say(reply) | Next::Counted(_, Some(reply)) => reply.is_error(),
            _ => false,
        };
        if refused {
            self.errors += 1;
            if self.errors > MOST_ERRORS {
                return Next::Leave(Reply::TOO_MANY_ERRORS);
            }
        }
        next
    }

    fn answer(&mut self, command: Command, more: bool) -> Next {
        // These have to be the last of what is sent at once (RFC 2920, section 3.1), or else what
        // follows is read as something that its sender did not mean.
        let alone = matches!(
            command,
            Command::Hello(_) | Command::Data | Command::StartTls
        );
        if alone && more {
            return Next::Leave(Reply::OUT_OF_STEP);
        }
        match command {
            Command::Hello(hello) => Next::Say(self.greet(hello)),
            Command::Mail(sender) => Next::Say(self.begin(sender)),
            Command::Rcpt(recipient) => Next::Say(self.add(recipient)),
            Command::Data => match &self.message {
                None => Next::Say(self.no_message()),
                Some(message) if message.recipients.is_empty() => Next::Say(Reply::RECIPIENT_FIRST),
                Some(message) if message.chunks.is_some() => Next::Say(Reply::NOT_BOTH),
                Some(_) => Next::Dotted,
            },
            Command::Bdat(chunk) => self.chunk(chunk),
            Command::Rset => {
                self.message = None;
                Next::Say(Reply::OK)
            }
            Command::Noop => Next::Say(Reply::OK),
            Command::Vrfy => Next::Say(Reply::MAYBE),
            Command::Help => Next::Say(Reply::HELP),
            Command::StartTls if !self.policy.offers_tls => Next::Say(Reply::NOT_HERE),
            Command::StartTls if self.is_secure => Next::Say(Reply::ALREADY_TLS),
            Command::StartTls => Next::Tls,
            Command::Quit => Next::Leave(Reply::FAREWELL),
        }
    }

    fn greet(&mut self, hello: Hello) -> Reply {
        if self.policy.is_lmtp != (hello == Hello::Lhlo) {
            return Reply::OTHER_HELLO;
        }
        self.greeted = Some(hello);
        self.message = None;
        let host = self.policy.host.clone();
        if hello == Hello::Helo {
            return Reply::Offers(host, Vec::new());
        }
        let mut offers = vec![
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.policy.max_size),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "CHUNKING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        if self.policy.offers_tls && !self.is_secure {
            offers.push("STARTTLS".to_owned());
        }
        Reply::Offers(host, offers)
    }

    fn begin(&mut self, sender: Sender) -> Reply {
        if self.greeted.is_none() {
            return Reply::HELLO_FIRST;
        }
        if self.message.is_some() {
            return Reply::ONE_AT_A_TIME;
        }
        if sender.size.is_some_and(|size| size > self.policy.max_size) {
            return Reply::TOO_LARGE;
        }
        if !sender.international && !sender.address.is_ascii() {
            return Reply::NOT_ANNOUNCED;
        }
        self.message = Some(Message {
            sender,
            recipients: Vec::new(),
            chunks: None,
        });
        Reply::SENDER_OK
    }

    fn add(&mut self, recipient: String) -> Reply {
        let Some(message) = &mut self.message else {
            return self.no_message();
        };
        if message.chunks.is_some() {
            return Reply::NOT_BOTH;
        }
        if !message.sender.international && !recipient.is_ascii() {
            return Reply::NOT_ANNOUNCED;
        }
        if !self.policy.recipients.know(&recipient) {
            return Reply::NO_RELAY;
        }
        if message.recipients.len() >= MOST_RECIPIENTS {
            return Reply::TOO_MANY_RECIPIENTS;
        }
        message.recipients.push(recipient);
        Reply::RECIPIENT_OK
    }

    fn chunk(&mut self, chunk: Chunk) -> Next {
        let refused = match &mut self.message {
            None => Some(self.no_message()),
            Some(message) if message.recipients.is_empty() => Some(Reply::RECIPIENT_FIRST),
            Some(message) => {
                let so_far = message.chunks.get_or_insert_with(Content::new).size();
                let is_over = so_far.saturating_add(chunk.size) > self.policy.max_size;
                is_over.then_some(Reply::TOO_LARGE)
            }
        };
        match refused {
            // It is read nevertheless, for its sender has sent it behind the command, but only if
            // that has an end.
            Some(reply) if chunk.size > self.most_read() => Next::Leave(reply),
            Some(reply) => {
                // Nothing may follow that would make a whole of what is left.
                self.message = None;
                Next::Counted(chunk, Some(reply))
            }
            None => Next::Counted(chunk, None),
        }
    }

    /// What is missing for a message.
    fn no_message(&self) -> Reply {
        match self.greeted {
            None => Reply::HELLO_FIRST,
            Some(_) => Reply::SENDER_FIRST,
        }
    }

    /// Takes a part of a chunk.
    pub(super) fn take(&mut self, octets: &[u8]) {
        let message = self.message.as_mut();
        if let Some(content) = message.and_then(|message| message.chunks.as_mut()) {
            content.take_counted(octets);
        }
    }

    /// A chunk has been taken: the whole message if it was the last one.
    pub(super) fn chunk_ended(&mut self, chunk: Chunk) -> Option<Received> {
        if !chunk.is_last {
            return None;
        }
        let content = self.message.as_mut()?.chunks.take()?;
        Some(self.received(&content))
    }

    /// A message has been received as a whole; another may begin.
    pub(super) fn received(&mut self, content: &Content) -> Received {
        let message = self.message.take();
        let (sender, recipients) = match message {
            Some(message) => (message.sender.address, message.recipients),
            None => (String::new(), Vec::new()),
        };
        let (verdict, reply) = if content.size() > self.policy.max_size {
            (Verdict::TooLarge, Reply::TOO_LARGE)
        } else if content.has_bare() {
            (Verdict::Bare, Reply::BARE_IN_CONTENT)
        } else {
            (Verdict::Taken(content.token()), Reply::TAKEN)
        };
        let times = if self.policy.is_lmtp {
            recipients.len()
        } else {
            1
        };
        Received {
            sender,
            recipients,
            size: content.size(),
            verdict,
            replies: vec![reply; times],
        }
    }

    /// Octets of a message beyond which nothing more of it is read.
    pub(super) fn most_read(&self) -> u64 {
        self.policy
            .max_size
            .saturating_mul(2)
            .saturating_add(64 << 10)
    }
}

/// Commands of a session, errors among them, and recipients of a message (RFC 5321, section
/// 4.5.3.1.8).
const MOST_COMMANDS: usize = 100;
const MOST_ERRORS: usize = 10;
const MOST_RECIPIENTS: usize = 100;

#[cfg(test)]
mod tests;
