//! What is done with what a server says, whatever it is.

use leadsman_core::Cause;

use super::auth::{Credentials, Mechanism};
use super::dialogue::{Dialogue, Loss, Script, Step, Until, Wanted};
use super::offers::Offers;
use super::phase::Phase;
use super::reply::{Reader, Reply};
use crate::mailbox::Mailbox;

/// Reads replies, all at once and in pieces.
///
/// # Panics
/// If these differ, or a reply is not as it should be.
pub(crate) fn reply(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let at_once = read(std::iter::once(bytes));
    let in_pieces = read(bytes.chunks(usize::from(*cut).max(1)));
    assert_eq!(at_once, in_pieces);
    for reply in at_once.0 {
        assert!((200..600).contains(&reply.code), "{}", reply.code);
        assert!(reply.lines.len() <= 128);
        assert!(
            !reply
                .lines
                .iter()
                .any(|line| line.contains(char::is_control))
        );
        if let Some(status) = reply.status() {
            assert_eq!(u16::from(status.class), reply.class());
        }
        _ = (Offers::read(&reply), reply.is_greylisting(), reply.told());
    }
}

/// The replies in what comes, and whether it ends with what is none.
fn read<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> (Vec<Reply>, bool) {
    let mut reader = Reader::default();
    let mut replies = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(_) => return (replies, true),
            }
        }
    }
    (replies, false)
}

/// Leads a dialogue with a server that says this, line by line.
///
/// # Panics
/// If it does not end, says what no server may lead it to, or sends a message twice.
pub(crate) fn dialogue(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let has = |bit: u8| kind & (1 << bit) != 0;
    let untils = [Until::Auth, Until::Rcpt, Until::Data, Until::Sent];
    let until = untils[usize::from(kind >> 6)];
    let mut dialogue = Dialogue::new(Script {
        is_lmtp: has(0),
        hello: "client.test".to_owned(),
        tls: if has(1) {
            Wanted::Required
        } else {
            Wanted::Offered
        },
        credentials: has(2).then(|| Credentials {
            mechanism: has(3).then_some(Mechanism::Login),
            user: "user".to_owned(),
            secret: "secret".to_owned().into(),
        }),
        insecure_auth: false,
        from: None,
        to: Mailbox::parse("probe@example.test").ok(),
        until,
        pipelining: has(4),
        chunking: has(5),
        notify: "NEVER",
    });
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let (mut sent, mut is_secure) = (0, false);
    // Each line can lead to a few steps, and so can its want.
    for _ in 0..8 * (bytes.len() + 8) {
        match dialogue.next() {
            Step::Say(line) => {
                assert!(is_secure || !line.shown.contains("<secret>"), "{line:?}");
                if line.phase == Phase::Body {
                    sent += 1;
                    assert!(sent == 1 && until == Until::Sent, "{line:?}");
                    dialogue.sent();
                } else {
                    assert!(line.bytes.ends_with(b"\r\n"), "{line:?}");
                }
            }
            Step::Hear => match lines.next() {
                Some(line) => dialogue.feed(line),
                None => dialogue.lost(Loss::Broken(Cause::Closed), "closed".to_owned()),
            },
            Step::Heard(..) => {}
            Step::Compose => dialogue.content(b"A: b\r\n\r\n.\r\n".to_vec()),
            Step::Handshake => {
                is_secure = true;
                dialogue.secured(true);
            }
            Step::Close => {
                assert!(!dialogue.facts.is_accepted || sent == 1);
                return;
            }
        }
    }
    panic!("a dialogue without end");
}
