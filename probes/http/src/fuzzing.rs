//! What is done with what anybody may have sent, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never
//! panic but for a mistake of ours: what they check holds for any bytes.

pub use crate::client::fuzzing::answer;
pub use crate::server::fuzzing::{conditional, path, range, request, visitor};

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    use super::*;

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 6] = [
            ("answer", answer),
            ("path", path),
            ("conditional", conditional),
            ("range", range),
            ("request", request),
            ("visitor", visitor),
        ];
        for (name, target) in targets {
            for input in corpus(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"), name) {
                target(&input);
            }
        }
    }
}
