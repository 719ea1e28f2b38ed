//! What does a gRPC status say, and which one stands for an answer without any?
//!
//! The numbers and the mappings are those of gRPC's own documents: `statuscodes.md`,
//! `http-grpc-status-mapping.md` and `PROTOCOL-HTTP2.md`. Whose fault a status is, is decided in
//! [`super::verdict`].

use std::fmt;

use h2::Reason;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use percent_encoding::percent_decode;

/// The status of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

/// The status that a server wrote, with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) code: Code,
    /// For people; empty if there are none. What it is made of was the server's choice.
    pub(crate) message: String,
}

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// What an answer without a status means by its HTTP status.
    pub(crate) fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502 | 503 | 504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// What it means that a server ended the stream for this reason (RFC 9113, section 7).
    pub(crate) fn of_reset(reason: Reason) -> Self {
        match reason {
            Reason::REFUSED_STREAM => Self::UNAVAILABLE,
            Reason::CANCEL => Self::CANCELLED,
            Reason::ENHANCE_YOUR_CALM => Self::RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => Self::PERMISSION_DENIED,
            _ => Self::INTERNAL,
        }
    }
}

impl Stated {
    /// Reads `grpc-status` and `grpc-message`. `None` if there is no status; the text of one that is
    /// no number is the error.
    pub(crate) fn read(fields: &HeaderMap) -> Option<Result<Self, String>> {
        let status = fields.get("grpc-status")?.as_bytes();
        let number = std::str::from_utf8(status).ok();
        let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(code) = number.and_then(|text| text.parse().ok()) else {
            return Some(Err(String::from_utf8_lossy(status).into_owned()));
        };
        let message = fields.get("grpc-message");
        Some(Ok(Self {
            code: Code(code),
            message: message.map_or_else(String::new, |field| message_of(field.as_bytes())),
        }))
    }
}

/// Takes off the percent-encoding of a message. What is encoded wrongly is shown as it is: the
/// document forbids to lose the message for that.
pub(crate) fn message_of(field: &[u8]) -> String {
    let bytes: Vec<u8> = percent_decode(field).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Its name, and its number.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "status {}", self.0),
        }
    }
}

/// By their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_its_words() {
        let stated = |code, message: &str| {
            let message = message.to_owned();
            Some(Ok(Stated {
                code: Code(code),
                message,
            }))
        };
        for (status, message, expected) in [
            (None, Some("x"), None),
            (Some("0"), None, stated(0, "")),
            (
                Some("5"),
                Some("no%20such service"),
                stated(5, "no such service"),
            ),
            (
                Some("5"),
                Some("gr%C3%BCn 100% %zz%"),
                stated(5, "gr\u{fc}n 100% %zz%"),
            ),
            (
                Some("13"),
                Some("%ff%1b[2J"),
                stated(13, "\u{fffd}\u{1b}[2J"),
            ),
            (Some("99"), None, stated(99, "")),
            (Some(""), None, Some(Err(String::new()))),
            (Some("-1"), None, Some(Err("-1".to_owned()))),
            (Some("+1"), None, Some(Err("+1".to_owned()))),
            (
                Some("99999999999"),
                None,
                Some(Err("99999999999".to_owned())),
            ),
        ] {
            let mut fields = HeaderMap::new();
            let written = [("grpc-status", status), ("grpc-message", message)];
            for (name, value) in written {
                if let Some(value) = value {
                    fields.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(Stated::read(&fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn every_answer_without_a_status_stands_for_one() {
        for (status, expected) in [
            (400, "INTERNAL (13)"),
            (401, "UNAUTHENTICATED (16)"),
            (403, "PERMISSION_DENIED (7)"),
            (404, "UNIMPLEMENTED (12)"),
            (429, "UNAVAILABLE (14)"),
            (503, "UNAVAILABLE (14)"),
            (500, "UNKNOWN (2)"),
            (200, "UNKNOWN (2)"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Code::of_http(status).to_string(), expected, "{status}");
        }
        for (reason, expected) in [
            (Reason::NO_ERROR, "INTERNAL (13)"),
            (Reason::REFUSED_STREAM, "UNAVAILABLE (14)"),
            (Reason::CANCEL, "CANCELLED (1)"),
            (Reason::ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED (8)"),
            (Reason::INADEQUATE_SECURITY, "PERMISSION_DENIED (7)"),
            (Reason::from(77), "INTERNAL (13)"),
        ] {
            assert_eq!(Code::of_reset(reason).to_string(), expected, "{reason:?}");
        }
        assert_eq!(Code(17).to_string(), "status 17");
    }
}
