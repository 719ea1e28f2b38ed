//! Do packets go round in circles?
//!
//! A loop is a segment of at least two routers that comes again at once: A B C, A B C. One router
//! twice in a row is not: routers that forward what they should have dropped, and translators that
//! answer for the next, look like that. Four times in a row is.
//!
//! A silent hop is no evidence: every router of the segment must have been seen twice.

use std::net::IpAddr;

/// Finds the first position and the length of the first segment that recurs.
pub(super) fn recurrence(responders: &[Option<IpAddr>]) -> Option<(usize, usize)> {
    let starts = 0..responders.len();
    let segments = starts.flat_map(|start| (1..=LONGEST).map(move |length| (start, length)));
    segments
        .filter(|(start, length)| {
            let copies = if *length == 1 { 4 } else { 2 };
            let Some(seen) = responders.get(*start..start + length * copies) else {
                return false;
            };
            let (segment, rest) = seen.split_at(*length);
            segment.iter().all(Option::is_some)
                && rest.chunks(*length).all(|again| again == segment)
        })
        .find(|(start, length)| {
            let segment = &responders[*start..start + length];
            *length == 1 || segment.iter().any(|responder| *responder != segment[0])
        })
}

/// Longer loops are not found: the path would have to be twice as long.
const LONGEST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_comes_again_is_a_loop() {
        check("ABCD", None);
        check("ABCBC", Some((1, 2)));
        check("ABCDBCD", Some((1, 3)));
        check("ABABAB", Some((0, 2)));
        check("ABCBD", None);
    }

    #[test]
    fn a_router_seen_twice_or_thrice_in_a_row_is_not() {
        check("AABB", None);
        check("ABBBC", None);
        check("ABBBB", Some((1, 1)));
    }

    #[test]
    fn silence_is_no_evidence() {
        check("A*A*A*", None);
        check("AB*AB", None);
        check("AB*A*B", None);
        check("******", None);
    }

    /// Reads a path with a letter for each router and a star for silence.
    fn check(path: &str, expected: Option<(usize, usize)>) {
        let address = |letter: u8| (letter != b'*').then(|| IpAddr::from([192, 0, 2, letter]));
        let responders: Vec<_> = path.bytes().map(address).collect();
        assert_eq!(recurrence(&responders), expected, "{path}");
    }
}
