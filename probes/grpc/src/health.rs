//! What do the two messages of `grpc.health.v1.Health/Check` look like?
//!
//! Each is one field of Protocol Buffers behind the five bytes that gRPC puts before a message: too
//! little for a compiler of schemas. Bytes in, meaning out; nothing here sends or waits.

/// What a service says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It does not know yet.
    Unknown,
    /// It is well.
    Serving,
    /// It is not.
    NotServing,
    /// There is no such service; only the streaming call says so.
    ServiceUnknown,
    /// A number that the schema does not have.
    Other(i32),
}

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// There is no message.
    #[error("it holds no message")]
    Missing,
    /// There is more than one.
    #[error("it holds more than one message")]
    More,
    /// It ends before its length.
    #[error("its message is cut off")]
    Cut,
    /// Its message is compressed.
    #[error("its message is compressed, which was not offered")]
    Compressed,
    /// The byte that says whether it is compressed is neither 0 nor 1.
    #[error("its message begins with a flag of {0}")]
    Flag(u8),
    /// The message is no Protocol Buffers.
    #[error("its message is not in Protocol Buffers")]
    Malformed,
}

impl Health {
    /// Its name in the schema.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some(NAMES[0]),
            Self::Serving => Some(NAMES[1]),
            Self::NotServing => Some(NAMES[2]),
            Self::ServiceUnknown => Some(NAMES[3]),
            Self::Other(_) => None,
        }
    }

    pub(crate) const fn of(number: i32) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Serving,
            2 => Self::NotServing,
            3 => Self::ServiceUnknown,
            other => Self::Other(other),
        }
    }

    /// Its number in the schema.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::Serving => 1,
            Self::NotServing => 2,
            Self::ServiceUnknown => 3,
            Self::Other(number) => number,
        }
    }
}

/// The question: how is this service? The empty name stands for the whole server.
pub(crate) fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(SERVICE);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    enclosed(&message)
}

/// Reads the body of an answer: exactly one message (gRPC over HTTP2, "Length-Prefixed-Message").
pub(crate) fn answer(body: &[u8]) -> Result<Health, Unreadable> {
    let Some((flag, rest)) = body.split_first() else {
        return Err(Unreadable::Missing);
    };
    match flag {
        0 => {}
        1 => return Err(Unreadable::Compressed),
        other => return Err(Unreadable::Flag(*other)),
    }
    let (length, rest) = rest.split_first_chunk().ok_or(Unreadable::Cut)?;
    let length = u32::from_be_bytes(*length) as usize;
    match rest.len() {
        longer if longer > length => Err(Unreadable::More),
        shorter if shorter < length => Err(Unreadable::Cut),
        _ => status(rest).ok_or(Unreadable::Malformed),
    }
}

/// The field `status` of a `HealthCheckResponse`; the last one counts, and none at all is 0. Fields
/// that the schema does not have are passed over.
fn status(mut message: &[u8]) -> Option<Health> {
    let mut status = Health::Unknown;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        let field = u32::try_from(key >> 3).ok()?;
        if field == 0 || field > LAST_FIELD {
            return None;
        }
        let skipped = match key & 7 {
            0 => {
                let value = take_varint(&mut message)?;
                if field == 1 {
                    // An enum is a number of 32 bits, whatever was sent.
                    status = Health::of(value as i32);
                }
                0
            }
            1 => 8,
            2 => usize::try_from(take_varint(&mut message)?).ok()?,
            5 => 4,
            // Groups (3 and 4) have not been written for twenty years; 6 and 7 are nothing.
            _ => return None,
        };
        message = message.get(skipped..)?;
    }
    Some(status)
}

/// A message with what gRPC puts before it: not compressed, and its length.
fn enclosed(message: &[u8]) -> Vec<u8> {
    let mut enclosed = vec![0];
    enclosed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    enclosed.extend_from_slice(message);
    enclosed
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number of at most ten bytes with seven bits each, the lowest first.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift == 63 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// An answer with this status, as a server writes it.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn written(serving: Health) -> Vec<u8> {
    let mut message = Vec::new();
    if serving != Health::Unknown {
        message.push(0x08);
        // A negative one takes ten bytes, as a number of 64 bits.
        put_varint(&mut message, i64::from(serving.number()) as u64);
    }
    enclosed(&message)
}

/// The names of the schema, by their numbers.
pub(crate) const NAMES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// Field 1, with a length: `HealthCheckRequest.service`.
const SERVICE: u8 = 0x0a;

/// The highest number that a field may have.
const LAST_FIELD: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_service_unless_it_is_for_the_whole_server() {
        for (service, expected) in [
            ("", &b"\0\0\0\0\0"[..]),
            ("a.B", b"\0\0\0\0\x05\x0a\x03a.B"),
            ("\u{fc}", b"\0\0\0\0\x04\x0a\x02\xc3\xbc"),
        ] {
            assert_eq!(question(service), expected, "{service}");
        }
        let long = "s".repeat(300);
        assert_eq!(question(&long)[..8], *b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn an_answer_says_how_the_service_is() {
        for (body, expected) in [
            (&b"\0\0\0\0\0"[..], Ok(Health::Unknown)),
            (b"\0\0\0\0\x02\x08\x01", Ok(Health::Serving)),
            (b"\0\0\0\0\x02\x08\x02", Ok(Health::NotServing)),
            (b"\0\0\0\0\x02\x08\x03", Ok(Health::ServiceUnknown)),
            (b"\0\0\0\0\x02\x08\x2a", Ok(Health::Other(42))),
            // -1, in ten bytes.
            (
                b"\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Ok(Health::Other(-1)),
            ),
            // The last one counts.
            (b"\0\0\0\0\x04\x08\x02\x08\x01", Ok(Health::Serving)),
            // Unknown fields: a number, 8 bytes, some with a length, 4 bytes.
            (
                b"\0\0\0\0\x15\x10\x05\x19abcdefgh\x22\x01x\x2dabcd\x08\x01",
                Ok(Health::Serving),
            ),
            // Field 1 with a length is not the field of the schema.
            (b"\0\0\0\0\x03\x0a\x01x", Ok(Health::Unknown)),
        ] {
            assert_eq!(answer(body), expected, "{body:02x?}");
        }
    }

    #[test]
    fn what_is_no_answer_says_why() {
        for (body, expected) in [
            (&b""[..], Unreadable::Missing),
            (b"\0", Unreadable::Cut),
            (b"\0\0\0\0", Unreadable::Cut),
            (b"\0\0\0\0\x02\x08", Unreadable::Cut),
            (b"\0\xff\xff\xff\xff", Unreadable::Cut),
            (b"\0\0\0\0\0\0\0\0\0\0", Unreadable::More),
            (b"\x01\0\0\0\0", Unreadable::Compressed),
            (b"<html>", Unreadable::Flag(b'<')),
            (b"\0\0\0\0\x01\x08", Unreadable::Malformed),
            (b"\0\0\0\0\x02\0\x01", Unreadable::Malformed),
            (b"\0\0\0\0\x02\x0b\x01", Unreadable::Malformed),
            (b"\0\0\0\0\x02\x12\x7f", Unreadable::Malformed),
            (b"\0\0\0\0\x02\x19\x01", Unreadable::Malformed),
            (
                b"\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                Unreadable::Malformed,
            ),
        ] {
            assert_eq!(answer(body), Err(expected), "{body:02x?}");
        }
    }
}
