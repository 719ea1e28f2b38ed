//! What is done with what anybody may have sent, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never
//! panic but for a mistake of ours: what they check holds for any bytes.

pub use crate::client::fuzzing::answer;
pub use crate::server::fuzzing::{conditional, path, range, visitor};

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 5] = [
            ("answer", answer),
            ("path", path),
            ("conditional", conditional),
            ("range", range),
            ("visitor", visitor),
        ];
        for (name, target) in targets {
            let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fuzz/corpus")
                .join(name);
            let files = fs::read_dir(&corpus).expect("every target has a corpus");
            let played = files.map(|file| target(&fs::read(file.unwrap().path()).unwrap()));
            assert!(played.count() > 0, "{name}");
        }
    }
}
