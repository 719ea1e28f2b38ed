//! What is done with what a peer may have sent, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never panic but
//! for a mistake of ours: what they check holds for any bytes. What the operator writes is a part of
//! the input, but small: how much it costs is his affair, and grows faster than what a peer can say.

use leadsman_dial::{Octets, Pattern, Step, Template};
use serde_json::json;

use crate::dialogue::{Dialogue, Do, Flaw};

/// A pattern, a text to send, and bytes to expect, each on a line of its own; then what a peer says.
///
/// # Panics
/// If it matters in which pieces it comes, or a step hears what was not said.
pub fn dialogue(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (pattern, send, wanted) = (line(), line(), line());
    if !is_cheap(&pattern) || send.len() > LONGEST {
        return;
    }
    let said = parts.next().unwrap_or_default();
    let steps = json!([
        { "expect": pattern, "send": send, "labels": [{ "name": "a", "value": send }] },
        { "expect_bytes": wanted },
        { "expect": pattern, "send": "QUIT\r" },
    ]);
    // A pattern that is none is refused before there is a dialogue.
    let Ok(steps) = serde_json::from_value::<Vec<Step>>(steps) else {
        return;
    };
    let whole = play(&steps, [said].into_iter());
    for size in [1, 3, 4096] {
        assert_eq!(
            play(&steps, said.chunks(size)),
            whole,
            "in pieces of {size}"
        );
    }
}

/// Plays a peer that says these pieces and closes; returns every line that was heard, what was sent,
/// and how it ended.
fn play<'p>(
    steps: &[Step],
    mut pieces: impl Iterator<Item = &'p [u8]>,
) -> (Vec<Vec<u8>>, Vec<u8>, &'static str) {
    let mut dialogue = Dialogue::new(steps, false);
    let (mut heard, mut sent) = (Vec::new(), Vec::new());
    loop {
        match dialogue.next() {
            Ok(Do::Read) => match pieces.next() {
                Some(piece) => dialogue.room().extend_from_slice(piece),
                None => dialogue.over(),
            },
            Ok(Do::Heard { .. }) => {
                assert!(!dialogue.line().contains(&b'\n'));
                heard.push(dialogue.line().to_vec());
            }
            Ok(Do::Write(bytes)) => sent.extend(bytes),
            Ok(Do::ReadAside(_) | Do::Upgrade) => unreachable!("no step wants it"),
            Ok(Do::Matched) => {}
            Ok(Do::Finish) => return (heard, sent, "good"),
            Err(flaw) => {
                let peer = leadsman_dial::Peer::Path("peer");
                let told = crate::words::doing(&dialogue, peer) + &crate::words::came(&dialogue);
                assert!(!told.chars().any(char::is_control), "{told:?}");
                let ended = match flaw {
                    Flaw::Unmatched => "unmatched",
                    Flaw::Short => "short",
                    // How much of it had come is told, and differs.
                    Flaw::Differs(_) => "differs",
                    Flaw::TooLong => "too long",
                };
                return (heard, sent, ended);
            }
        }
    }
}

/// A pattern and a text on lines of their own, then the template.
///
/// # Panics
/// If a template without references changes, or one does that is written twice as long.
pub fn template(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let pattern = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let text = parts.next().unwrap_or_default();
    let written = parts.next().unwrap_or_default();
    if !is_cheap(&pattern) || written.len() > LONGEST {
        return;
    }
    let Ok(pattern) = pattern.parse::<Pattern>() else {
        return;
    };
    let Some(found) = pattern.find(text) else {
        return;
    };
    let expanded = Template::new(Octets::from(written)).expand(&found);
    if !written.contains(&b'$') {
        assert_eq!(expanded, written);
    }
    // Behind a blank no reference goes on.
    let twice = [written, b" ", written].concat();
    let expected = [&*expanded, b" ", &*expanded].concat();
    assert_eq!(
        Template::new(Octets::from(&*twice)).expand(&found),
        expected
    );
}

/// Whether a pattern is short, and repeats nothing more than nine times: a search takes as many steps for
/// each byte as the pattern has, and as many again for each of its groups.
fn is_cheap(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let mut pairs = bytes.windows(2);
    bytes.len() <= LONGEST
        && pattern.matches('{').count() <= 1
        && !pairs.any(|pair| pair.iter().all(u8::is_ascii_digit))
}

/// Bytes of what an operator writes, at most.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    use super::*;

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 2] = [("dialogue", dialogue), ("template", template)];
        for (name, target) in targets {
            for input in corpus(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"), name) {
                target(&input);
            }
        }
    }
}
