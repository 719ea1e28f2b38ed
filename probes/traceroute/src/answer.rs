//! What does an answer say of the way?
//!
//! Puts what `leadsman-wire` heard into the words of the core, which are the same whatever the
//! packets were. Decides nothing else.

use leadsman_wire::{Answer, Protocol, Quoted, Remarks, What};

use crate::quote::{Quote, Translation};
use crate::reply::{Reply, Says};

/// Reads an answer; nothing if it says nothing of how far the request got.
pub(crate) fn reply(answer: &Answer) -> Option<Reply> {
    let says = match answer.what {
        // Whoever returns our request has received it, be it from another of its addresses.
        What::Reply { .. } | What::Corrupt | What::WrongSource | What::Refused => Says::Arrived,
        What::TimeExceeded { code: HOPS } => Says::TimeExceeded,
        What::Unreachable { code } => Says::Unreachable { code },
        What::TimeExceeded { .. } | What::TooBig { .. } | What::ParameterProblem { .. } => {
            return None;
        }
    };
    let remarks = answer.remarks.as_deref();
    Some(Reply {
        from: answer.from,
        rtt: answer.rtt,
        says,
        hop_limit: answer.hop_limit,
        quote: remarks.map(|remarks| quote(&remarks.quoted)),
        extensions: remarks.map_or_else(Vec::new, |remarks| remarks.extensions.clone()),
    })
}

/// Whether somebody listens at the port, if the answer says so and `protocol` has ports.
pub(crate) fn listens(protocol: Protocol, answer: &Answer) -> Option<bool> {
    match (answer.what, protocol) {
        (What::Reply { .. }, Protocol::Udp | Protocol::Tcp) => Some(true),
        (What::Refused, _) => Some(false),
        _ => None,
    }
}

/// What translators of addresses have done to the packet, as far as an error's quote shows.
pub(crate) fn translation(answer: &Answer) -> Option<Translation> {
    let Remarks { sent, quoted, .. } = answer.remarks.as_deref()?;
    let quoted = quote(quoted);
    let sent = Quote {
        source: sent.source.unwrap_or(quoted.source),
        // What is not known is not compared.
        identification: sent.identification,
        port: sent.identifier,
        checksum: sent.checksum,
        ..quoted
    };
    sent.changes(&quoted).translated
}

fn quote(quoted: &Quoted) -> Quote {
    Quote {
        ttl: quoted.ttl,
        tos: quoted.tos,
        source: quoted.source,
        identification: quoted.identification,
        port: quoted.identifier,
        checksum: quoted.checksum,
    }
}

/// RFC 792, p. 6, and RFC 4443, section 3.3: code 1 is about fragments.
const HOPS: u8 = 0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadsman_wire::{Arrived, RttSource, Sent};

    use super::*;

    #[test]
    fn only_what_tells_of_the_way_is_taken_in() {
        check(What::Reply { bytes: 44 }, Some(Says::Arrived));
        check(What::Corrupt, Some(Says::Arrived));
        check(What::WrongSource, Some(Says::Arrived));
        check(What::TimeExceeded { code: 0 }, Some(Says::TimeExceeded));
        check(What::TimeExceeded { code: 1 }, None);
        let code = 13;
        check(What::Unreachable { code }, Some(Says::Unreachable { code }));
        check(What::TooBig { mtu: Some(1_280) }, None);
    }

    #[track_caller]
    fn check(what: What, expected: Option<Says>) {
        let quoted = Quoted {
            ttl: 1,
            tos: 0,
            source: [192, 0, 2, 1].into(),
            identification: Some(5),
            identifier: 7,
            checksum: Some(9),
        };
        let sent = Sent {
            source: None,
            identification: None,
            identifier: 7,
            checksum: Some(9),
        };
        let answer = Answer {
            sequence: 0,
            arrived: Arrived::InTime,
            rtt: Duration::from_millis(3),
            rtt_source: RttSource::Kernel,
            from: [192, 0, 2, 2].into(),
            hop_limit: Some(63),
            what,
            remarks: Some(Box::new(Remarks {
                sent,
                quoted,
                extensions: Vec::new(),
            })),
        };
        let reply = reply(&answer);
        assert_eq!(reply.as_ref().map(|reply| reply.says), expected);
        if let Some(quote) = reply.and_then(|reply| reply.quote) {
            assert_eq!((quote.port, quote.checksum), (7, Some(9)));
        }
    }
}
