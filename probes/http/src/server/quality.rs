//! What of several things does a client like best?
//!
//! A list of RFC 9110, section 12.4, with the weight that each element has for the client, in
//! thousandths. What is malformed is left out. What the elements mean is for others to say.

/// The elements of a list, and how much each is liked.
pub(super) fn weighted(field: &[u8]) -> impl Iterator<Item = (&[u8], u16)> {
    let elements = field.split(|byte| *byte == b',');
    elements.filter_map(|element| {
        let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let is_weight = |part: &&[u8]| part.len() > 1 && part[..2].eq_ignore_ascii_case(b"q=");
        let mut weights = parts.filter(is_weight).map(|part| &part[2..]);
        let weight = weights.next().map_or(Some(1000), weight)?;
        Some((name, weight))
    })
}

/// A weight between 0 and 1 with at most three digits, in thousandths.
fn weight(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let digits = [*whole].into_iter().chain(fraction.iter().copied());
    let digits = digits.chain(std::iter::repeat_n(b'0', 3 - fraction.len()));
    let mut digits = digits.map(|digit| char::from(digit).to_digit(10));
    let weight = digits.try_fold(0, |weight, digit| Some(10 * weight + digit?))?;
    u16::try_from(weight).ok().filter(|weight| *weight <= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_thousandths_and_one_by_default() {
        fn check(field: &str, expected: &[(&str, u16)]) {
            let weighted = weighted(field.as_bytes());
            let weighted: Vec<_> = weighted
                .map(|(name, weight)| (std::str::from_utf8(name).unwrap(), weight))
                .collect();
            assert_eq!(weighted, expected, "{field}");
        }
        check("", &[]);
        check(" , ,", &[]);
        check("gzip", &[("gzip", 1000)]);
        check(
            "gzip, br;q=0.5 ,a ; Q=0",
            &[("gzip", 1000), ("br", 500), ("a", 0)],
        );
        check(
            "a;q=1.000, b;q=0.001, c;q=1., d;q=0",
            &[("a", 1000), ("b", 1), ("c", 1000), ("d", 0)],
        );
        check("text/html;level=1;q=0.3", &[("text/html", 300)]);
        check(
            "a;q=2, b;q=1.001, c;q=-1, d;q=, e;q=0.0001, f;q=x, g;q=0.x",
            &[],
        );
    }
}
