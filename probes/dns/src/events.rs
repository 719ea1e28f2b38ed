//! What does a run say while it runs?
//!
//! Written by the probe, read back by the drawing, and by programs as `--json`.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Section};

/// A question is about to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) question: String,
    pub(crate) server: SocketAddr,
    /// UDP, TCP or TLS.
    pub(crate) over: Cow<'static, str>,
}

/// A message came that does not answer the question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ignored {
    pub(crate) why: Cow<'static, str>,
}

/// No answer came within a share of the time, and the question is asked again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unanswered {
    pub(crate) seconds: f64,
}

/// The answer over UDP did not fit, and the question is asked again over TCP.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Truncated {
    pub(crate) bytes: usize,
}

/// The answer that counts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) rcode: String,
    /// Those that are set.
    pub(crate) flags: Vec<Cow<'static, str>>,
    pub(crate) bytes: usize,
    pub(crate) answer: Records,
    pub(crate) authority: Records,
    pub(crate) additional: Records,
}

/// The records of a section.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) count: usize,
    /// The first hundred as text.
    pub(crate) texts: Vec<String>,
}

impl Asked {
    pub(crate) const NAME: &str = "asked";
}

impl Ignored {
    pub(crate) const NAME: &str = "ignored";
}

impl Unanswered {
    pub(crate) const NAME: &str = "unanswered";
}

impl Truncated {
    pub(crate) const NAME: &str = "truncated";
}

impl Answered {
    pub(crate) const NAME: &str = "answer";

    pub(crate) fn new(answer: &Answer) -> Self {
        let header = &answer.header;
        let flags = [
            ("aa", header.authoritative),
            ("tc", header.truncation),
            ("rd", header.recursion_desired),
            ("ra", header.recursion_available),
            ("ad", header.authentic_data),
            ("cd", header.checking_disabled),
        ];
        let set = flags.into_iter().filter(|(_, is_set)| *is_set);
        let records = |section| {
            let records = answer.section(section);
            let texts = records.iter().take(MOST_TEXTS);
            Records {
                count: records.len(),
                texts: texts.map(|record| answer.text(record)).collect(),
            }
        };
        Self {
            rcode: answer.rcode.to_string(),
            flags: set.map(|(flag, _)| flag.into()).collect(),
            bytes: answer.message.len(),
            answer: records(Section::Answer),
            authority: records(Section::Authority),
            additional: records(Section::Additional),
        }
    }
}

const MOST_TEXTS: usize = 100;
