//! What is asked, and is a message an answer to it?
//!
//! The message is built once; each time that it is sent only its id is new. Random ids and source
//! ports, and a question that has to come back, keep others from answering in the server's place
//! (RFC 5452, section 9).

use std::fmt;

use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

use crate::codes::{Class, Kind};
use crate::text;

/// A question, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    name: Name,
    kind: Kind,
    class: Class,
    /// The message behind its length, as it goes over a stream (RFC 1035, section 4.2.2).
    message: Vec<u8>,
}

/// What is sent with a question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Bit RD.
    pub(crate) recursion_desired: bool,
    /// Most bytes to take in a datagram, if EDNS is spoken (RFC 6891, section 6.2.3).
    pub(crate) buffer: Option<u16>,
    /// Bit DO, for records of DNSSEC (RFC 3225).
    pub(crate) dnssec: bool,
}

/// What a message is to somebody who has asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// The question that was asked.
    This,
    /// Something else, which is ignored as a resolver does; in words.
    Other(&'static str),
    /// It cannot be read.
    Garbage,
}

impl Question {
    pub(crate) fn new(name: &Name, kind: Kind, class: Class, manner: Manner) -> Self {
        let mut message = Message::new(0, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = manner.recursion_desired;
        let mut query = Query::query(name.clone(), RecordType::from(kind.0));
        query.set_query_class(class.0.into());
        message.add_query(query);
        if let Some(size) = manner.buffer {
            let mut edns = Edns::new();
            edns.set_max_payload(size).set_dnssec_ok(manner.dnssec);
            message.set_edns(edns);
        }
        let bytes = message.to_vec();
        let bytes = bytes.expect("a name that was read can be written, and nothing else can fail");
        let length = bytes.len() as u16;
        Self {
            name: name.clone(),
            kind,
            class,
            message: [&length.to_be_bytes()[..], &bytes].concat(),
        }
    }

    /// What is asked for.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives it an id that nobody can guess, and returns it.
    pub(crate) fn renew(&mut self) -> u16 {
        let id = Message::query().metadata.id;
        self.message[2..4].copy_from_slice(&id.to_be_bytes());
        id
    }

    /// As it goes in a datagram.
    pub(crate) fn datagram(&self) -> &[u8] {
        &self.message[2..]
    }

    /// As it goes over a stream, behind its length.
    pub(crate) fn streamed(&self) -> &[u8] {
        &self.message
    }

    /// Whether a message is the answer to this, sent with `id`.
    ///
    /// One without any question is taken if it reports an error: whoever cannot read a question
    /// cannot repeat it.
    pub(crate) fn is_answered_by(&self, message: &[u8], id: u16) -> Answers {
        if !message.starts_with(&id.to_be_bytes()) {
            return Answers::Other("it has the id of no question");
        }
        let mut decoder = BinDecoder::new(message);
        let Ok(header) = Header::read(&mut decoder) else {
            return Answers::Garbage;
        };
        if header.message_type == MessageType::Query {
            return Answers::Other("it is a question itself");
        }
        match header.counts.queries {
            0 if header.response_code.low() != 0 => return Answers::This,
            1 => {}
            _ => return Answers::Other("it does not repeat the question"),
        }
        match Query::read(&mut decoder) {
            Ok(query) if self.is(&query) => Answers::This,
            Ok(_) => Answers::Other("it answers another question"),
            Err(_) => Answers::Garbage,
        }
    }

    fn is(&self, query: &Query) -> bool {
        let (kind, class) = (u16::from(query.query_type), u16::from(query.query_class));
        // Names are the same in any case (RFC 4343).
        kind == self.kind.0 && class == self.class.0 && query.name.eq_ignore_root(&self.name)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = String::new();
        text::name(&self.name, &mut name)?;
        write!(f, "{name} {} {}", self.class, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Question {
        let name = Name::from_ascii("a.test.").unwrap();
        let manner = Manner {
            recursion_desired: true,
            buffer: Some(1232),
            dnssec: true,
        };
        Question::new(&name, Kind(16), Class(3), manner)
    }

    #[test]
    fn a_question_is_built_as_it_was_meant() {
        let mut question = asked();
        let id = question.renew();
        let mut expected = id.to_be_bytes().to_vec();
        // RD, one question, one additional record.
        expected.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        expected.extend(b"\x01a\x04test\0\0\x10\0\x03");
        // The root, OPT, 1232 bytes, no upper code, version 0, DO, nothing more.
        expected.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
        assert_eq!(question.datagram(), expected);
        let length = (expected.len() as u16).to_be_bytes();
        assert_eq!(question.streamed(), [&length, &expected[..]].concat());
    }

    #[test]
    fn ids_are_not_the_same_each_time() {
        let mut question = asked();
        let ids: std::collections::BTreeSet<_> = (0..64).map(|_| question.renew()).collect();
        assert!(ids.len() > 32, "{ids:?}");
    }

    #[test]
    fn only_the_answer_to_the_question_is_taken() {
        let other = Answers::Other;
        for (message, expected) in [
            (&b""[..], other("it has the id of no question")),
            (b"\x12", other("it has the id of no question")),
            (b"\x12\x35\x80\0", other("it has the id of no question")),
            (b"\x12\x34\x80", Answers::Garbage),
            (
                b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x10\0\x03",
                other("it is a question itself"),
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x10\0\x03",
                Answers::This,
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01A\x04tESt\0\0\x10\0\x03",
                Answers::This,
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01b\x04test\0\0\x10\0\x03",
                other("it answers another question"),
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x03",
                other("it answers another question"),
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x10\0\x01",
                other("it answers another question"),
            ),
            (
                b"\x12\x34\x80\0\0\x01\0\0\0\0\0\0\x01a\x04te",
                Answers::Garbage,
            ),
            (b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0", Answers::This),
            (
                b"\x12\x34\x80\0\0\0\0\0\0\0\0\0",
                other("it does not repeat the question"),
            ),
            (
                b"\x12\x34\x80\0\0\x02\0\0\0\0\0\0",
                other("it does not repeat the question"),
            ),
        ] {
            let answers = asked().is_answered_by(message, 0x1234);
            assert_eq!(answers, expected, "{message:?}");
        }
    }
}
