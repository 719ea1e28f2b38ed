//! Which addresses does a range hold?
//!
//! A range is a prefix, `192.0.2.0/24`, or its two ends, `192.0.2.1-192.0.2.9`. The network and the
//! broadcast address of an IPv4 prefix are no hosts and are left out, save where there are no others
//! (RFC 3021). How many ranges there may be is not decided here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use leadsman_core::Family;

/// Addresses that follow each other, at most [`MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    family: Family,
    first: u128,
    last: u128,
}

/// Why something that looks like a range is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    /// The length is no number, or greater than the address has bits.
    #[error("the length of an {0} prefix is a number from 0 to {1}")]
    Length(Family, u32),
    /// What stands behind the hyphen is no address of the family.
    #[error("an {0} range ends with another {0} address, such as {1}")]
    End(Family, IpAddr),
    /// The second address comes before the first.
    #[error("the range ends before it begins")]
    Backwards,
    /// It holds more than can be swept.
    #[error("the range holds more than {MOST} addresses, the most that can be swept at once")]
    TooLarge,
}

impl Range {
    /// Reads a range; `None` if the text does not begin like one.
    pub(crate) fn read(text: &str) -> Option<Result<Self, RangeError>> {
        let (address, rest) = text.split_at(text.find(['/', '-'])?);
        let address: IpAddr = address.parse().ok()?;
        Some(match rest.strip_prefix('/') {
            Some(length) => Self::prefix(address, length),
            None => Self::between(address, &rest[1..]),
        })
    }

    fn prefix(address: IpAddr, length: &str) -> Result<Self, RangeError> {
        let family = Family::of(address);
        let bits = match family {
            Family::V4 => Ipv4Addr::BITS,
            Family::V6 => Ipv6Addr::BITS,
        };
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length
            .parse()
            .ok()
            .filter(|length| digits && *length <= bits);
        let length: u32 = length.ok_or(RangeError::Length(family, bits))?;
        // All bits of the address that are not of the prefix.
        let hosts = match bits - length {
            Ipv6Addr::BITS => u128::MAX,
            free => (1 << free) - 1,
        };
        let network = number(address) & !hosts;
        let mut range = Self {
            family,
            first: network,
            last: network | hosts,
        };
        if family == Family::V4 && hosts > 1 {
            range.first += 1;
            range.last -= 1;
        }
        range.bounded()
    }

    fn between(first: IpAddr, last: &str) -> Result<Self, RangeError> {
        let family = Family::of(first);
        let last = last.parse().ok().filter(|last| Family::of(*last) == family);
        let last = last.ok_or(RangeError::End(family, first))?;
        let range = Self {
            family,
            first: number(first),
            last: number(last),
        };
        if range.last < range.first {
            return Err(RangeError::Backwards);
        }
        range.bounded()
    }

    fn bounded(self) -> Result<Self, RangeError> {
        if self.last - self.first >= MOST as u128 {
            return Err(RangeError::TooLarge);
        }
        Ok(self)
    }

    /// How many addresses it holds, at least one.
    pub(super) fn len(self) -> usize {
        (self.last - self.first) as usize + 1
    }

    /// All of them, in ascending order.
    pub(super) fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (self.first..=self.last).map(move |number| match self.family {
            Family::V4 => Ipv4Addr::from_bits(number as u32).into(),
            Family::V6 => Ipv6Addr::from_bits(number).into(),
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Targets of one sweep, of whatever origin: as many as there are in an IPv4 /12.
pub(super) const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is how many, the first and the last, or what is wrong.
    fn check(text: &str, expected: &str) {
        let said = match Range::read(text) {
            None => "none".to_owned(),
            Some(Err(error)) => error.to_string(),
            Some(Ok(range)) => {
                let all: Vec<_> = range.addresses().collect();
                assert_eq!(all.len(), range.len());
                format!("{} {} {}", all.len(), all[0], all[all.len() - 1])
            }
        };
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn a_prefix_holds_its_hosts() {
        check("192.0.2.0/24", "254 192.0.2.1 192.0.2.254");
        check("192.0.2.77/24", "254 192.0.2.1 192.0.2.254");
        check("192.0.2.4/30", "2 192.0.2.5 192.0.2.6");
        check("192.0.2.4/31", "2 192.0.2.4 192.0.2.5");
        check("192.0.2.4/32", "1 192.0.2.4 192.0.2.4");
        check("10.16.0.0/12", "1048574 10.16.0.1 10.31.255.254");
        check("2001:db8::/120", "256 2001:db8:: 2001:db8::ff");
        check("2001:db8::1/128", "1 2001:db8::1 2001:db8::1");
    }

    #[test]
    fn two_ends_hold_what_is_between() {
        check("192.0.2.1-192.0.2.9", "9 192.0.2.1 192.0.2.9");
        check("192.0.2.254-192.0.3.1", "4 192.0.2.254 192.0.3.1");
        check("::1-::1", "1 ::1 ::1");
        check("192.0.2.9-192.0.2.1", "the range ends before it begins");
        let end = "an IPv4 range ends with another IPv4 address, such as 192.0.2.1";
        check("192.0.2.1-9", end);
        check("192.0.2.1-::1", end);
    }

    #[test]
    fn too_large_a_range_is_refused() {
        let large =
            "the range holds more than 1048576 addresses, the most that can be swept at once";
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/11",
            "::/0",
            "2001:db8::/107",
            "::-ffff::",
        ] {
            check(text, large);
        }
    }

    #[test]
    fn what_does_not_begin_with_an_address_is_no_range() {
        for text in [
            "",
            "a-b",
            "my-host.test",
            "http://x/",
            "192.0.2.1",
            "192.0.2/24",
            "-",
        ] {
            check(text, "none");
        }
        for text in [
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "192.0.2.0/255.255.255.0",
        ] {
            check(
                text,
                "the length of an IPv4 prefix is a number from 0 to 32",
            );
        }
        check(
            "::/129",
            "the length of an IPv6 prefix is a number from 0 to 128",
        );
    }
}
