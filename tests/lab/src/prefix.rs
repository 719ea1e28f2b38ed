//! Which addresses belong together?

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A range of addresses as routes name it: `10.9.0.0/16`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let host_bits = self.host_bits();
        address.is_ipv4() == self.address.is_ipv4()
            && (bits(address) ^ bits(self.address))
                .checked_shr(host_bits)
                .unwrap_or(0)
                == 0
    }

    /// Returns the n-th address of the range, counted from its first; beyond its end from the
    /// first again.
    pub fn nth(&self, n: u128) -> IpAddr {
        let hosts = 1_u128
            .checked_shl(self.host_bits())
            .unwrap_or(0)
            .wrapping_sub(1);
        let bits = bits(self.address) & !hosts | n & hosts;
        if self.address.is_ipv4() {
            Ipv4Addr::from(bits as u32).into()
        } else {
            Ipv6Addr::from(bits).into()
        }
    }

    fn host_bits(&self) -> u32 {
        u32::from(width(self.address) - self.length)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            length: width(address),
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let error = || PrefixError(text.to_owned());
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let length = match length {
            "" if !text.contains('/') => width(address),
            length => length.parse().map_err(|_| error())?,
        };
        (length <= width(address))
            .then_some(Self { address, length })
            .ok_or_else(error)
    }
}

/// A text that is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of addresses: write an address, or its first bits as in 10.9.0.0/16")]
pub struct PrefixError(String);

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (prefix, address, expected) in [
            ("10.9.0.0/16", "10.9.255.1", true),
            ("10.9.0.0/16", "10.8.255.1", false),
            ("10.9.0.1", "10.9.0.1", true),
            ("10.9.0.1", "10.9.0.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("::/0", "192.0.2.1", false),
            ("::/0", "fd00::1", true),
            ("fd00::/64", "fd00::ffff:1", true),
            ("fd00::/64", "fd00:1::1", false),
        ] {
            let prefix: Prefix = prefix.parse().unwrap();
            assert_eq!(
                prefix.contains(address.parse().unwrap()),
                expected,
                "{prefix} {address}"
            );
        }
    }

    #[test]
    fn the_addresses_of_a_range_are_counted_from_its_first() {
        for (prefix, n, expected) in [
            ("10.9.0.0/16", 258, "10.9.1.2"),
            ("10.9.0.0/16", 65_537, "10.9.0.1"),
            ("fd00:9::/64", 10, "fd00:9::a"),
            ("10.9.0.1", 7, "10.9.0.1"),
        ] {
            let prefix: Prefix = prefix.parse().unwrap();
            assert_eq!(prefix.nth(n).to_string(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "10.9.0.0/33",
            "10.9/16",
            "10.9.0.0/",
            "fd00::/129",
            "host",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
