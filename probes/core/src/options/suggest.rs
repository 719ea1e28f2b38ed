//! What did the person mean by a name that nobody knows?

/// The candidate nearest to `name`, if one is near enough that it may have been meant.
///
/// Near is a Damerau-Levenshtein distance (swapped letters count once) of at most a third of the
/// name's length, and at least 1.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let names = ["http", "icmp", "traceroute"];
        for (name, expected) in [
            ("icpm", Some("icmp")),
            ("htp", Some("http")),
            ("tracerout", Some("traceroute")),
            ("smtp", None),
            ("x", None),
        ] {
            assert_eq!(closest(name, names), expected, "{name}");
        }
    }
}
