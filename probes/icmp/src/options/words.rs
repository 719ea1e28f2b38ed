//! Which options of a ping are more than a number or a word?
//!
//! Each is read from its text once, so that an option that exists can be used. Whether there is
//! such an interface shows only when it is used.

use leadsman_wire::{FlowLabel, Interface, Pattern, RequestOptions, Stamps};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct InterfaceName(pub(crate) Interface);

impl TryFrom<String> for InterfaceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = Interface::new(&text).map(Self);
        name.ok_or_else(|| format!("`{text}` cannot be the name of an interface, such as eth0"))
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0.to_string()
    }
}

/// Bytes to fill payloads with, in hexadecimal digits as ping(8) takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HexPattern(pub(crate) Pattern);

impl TryFrom<String> for HexPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let bytes = digits.map(|digits| {
            let pairs = digits.chunks(2);
            let bytes =
                pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8));
            bytes.collect::<Vec<_>>()
        });
        let pattern = bytes.and_then(|bytes| Pattern::new(&bytes)).map(Self);
        pattern.ok_or_else(|| {
            format!("expected 1 to 16 bytes in hexadecimal digits, such as ff00, got `{text}`")
        })
    }
}

impl From<HexPattern> for String {
    fn from(pattern: HexPattern) -> Self {
        let digits = pattern
            .0
            .bytes()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0xf]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        digits.collect()
    }
}

/// Bytes of payload; 0 stands for the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub(crate) struct PayloadSize(pub(crate) usize);

impl TryFrom<u64> for PayloadSize {
    type Error = String;

    fn try_from(bytes: u64) -> Result<Self, String> {
        let most = RequestOptions::MAX_PAYLOAD_SIZE;
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= most);
        let size = bytes.map(Self);
        size.ok_or_else(|| format!("an echo request holds at most {most} bytes"))
    }
}

impl From<PayloadSize> for u64 {
    fn from(size: PayloadSize) -> Self {
        size.0 as Self
    }
}

/// An IPv6 flow label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) struct Label(pub(crate) FlowLabel);

impl TryFrom<u32> for Label {
    type Error = String;

    fn try_from(label: u32) -> Result<Self, String> {
        let label = FlowLabel::new(label).map(Self);
        label.ok_or_else(|| "a flow label is a number from 1 to 1048575".to_owned())
    }
}

impl From<Label> for u32 {
    fn from(label: Label) -> Self {
        label.0.number()
    }
}

// No doc comments within: the schema would list each value with its text, and no longer as one.
/// Which packets the kernel stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Timestamps {
    // Requests as they leave, and replies as they come: round trips are exact.
    #[default]
    Both,
    // Replies only: round trips are some microseconds too long, and a fifth of the work is saved.
    Replies,
    // None: round trips contain how long this program was kept waiting.
    Neither,
}

impl From<Timestamps> for Stamps {
    fn from(timestamps: Timestamps) -> Self {
        match timestamps {
            Timestamps::Both => Self::Both,
            Timestamps::Replies => Self::Arrivals,
            Timestamps::Neither => Self::Neither,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_from_hexadecimal_digits() {
        for (text, expected) in [
            ("ff", Some("ff")),
            ("FF00a", Some("ff000a")),
            ("", None),
            ("xy", None),
            ("0102030405060708090a0b0c0d0e0f1011", None),
        ] {
            let pattern = HexPattern::try_from(text.to_owned()).ok();
            assert_eq!(pattern.map(String::from).as_deref(), expected, "{text}");
        }
    }
}
