//! What is done with what anybody may have sent to a sink, as one function per parser.
//!
//! They never panic but for a mistake of ours: what they check holds for any octets.

use std::sync::Arc;

use super::command::Command;
use super::content::Content;
use super::dialogue::{Dialogue, Next, Policy, Recipients};

/// The lines of a session, each without its end.
///
/// # Panics
/// If an answer is no reply of one code, or a message is taken for nobody who is here.
pub(crate) fn commands(octets: &[u8]) {
    let policy = Policy {
        host: "sink.test".to_owned(),
        recipients: Recipients::new(["a@b"]),
        max_size: 100,
        offers_tls: true,
        is_lmtp: false,
    };
    let mut dialogue = Dialogue::new(Arc::new(policy));
    for line in octets.split(|byte| *byte == b'\n') {
        _ = Command::read(line);
        let reply = match dialogue.obey(line, false) {
            Next::Say(reply) | Next::Counted(_, Some(reply)) => reply,
            Next::Leave(reply) => return assert!(reply.code() >= 221),
            Next::Tls => {
                dialogue.secured();
                continue;
            }
            Next::Dotted => {
                let mut content = Content::new();
                assert_eq!(content.take_dotted(b".\r\n"), 3);
                let received = dialogue.received(&content);
                assert!(!received.recipients.is_empty());
                assert!(
                    received
                        .recipients
                        .iter()
                        .all(|one| one.eq_ignore_ascii_case("a@b"))
                );
                continue;
            }
            Next::Counted(chunk, None) => {
                assert!(chunk.size <= 100);
                dialogue.take(&vec![b'a'; chunk.size as usize]);
                _ = dialogue.chunk_ended(chunk);
                continue;
            }
        };
        let text = reply.to_string();
        let code = reply.code().to_string();
        assert!(text.ends_with("\r\n"));
        assert!(
            text.trim_end()
                .split("\r\n")
                .all(|line| line.starts_with(&code))
        );
        assert!(text.chars().all(|c| !c.is_control() || "\r\n".contains(c)));
    }
}

/// A message as it comes after `DATA`, in two pieces.
///
/// # Panics
/// If its end is seen anywhere but at the first CR, LF, dot, CR, LF, or depends on the pieces.
pub(crate) fn content(octets: &[u8]) {
    let whole = [b"\r\n", octets].concat();
    let end = whole.windows(5).position(|five| five == b"\r\n.\r\n");
    let expected = end.map_or(octets.len(), |end| end + 3);
    let mut content = Content::new();
    assert_eq!(content.take_dotted(octets), expected);
    assert_eq!(content.is_over(), end.is_some());
    assert!(content.size() <= octets.len() as u64);
    let (first, second) = octets.split_at(octets.len() / 2);
    let mut pieces = Content::new();
    let taken = pieces.take_dotted(first);
    let taken = if pieces.is_over() {
        taken
    } else {
        taken + pieces.take_dotted(second)
    };
    assert_eq!((taken, pieces.size()), (expected, content.size()));
    assert_eq!(pieces.has_bare(), content.has_bare());
    assert!(content.token().is_none(), "nobody can guess one");
    let mut counted = Content::new();
    counted.take_counted(octets);
    assert_eq!(counted.size(), octets.len() as u64);
}
