//! Is what the client asks for the same that it has already?
//!
//! Evaluates the preconditions of RFC 9110, section 13.2.2, in its order. A field that cannot be
//! read is as good as absent. What is sent for each outcome is not decided here.

use std::iter;
use std::time::{Duration, SystemTime};

use hyper::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};

/// By what a state of a file is told from another one.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    /// The entity tag between its quotes.
    pub(super) tag: String,
    /// Whether two states may share the tag, since the file has just been written.
    pub(super) weak: bool,
    /// When it was modified, in whole seconds; `None` where that cannot be told.
    pub(super) modified: Option<SystemTime>,
    /// When this was found out.
    pub(super) seen: SystemTime,
}

/// What a request's preconditions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answer as if there were none.
    Proceed,
    /// The client's copy is good.
    NotModified,
    /// The client wants nothing of the file as it is now.
    Failed,
}

impl Validators {
    /// Evaluates the preconditions of a GET or HEAD request.
    pub(super) fn evaluate(&self, headers: &HeaderMap) -> Outcome {
        if headers.contains_key(IF_MATCH) {
            if !self.is_listed(headers, IF_MATCH, Self::is_strongly) {
                return Outcome::Failed;
            }
        } else if let (Some(date), Some(modified)) =
            (date(headers, &IF_UNMODIFIED_SINCE), self.modified)
            && modified > date
        {
            return Outcome::Failed;
        }
        if headers.contains_key(IF_NONE_MATCH) {
            if self.is_listed(headers, IF_NONE_MATCH, Self::is_weakly) {
                return Outcome::NotModified;
            }
        } else if let (Some(date), Some(modified)) =
            (date(headers, &IF_MODIFIED_SINCE), self.modified)
            && modified <= date
        {
            return Outcome::NotModified;
        }
        Outcome::Proceed
    }

    /// Whether a `Range` field holds, as far as `If-Range` is concerned.
    pub(super) fn allow_range(&self, headers: &HeaderMap) -> bool {
        let Some(field) = headers.get(IF_RANGE) else {
            return true;
        };
        if let Some((tag, _)) = tag(field.as_bytes()) {
            return self.is_strongly(&tag);
        }
        // A date is a strong validator only once the file could have changed again and been given
        // another one (RFC 9110, section 8.8.2.2).
        let is_old = |modified| {
            self.seen
                .duration_since(modified)
                .is_ok_and(|age| age > SECOND)
        };
        let date = date(headers, &IF_RANGE);
        date.is_some() && date == self.modified && self.modified.is_some_and(is_old)
    }

    fn is_listed(
        &self,
        headers: &HeaderMap,
        field: HeaderName,
        is: impl Fn(&Self, &Tag<'_>) -> bool,
    ) -> bool {
        let lines = headers.get_all(field).into_iter();
        lines
            .map(|line| line.as_bytes().trim_ascii())
            .any(|line| line == b"*" || tags(line).any(|tag| is(self, &tag)))
    }

    fn is_strongly(&self, tag: &Tag<'_>) -> bool {
        !self.weak && !tag.weak && self.is_weakly(tag)
    }

    fn is_weakly(&self, tag: &Tag<'_>) -> bool {
        self.tag.as_bytes() == tag.opaque
    }
}

/// An entity tag as a client writes it.
struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

/// The entity tags of a list, up to what is none.
fn tags(mut list: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    iter::from_fn(move || {
        let begin = list.iter().position(|byte| !b", \t".contains(byte))?;
        let (tag, rest) = tag(&list[begin..])?;
        list = rest;
        Some(tag)
    })
}

/// An entity tag (RFC 9110, section 8.8.3), and what follows it.
fn tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (weak, text) = match text.strip_prefix(b"W/") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let opaque = &text[..end];
    Some((Tag { weak, opaque }, &text[end + 1..]))
}

fn date(headers: &HeaderMap, field: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(field)?.to_str().ok()?).ok()
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 22 Nov 2026 12:00:00 GMT";
    const BEFORE: &str = "Sun, 22 Nov 2026 11:59:59 GMT";
    const AFTER: &str = "Sun, 22 Nov 2026 12:00:01 GMT";

    /// A file modified at [`NOW`], an hour ago.
    fn old(weak: bool) -> Validators {
        let modified = httpdate::parse_http_date(NOW).unwrap();
        Validators {
            tag: "a,b".to_owned(),
            weak,
            modified: Some(modified),
            seen: modified + Duration::from_hours(1),
        }
    }

    fn sent(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_rfc_9110() {
        fn check(fields: &[(HeaderName, &str)], expected: Outcome) {
            assert_eq!(old(false).evaluate(&sent(fields)), expected, "{fields:?}");
        }
        use Outcome::{Failed, NotModified, Proceed};
        check(&[], Proceed);
        for (value, expected) in [
            ("\"a,b\"", Proceed),
            ("\"x\", \"a,b\"", Proceed),
            ("*", Proceed),
            ("W/\"a,b\"", Failed),
            ("\"x\"", Failed),
            ("nonsense", Failed),
        ] {
            check(&[(IF_MATCH, value)], expected);
            // Counts alone, where both are sent.
            check(
                &[(IF_MATCH, value), (IF_UNMODIFIED_SINCE, BEFORE)],
                expected,
            );
        }
        for (value, expected) in [
            ("\"a,b\"", NotModified),
            ("W/\"a,b\"", NotModified),
            ("\"x\" ,, W/\"a,b\"", NotModified),
            ("*", NotModified),
            ("\"x\"", Proceed),
            ("\"a\",\"b\"", Proceed),
            ("a,b", Proceed),
            ("\"a,b", Proceed),
            ("", Proceed),
        ] {
            check(&[(IF_NONE_MATCH, value)], expected);
            check(
                &[(IF_NONE_MATCH, value), (IF_MODIFIED_SINCE, NOW)],
                expected,
            );
        }
        for (value, since, unmodified) in [
            (BEFORE, Proceed, Failed),
            (NOW, NotModified, Proceed),
            (AFTER, NotModified, Proceed),
            ("Fri, 31 Dec 9999 23:59:59 GMT", NotModified, Proceed),
            ("Sunday, 22-Nov-26 12:00:00 GMT", NotModified, Proceed),
            ("Sun Nov 22 12:00:00 2026", NotModified, Proceed),
            ("yesterday", Proceed, Proceed),
        ] {
            check(&[(IF_MODIFIED_SINCE, value)], since);
            check(&[(IF_UNMODIFIED_SINCE, value)], unmodified);
        }
        check(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "*")], Failed);
        check(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")], NotModified);
    }

    #[test]
    fn just_written_file_matches_only_weakly() {
        let written = old(true);
        let tag = "\"a,b\"";
        assert_eq!(written.evaluate(&sent(&[(IF_MATCH, tag)])), Outcome::Failed);
        let outcome = written.evaluate(&sent(&[(IF_NONE_MATCH, tag)]));
        assert_eq!(outcome, Outcome::NotModified);
        assert!(!written.allow_range(&sent(&[(IF_RANGE, tag)])));
    }

    #[test]
    fn range_holds_only_for_the_very_same_bytes() {
        for (value, expected) in [
            ("\"a,b\"", true),
            ("\"x\"", false),
            ("W/\"a,b\"", false),
            (NOW, true),
            (BEFORE, false),
            (AFTER, false),
            ("nonsense", false),
        ] {
            let headers = sent(&[(IF_RANGE, value)]);
            assert_eq!(old(false).allow_range(&headers), expected, "{value}");
        }
        let mut young = old(false);
        young.seen = young.modified.unwrap();
        assert!(!young.allow_range(&sent(&[(IF_RANGE, NOW)])));
        assert!(young.allow_range(&sent(&[])));
    }
}
