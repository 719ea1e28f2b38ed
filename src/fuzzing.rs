//! What is done with texts that may hold anything, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never panic
//! but for a mistake of ours: what they check holds for any bytes. The files that a web configuration
//! names are not read, and no password is compared.

use std::net::IpAddr;
use std::path::Path;

use hyper::header::{AUTHORIZATION, HeaderValue};
use leadsman_core::Fence as _;

use crate::config::{AccessOptions, Allow};
use crate::web::{Prefix, credentials, query_value};

/// A web configuration.
///
/// # Panics
/// If one is accepted that cannot be put in force, or a complaint says nothing.
pub fn access(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let options = match AccessOptions::parse(Path::new("web.yml"), text) {
        Ok(options) => options,
        Err(problems) => {
            assert!(problems.to_string().starts_with("web.yml"), "{problems}");
            return;
        }
    };
    for hash in options.users.values() {
        let parts: bcrypt::HashParts = hash.reveal().parse().expect("it was looked at");
        assert!(parts.get_cost() < 20);
    }
    for value in options.server.headers.values() {
        assert!(HeaderValue::from_str(value).is_ok(), "{value:?}");
    }
}

/// A rule of `web.probe.allow`.
///
/// # Panics
/// If one that names a host lets somebody come to loopback.
pub fn allow(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(rules) = serde_json::from_value::<Allow>(serde_json::json!([text])) else {
        return;
    };
    let shown = serde_json::to_value(&rules).expect("rules can be shown");
    let again: Allow = serde_json::from_value(shown).expect("what is shown reads back");
    assert_eq!(again, rules);
    if rules.admits_name("a.test", 80) {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(!rules.admits(Some("a.test"), loopback, None), "{rules:?}");
    }
}

/// What a request says of itself: the query of its URL on the first line, then its credentials, then
/// its path.
///
/// # Panics
/// If a path below a prefix is not one of its own.
pub fn request(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (query, field, path) = (line(), line(), line());
    if let Ok(query) = std::str::from_utf8(query) {
        _ = query_value(query, "target");
    }
    if let Ok(field) = HeaderValue::from_bytes(field) {
        let found = credentials(&[(AUTHORIZATION, field)].into_iter().collect());
        assert!(found.is_none_or(|(user, _)| !user.contains(':')));
    }
    if let Ok(path) = std::str::from_utf8(path) {
        let prefix = Prefix::of("", "/a/b").expect("it is a path");
        let below = prefix.strip(path).ok();
        assert!(below.is_none_or(|below| below.starts_with('/') && path.starts_with("/a/b")));
    }
}

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    use super::*;

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 3] =
            [("access", access), ("allow", allow), ("request", request)];
        for (name, target) in targets {
            for input in corpus(
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/fuzz/corpus"),
                name,
            ) {
                target(&input);
            }
        }
    }
}
