//! Which bytes of a file does a client want?
//!
//! The `Range` field of RFC 9110, section 14. A field that is malformed, of another unit or greedy
//! is ignored, as the section allows, so that the client gets the whole. Whether the client's copy
//! is still good, `If-Range`, is for the conditions to say.

use std::ops::Range;

/// What a `Range` field comes to for a file of a known length.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything, as if there was no such field.
    Whole,
    /// These bytes, at least one range of at least one byte each, in the order asked for.
    Parts(Vec<Range<u64>>),
    /// Only bytes that the file does not have.
    Nothing,
}

/// Reads the value of a `Range` field, for a file of `length` bytes.
pub(super) fn wanted(field: &[u8], length: u64) -> Wanted {
    let Some(specs) = parse(field) else {
        return Wanted::Whole;
    };
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut whole = false;
    for spec in specs {
        match spec.within(length) {
            // The whole of an empty file cannot be said in a Content-Range.
            Some(part) if part.is_empty() => whole = true,
            Some(part) => coalesce(&mut parts, part),
            None => {}
        }
    }
    match parts.len() {
        _ if whole => Wanted::Whole,
        0 => Wanted::Nothing,
        1..=MOST_PARTS => Wanted::Parts(parts),
        _ => Wanted::Whole,
    }
}

/// One range as it is written.
enum Spec {
    /// From a position, to another one that is meant as well.
    From(u64, u64),
    /// The last so many.
    Last(u64),
}

impl Spec {
    /// The bytes meant; `None` if it cannot be satisfied.
    fn within(&self, length: u64) -> Option<Range<u64>> {
        match *self {
            Self::From(first, _) if first >= length => None,
            Self::From(first, last) => Some(first..last.saturating_add(1).min(length)),
            Self::Last(0) => None,
            Self::Last(count) => Some(length.saturating_sub(count)..length),
        }
    }
}

/// Reads the field; `None` if it is to be ignored.
fn parse(field: &[u8]) -> Option<Vec<Spec>> {
    let field = std::str::from_utf8(field).ok()?;
    let (unit, set) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A recipient has to put up with some empty elements (RFC 9110, section 5.6.1.2).
    let written = set.split(',').map(|spec| spec.trim_matches([' ', '\t']));
    let mut specs = Vec::new();
    for spec in written.filter(|spec| !spec.is_empty()) {
        if specs.len() == MOST_SPECS {
            return None;
        }
        specs.push(match spec.split_once('-')? {
            ("", count) => Spec::Last(number(count)?),
            (first, "") => Spec::From(number(first)?, u64::MAX),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                Spec::From(first, last)
            }
        });
    }
    (!specs.is_empty()).then_some(specs)
}

/// A number of any length; what is beyond every file is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Adds a range, joined with those that it overlaps or touches.
fn coalesce(parts: &mut Vec<Range<u64>>, mut part: Range<u64>) {
    let mut at = parts.len();
    while let Some(index) = parts
        .iter()
        .position(|other| part.start <= other.end && other.start <= part.end)
    {
        let other = parts.remove(index);
        part = part.start.min(other.start)..part.end.max(other.end);
        at = index;
    }
    parts.insert(at.min(parts.len()), part);
}

/// Ranges in one field beyond which it is taken for an attack (RFC 9110, section 17.15).
const MOST_SPECS: usize = 16;
/// Parts of one answer, once joined.
const MOST_PARTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_comes_to_the_bytes_that_rfc_9110_says() {
        fn check(field: &str, length: u64, expected: &Wanted) {
            assert_eq!(
                &wanted(field.as_bytes(), length),
                expected,
                "{field} of {length}"
            );
        }
        let parts = |parts: &[Range<u64>]| Wanted::Parts(parts.to_vec());
        for (field, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=0-", 0, 10),
            ("bytes=9-", 9, 10),
            ("bytes=-1", 9, 10),
            ("bytes=-99999", 0, 10),
            ("bytes=0-99999999999999999999", 0, 10),
            ("bytes=3-18446744073709551615", 3, 10),
            ("BYTES=0-1", 0, 2),
            ("bytes= 0-1\t", 0, 2),
            ("bytes=0-0, 99999-", 0, 1),
            ("bytes=0-3,2-5", 0, 6),
            ("bytes=0-3,4-5", 0, 6),
            ("bytes=8-9,0-3,4-7", 0, 10),
        ] {
            check(
                field,
                10,
                &Wanted::Parts(std::iter::once(first..end).collect()),
            );
        }
        check("bytes=0-0,2-2", 10, &parts(&[0..1, 2..3]));
        check("bytes=8-8,0-0,-5,2-2", 10, &parts(&[5..10, 0..1, 2..3]));
        check("bytes=0-1, ,3-4", 10, &parts(&[0..2, 3..5]));
        for field in [
            "bytes=10-",
            "bytes=-0",
            "bytes=10-,99-",
            "bytes=99999999999999999999-",
        ] {
            check(field, 10, &Wanted::Nothing);
        }
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=abc",
            "bytes=5-2",
            "items=0-1",
            "bytes 0-1",
            "bytes=0-1,x",
            "bytes=-",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=0-1-2",
            "bytes=0 -1",
        ] {
            check(field, 10, &Wanted::Whole);
        }
        check("bytes=0-", 0, &Wanted::Nothing);
        check("bytes=-1", 0, &Wanted::Whole);
    }

    #[test]
    fn greedy_field_is_ignored() {
        let every_second = |count: u64| {
            let specs: Vec<_> = (0..count).map(|n| format!("{0}-{0}", 2 * n)).collect();
            wanted(format!("bytes={}", specs.join(",")).as_bytes(), 1000)
        };
        assert!(matches!(every_second(8), Wanted::Parts(parts) if parts.len() == 8));
        assert_eq!(every_second(9), Wanted::Whole);
        let killer = format!("bytes={}", vec!["0-"; 1000].join(","));
        assert_eq!(wanted(killer.as_bytes(), 1000), Wanted::Whole);
    }
}
