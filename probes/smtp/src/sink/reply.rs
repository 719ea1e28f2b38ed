//! What is said to a client?
//!
//! Every answer that the sink can give, with its code (RFC 5321, section 4.2) and its enhanced code
//! (RFC 3463). None repeats what the client has sent.

use std::fmt;

/// One answer, of one line but for the one to `EHLO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A line that is known beforehand, without its end.
    Fixed(&'static str),
    /// The greeting, with the sink's name.
    Greeting(String),
    /// The name, and what it offers.
    Offers(String, Vec<String>),
}

impl Reply {
    pub(super) const FAREWELL: Self = Self::Fixed("221 2.0.0 farewell");
    pub(super) const OK: Self = Self::Fixed("250 2.0.0 so be it");
    pub(super) const SENDER_OK: Self = Self::Fixed("250 2.1.0 that sender will do");
    pub(super) const RECIPIENT_OK: Self = Self::Fixed("250 2.1.5 it is known here");
    pub(super) const CHUNK_OK: Self = Self::Fixed("250 2.0.0 so far, so good");
    pub(super) const TAKEN: Self = Self::Fixed("250 2.0.0 taken, and gone");
    pub(super) const HELP: Self = Self::Fixed("214 2.0.0 see RFC 5321; mail ends here");
    pub(super) const MAYBE: Self = Self::Fixed("252 2.5.0 send it, and you will see");
    pub(super) const TLS_NOW: Self = Self::Fixed("220 2.0.0 begin with TLS");
    pub(super) const CONTENT_NOW: Self = Self::Fixed("354 go on, and end with a dot");

    pub(super) const STOPPING: Self = Self::Fixed("421 4.3.2 this sink is being closed");
    pub(super) const IDLE: Self = Self::Fixed("421 4.4.2 you have kept me waiting");
    pub(super) const TOO_LONG_HERE: Self = Self::Fixed("421 4.4.2 this session takes too long");
    pub(super) const FULL: Self = Self::Fixed("421 4.7.0 too many connections");
    pub(super) const TOO_MANY_COMMANDS: Self = Self::Fixed("421 4.7.0 too many commands");
    pub(super) const TOO_MANY_ERRORS: Self = Self::Fixed("421 4.7.0 too many errors");
    pub(super) const TOO_MANY_RECIPIENTS: Self = Self::Fixed("452 4.5.3 too many recipients");

    pub(super) const UNKNOWN: Self = Self::Fixed("500 5.5.1 no such command");
    pub(super) const BARE_LINE_END: Self = Self::Fixed("500 5.5.2 a line ends with CR and LF");
    pub(super) const LINE_TOO_LONG: Self = Self::Fixed("500 5.5.2 the line is too long");
    pub(super) const NOT_TEXT: Self = Self::Fixed("500 5.5.2 that is no UTF-8");
    pub(super) const NO_ARGUMENT: Self = Self::Fixed("501 5.5.4 nothing may follow this command");
    pub(super) const WHO: Self = Self::Fixed("501 5.5.4 and who are you?");
    pub(super) const PATH: Self = Self::Fixed("501 5.1.7 an address in angle brackets is missing");
    pub(super) const CHUNK: Self =
        Self::Fixed("501 5.5.4 BDAT is followed by a size, and maybe LAST");
    pub(super) const NOT_HERE: Self = Self::Fixed("502 5.5.1 not offered here");
    pub(super) const HELLO_FIRST: Self = Self::Fixed("503 5.5.1 say hello first");
    pub(super) const OTHER_HELLO: Self = Self::Fixed("500 5.5.1 that hello is of another protocol");
    pub(super) const ONE_AT_A_TIME: Self = Self::Fixed("503 5.5.1 one message at a time");
    pub(super) const SENDER_FIRST: Self = Self::Fixed("503 5.5.1 say who sends it first");
    pub(super) const RECIPIENT_FIRST: Self = Self::Fixed("503 5.5.1 nobody is to receive it");
    pub(super) const NOT_BOTH: Self = Self::Fixed("503 5.5.1 BDAT has begun this message");
    pub(super) const ALREADY_TLS: Self = Self::Fixed("503 5.5.1 it is encrypted already");
    pub(super) const PARAMETER: Self = Self::Fixed("555 5.5.4 no such parameter");
    pub(super) const NO_RELAY: Self =
        Self::Fixed("550 5.1.1 nobody of that address is here, and nothing is relayed");
    pub(super) const TOO_LARGE: Self = Self::Fixed("552 5.3.4 the message is too large");
    pub(super) const NOT_ANNOUNCED: Self =
        Self::Fixed("553 5.6.7 an address beyond ASCII needs SMTPUTF8");
    pub(super) const BARE_IN_CONTENT: Self =
        Self::Fixed("554 5.6.0 a line of the message ends otherwise than with CR and LF");
    pub(super) const OUT_OF_STEP: Self = Self::Fixed("554 5.5.0 you speak before it is your turn");

    /// Its code.
    pub(super) fn code(&self) -> u16 {
        let line = match self {
            Self::Fixed(line) => line,
            Self::Greeting(_) => "220",
            Self::Offers(..) => "250",
        };
        line[..3].parse().expect("every line begins with a code")
    }

    /// Whether it is the client's fault, for good.
    pub(super) fn is_error(&self) -> bool {
        self.code() >= 500
    }
}

impl fmt::Display for Reply {
    /// Writes it with the end of its lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(line) => write!(f, "{line}\r\n"),
            Self::Greeting(name) => {
                write!(f, "220 {name} ESMTP leadsman sink, nothing is relayed\r\n")
            }
            Self::Offers(name, offers) => {
                let Some((last, others)) = offers.split_last() else {
                    return write!(f, "250 {name}\r\n");
                };
                write!(f, "250-{name}\r\n")?;
                for offer in others {
                    write!(f, "250-{offer}\r\n")?;
                }
                write!(f, "250 {last}\r\n")
            }
        }
    }
}
