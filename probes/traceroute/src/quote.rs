//! What happened to a probe's header on its way, as the router that quotes it saw it?
//!
//! A router returns the header as it arrived there, so whatever differs from what was sent was
//! changed on the way: a remarked DSCP, a bleached ECN field, a translated source. The first hop
//! whose quote shows a change lies behind whoever made it.

use std::net::IpAddr;

/// The fields of a probe's header that routers and translators change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// TTL or hop limit: what it was when it was found to have run out, normally 1.
    pub ttl: u8,
    /// The IPv4 TOS or IPv6 traffic class byte.
    pub tos: u8,
    /// Where the probe came from.
    pub source: IpAddr,
    /// The IPv4 identification; `None` over IPv6.
    pub identification: Option<u16>,
    /// The source port, or the identifier of an echo request.
    pub port: u16,
    /// The checksum of UDP, TCP or ICMP; `None` where it is not known. That of TCP is not within the
    /// eight bytes that every router quotes (RFC 792).
    pub checksum: Option<u16>,
}

/// What differs between a header as it was sent and as it was quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// The DSCP that it has now (RFC 2474).
    pub dscp: Option<u8>,
    /// The ECN field that it has now (RFC 3168, section 5).
    pub ecn: Option<u8>,
    /// What an unusual TTL tells.
    pub ttl: Option<TtlHint>,
    /// What an address translator did.
    pub translated: Option<Translation>,
}

/// What it tells that a TTL did not run out at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlHint {
    /// It was quoted as 0: the router before forwarded what it should have dropped, so this router
    /// will answer for the next TTL too.
    ZeroForwarded,
    /// So many more hops were hidden: within an MPLS tunnel the packet's own TTL is not counted.
    Hidden(u8),
}

/// How an address translator rewrote a probe (RFC 3022; RFC 5508 for ICMP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// The source address now, if it is another.
    pub source: Option<IpAddr>,
    /// The source port or identifier now, if it is another.
    pub port: Option<u16>,
    /// The IPv4 identification now, if it is another.
    pub identification: Option<u16>,
    /// By how much the checksum changed, in ones' complement: equal at all hops behind the same
    /// translators, so that it tells them apart even if the rest was restored in the quote.
    pub checksum: Option<u16>,
}

impl Quote {
    /// What was changed on the way, `self` being what was sent.
    pub fn changes(&self, quoted: &Self) -> Changes {
        Changes {
            dscp: changed(self.tos >> 2, quoted.tos >> 2),
            ecn: changed(self.tos & 0b11, quoted.tos & 0b11),
            ttl: match quoted.ttl {
                0 => Some(TtlHint::ZeroForwarded),
                1 => None,
                ttl => Some(TtlHint::Hidden(ttl - 1)),
            },
            translated: self.translation(quoted),
        }
    }

    fn translation(&self, quoted: &Self) -> Option<Translation> {
        let both = self.identification.zip(quoted.identification);
        let sums = self.checksum.zip(quoted.checksum);
        let translation = Translation {
            source: changed(self.source, quoted.source),
            port: changed(self.port, quoted.port),
            identification: both.and_then(|(sent, quoted)| changed(sent, quoted)),
            checksum: sums
                .map(|(sent, quoted)| ones_complement_difference(quoted, sent))
                .filter(|difference| *difference != 0),
        };
        let Translation {
            source,
            port,
            identification,
            checksum,
        } = translation;
        let any = source.is_some() || port.is_some() || identification.is_some();
        (any || checksum.is_some()).then_some(translation)
    }
}

/// Finds the TTLs from which on quotes show another change than before: each has a rewriter
/// between it and the TTL before it that was quoted.
pub fn first_changed<T: PartialEq + Default>(hops: impl IntoIterator<Item = (u8, T)>) -> Vec<u8> {
    let mut last = T::default();
    let mut places = Vec::new();
    for (ttl, change) in hops {
        if change != last {
            places.push(ttl);
        }
        last = change;
    }
    places
}

fn changed<T: PartialEq + Copy>(sent: T, quoted: T) -> Option<T> {
    (sent != quoted).then_some(quoted)
}

/// RFC 1624: both zeros are the same number.
fn ones_complement_difference(minuend: u16, subtrahend: u16) -> u16 {
    let (difference, borrow) = minuend.overflowing_sub(subtrahend);
    let difference = difference.wrapping_sub(borrow.into());
    if difference == u16::MAX {
        return 0;
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Quote {
        Quote {
            ttl: 9,
            tos: 0b1011_1001,
            source: [10, 0, 0, 1].into(),
            identification: Some(0xbeef),
            port: 33_434,
            checksum: Some(0x1234),
        }
    }

    fn check(change: impl FnOnce(&mut Quote), expected: Changes) {
        let mut quoted = Quote { ttl: 1, ..sent() };
        change(&mut quoted);
        assert_eq!(sent().changes(&quoted), expected, "{quoted:?}");
    }

    #[test]
    fn what_arrives_as_it_was_sent_has_no_changes() {
        check(|_| (), Changes::default());
        check(|quoted| quoted.identification = None, Changes::default());
        check(|quoted| quoted.checksum = None, Changes::default());
    }

    #[test]
    fn dscp_and_ecn_are_told_apart() {
        let none = Changes::default();
        let dscp = Some(0);
        check(|quoted| quoted.tos = 0b01, Changes { dscp, ..none });
        let ecn = Some(0);
        let bleached = 0b1011_1000;
        check(|quoted| quoted.tos = bleached, Changes { ecn, ..none });
    }

    #[test]
    fn an_unusual_ttl_is_a_hint() {
        let hint = |ttl| Changes {
            ttl: Some(ttl),
            ..Changes::default()
        };
        check(|quoted| quoted.ttl = 0, hint(TtlHint::ZeroForwarded));
        check(|quoted| quoted.ttl = 4, hint(TtlHint::Hidden(3)));
    }

    #[test]
    fn a_translator_is_known_by_what_it_rewrote() {
        let none = Translation {
            source: None,
            port: None,
            identification: None,
            checksum: None,
        };
        let translated = |translation| Changes {
            translated: Some(translation),
            ..Changes::default()
        };
        let outside = IpAddr::from([192, 0, 2, 1]);
        check(
            |quoted| quoted.source = outside,
            translated(Translation {
                source: Some(outside),
                ..none
            }),
        );
        check(
            |quoted| quoted.checksum = Some(0x1233),
            translated(Translation {
                checksum: Some(0xfffe),
                ..none
            }),
        );
    }

    #[test]
    fn a_rewriter_stands_before_the_first_hop_that_sees_another_change() {
        let seen = [(1, 0), (2, 0), (4, 7), (5, 7), (6, 9)];
        assert_eq!(first_changed(seen), [4, 6]);
        assert_eq!(first_changed([(1, 0), (2, 0)]), [0_u8; 0]);
    }

    #[test]
    fn differences_are_in_ones_complement() {
        for (minuend, subtrahend, expected) in [
            (5, 3, 2),
            (3, 5, 0xfffd),
            (0xffff, 0, 0),
            (0, 0xffff, 0),
            (7, 7, 0),
        ] {
            assert_eq!(ones_complement_difference(minuend, subtrahend), expected);
        }
    }
}
