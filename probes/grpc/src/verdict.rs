//! What is an answer worth?
//!
//! Decided from the head, the body and the trailers alone. The status is that of gRPC where there is
//! one, else the one that stands for the HTTP status.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use leadsman_core::{Cause, Fault};

use super::health::{self, Health, Unreadable};
use super::status::{Code, Stated};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) status: StatusCode,
    pub(crate) head: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) trailers: Option<&'a HeaderMap>,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) code: Code,
    /// What the service says about itself, if it says anything.
    pub(crate) serving: Option<Health>,
    /// Why the run is not good, and the words for people.
    flaw: Option<(Cause, String)>,
}

impl Verdict {
    /// Judges what came.
    pub(crate) fn of(received: &Received<'_>) -> Self {
        let content_type = received.head.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let trailing = received.trailers.and_then(Stated::read);
        // An answer that is nothing but a status has it in its head ("Trailers-Only").
        let stated = trailing.or_else(|| Stated::read(received.head));
        let stated = stated.filter(|_| is_grpc(content_type));
        match stated {
            Some(Ok(stated)) if stated.code == Code::OK => Self::of_message(received),
            Some(Ok(Stated { code, message })) => {
                let words = match &*message {
                    "" => format!("the server answers {code}"),
                    message => format!("the server answers {code}: {message:?}"),
                };
                Self::flawed(code, Cause::Rejected, words)
            }
            Some(Err(text)) => {
                let words = format!("the field grpc-status is {text:?}, which is no status");
                Self::flawed(Code::UNKNOWN, Cause::Protocol, words)
            }
            None if received.status != StatusCode::OK => {
                let status = received.status.as_u16();
                let words = format!("the server answers with HTTP status {status} and no gRPC");
                Self::flawed(Code::of_http(received.status), Cause::Rejected, words)
            }
            None if is_grpc(content_type) => {
                let words = "the answer has no field grpc-status".to_owned();
                Self::flawed(Code::UNKNOWN, Cause::Protocol, words)
            }
            None => {
                let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
                let words = format!("the answer is not gRPC but of the type {content_type:?}");
                Self::flawed(Code::UNKNOWN, Cause::Protocol, words)
            }
        }
    }

    /// The status is good; what does the service say?
    fn of_message(received: &Received<'_>) -> Self {
        match health::answer(received.body) {
            Ok(serving) => Self {
                code: Code::OK,
                serving: Some(serving),
                flaw: match (serving, serving.name()) {
                    (Health::Serving, _) => None,
                    (Health::Other(number), _) => {
                        let words = format!("the service says {number}, which means nothing");
                        Some((Cause::Protocol, words))
                    }
                    (_, name) => {
                        let words = format!("the service is {}", name.unwrap_or_default());
                        Some((Cause::Rejected, words))
                    }
                },
            },
            Err(why) => {
                let coding = received.head.get("grpc-encoding");
                let coding = coding.filter(|_| why == Unreadable::Compressed);
                let coding = coding.map(|coding| format!(" (grpc-encoding {coding:?})"));
                let coding = coding.unwrap_or_default();
                let words = format!("the answer cannot be read: {why}{coding}");
                Self::flawed(Code::INTERNAL, Cause::Protocol, words)
            }
        }
    }

    /// Whether the run is good, and if not, why.
    pub(crate) fn result(&self) -> Result<(), Fault> {
        match &self.flaw {
            None => Ok(()),
            Some((cause, words)) => Err(Fault::target(*cause, words.clone())),
        }
    }

    fn flawed(code: Code, cause: Cause, words: String) -> Self {
        Self {
            code,
            serving: None,
            flaw: Some((cause, words)),
        }
    }
}

/// Whether a content type is gRPC's, with whatever format of messages.
fn is_grpc(content_type: Option<&[u8]>) -> bool {
    let Some(rest) = content_type.and_then(|text| text.strip_prefix(b"application/grpc")) else {
        return false;
    };
    matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let parsed = fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        parsed.collect()
    }

    fn check(
        status: u16,
        head: &HeaderMap,
        body: &[u8],
        trailers: Option<&HeaderMap>,
        expected: &str,
    ) {
        let verdict = Verdict::of(&Received {
            status: StatusCode::from_u16(status).unwrap(),
            head,
            body,
            trailers,
        });
        let health = verdict.serving.and_then(Health::name).unwrap_or("-");
        let ending = match verdict.result() {
            Ok(()) => "good".to_owned(),
            Err(fault) => format!("{}: {fault}", fault.reason()),
        };
        let said = format!("{} {health} {ending}", verdict.code.0);
        assert_eq!(said, expected, "{head:?} {body:02x?} {trailers:?}");
    }

    #[test]
    fn an_answer_with_a_good_status_is_worth_what_its_message_says() {
        for (body, expected) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], "0 SERVING good"),
            (
                b"\0\0\0\0\x02\x08\x02",
                "0 NOT_SERVING rejected: the service is NOT_SERVING",
            ),
            (b"\0\0\0\0\0", "0 UNKNOWN rejected: the service is UNKNOWN"),
            (
                b"\0\0\0\0\x02\x08\x09",
                "0 - protocol: the service says 9, which means nothing",
            ),
            (
                b"",
                "13 - protocol: the answer cannot be read: it holds no message",
            ),
            (
                b"\x01\0\0\0\0",
                "13 - protocol: the answer cannot be read: its message is compressed, which was \
                 not offered (grpc-encoding \"gzip\")",
            ),
        ] {
            for kind in ["application/grpc", "application/grpc+proto"] {
                let head = fields(&[("content-type", kind), ("grpc-encoding", "gzip")]);
                let trailers = fields(&[("grpc-status", "0")]);
                check(200, &head, body, Some(&trailers), expected);
            }
        }
    }

    #[test]
    fn a_status_is_that_of_the_trailers_or_else_of_the_head() {
        for (head, trailers, expected) in [
            (
                &[("grpc-status", "5"), ("grpc-message", "unknown%20service")][..],
                None,
                "5 - rejected: the server answers NOT_FOUND (5): \"unknown service\"",
            ),
            (
                &[("grpc-status", "12"), ("grpc-message", "%1B[2J")],
                None,
                "12 - rejected: the server answers UNIMPLEMENTED (12): \"\\u{1b}[2J\"",
            ),
            (
                &[("grpc-status", "0")],
                Some(&[("grpc-status", "16")][..]),
                "16 - rejected: the server answers UNAUTHENTICATED (16)",
            ),
            (
                &[],
                Some(&[("grpc-status", "fine")]),
                "2 - protocol: the field grpc-status is \"fine\", which is no status",
            ),
            (
                &[],
                None,
                "2 - protocol: the answer has no field grpc-status",
            ),
        ] {
            let mut head = fields(head);
            head.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            let trailers = trailers.map(fields);
            check(200, &head, b"", trailers.as_ref(), expected);
        }
    }

    #[test]
    fn what_is_not_grpc_stands_for_a_status() {
        for (status, kind, expected) in [
            (
                404,
                "text/html",
                "12 - rejected: the server answers with HTTP status 404 and no gRPC",
            ),
            (
                503,
                "",
                "14 - rejected: the server answers with HTTP status 503 and no gRPC",
            ),
            // gRPC's own status goes before that of HTTP.
            (
                503,
                "application/grpc",
                "8 - rejected: the server answers RESOURCE_EXHAUSTED (8)",
            ),
            (
                200,
                "application/grpc-web",
                "2 - protocol: the answer is not gRPC but of the type \"application/grpc-web\"",
            ),
        ] {
            let head = fields(&[("content-type", kind), ("grpc-status", "8")]);
            check(status, &head, b"", None, expected);
        }
    }
}
