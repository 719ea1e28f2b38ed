//! What is done with what any server may have answered, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never panic
//! but for a mistake of ours: what they check holds for any bytes. What hyper parses is its affair.

use crate::health::{self, Health};
use crate::status::message_of;

/// The body of an answer.
///
/// # Panics
/// If what was read of it is not what it would be written as.
pub fn answer(bytes: &[u8]) {
    let Ok(serving) = health::answer(bytes) else {
        return;
    };
    assert_eq!(Health::of(serving.number()), serving);
    assert_eq!(health::answer(&health::written(serving)), Ok(serving));
    let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    assert_eq!(bytes.len(), length as usize + 5);
}

/// The words of a status.
///
/// # Panics
/// If they become longer than is possible.
pub fn message(bytes: &[u8]) {
    // A byte that is no text is shown as a character of three.
    assert!(message_of(bytes).len() <= 3 * bytes.len());
}

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    use super::*;

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 2] = [("answer", answer), ("message", message)];
        for (name, target) in targets {
            for input in corpus(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"), name) {
                target(&input);
            }
        }
    }
}
