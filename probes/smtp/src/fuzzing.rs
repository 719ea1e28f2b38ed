//! What is done with what anybody may have sent or written, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never panic
//! but for a mistake of ours: what they check holds for any bytes.

use crate::client::fuzzing as client;
use crate::mailbox::Mailbox;
use crate::{message, sink};

/// What a server says, cut as the first byte says.
///
/// # Panics
/// If it matters how it is cut, if a reply is longer than it may be, or if it could steer a terminal.
pub fn reply(bytes: &[u8]) {
    client::reply(bytes);
}

/// What a server says in a whole dialogue, whose kind the first byte chooses.
///
/// # Panics
/// If the dialogue does not end, says what it must not, or sends a message twice.
pub fn dialogue(bytes: &[u8]) {
    client::dialogue(bytes);
}

/// A message to be made of what somebody would like to smuggle into it.
///
/// # Panics
/// If it has other fields than it should, a line that is too long or ends otherwise than with CR and
/// LF, or an end before its end.
pub fn letter(bytes: &[u8]) {
    message::fuzzing::letter(bytes);
}

/// The lines of a session with the sink.
///
/// # Panics
/// If an answer is none, or a message is taken for nobody who is there.
pub fn commands(bytes: &[u8]) {
    sink::fuzzing::commands(bytes);
}

/// A message to the sink as it comes after `DATA`.
///
/// # Panics
/// If its end is seen anywhere but where it is, or depends on the pieces in which it comes.
pub fn content(bytes: &[u8]) {
    sink::fuzzing::content(bytes);
}

/// An address of mail.
///
/// # Panics
/// If one that is taken could end a command, is too long for one, or reads back as another.
pub fn mailbox(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(mailbox) = Mailbox::parse(text) else {
        return;
    };
    let written = mailbox.to_string();
    assert!(written.len() <= 254, "{written:?}");
    assert!(!written.contains(char::is_control), "{written:?}");
    let outside = written.rsplit('"').next().unwrap_or_default();
    assert!(!outside.contains([' ', '<', '>']), "{written:?}");
    assert_eq!(Mailbox::parse(&written), Ok(mailbox), "{written:?}");
}

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    use super::*;

    #[test]
    fn what_was_found_by_fuzzing_stays_mended() {
        let targets: [(&str, fn(&[u8])); 6] = [
            ("reply", reply),
            ("dialogue", dialogue),
            ("mailbox", mailbox),
            ("letter", letter),
            ("commands", commands),
            ("content", content),
        ];
        for (name, target) in targets {
            for input in corpus(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"), name) {
                target(&input);
            }
        }
    }
}
