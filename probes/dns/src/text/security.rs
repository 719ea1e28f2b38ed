//! How are keys, signatures, digests and proofs of absence written?
//!
//! Records of DNSSEC (RFC 4034, RFC 5155) and those that carry keys of other protocols. None of them
//! is verified.

use std::fmt::{self, Write};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXUPPER};

use super::data::Data;
use super::{Malformed, hex, name};
use crate::codes::Kind;

pub(super) fn is_known(kind: u16) -> bool {
    let known = [
        SIG, KEY, CERT, DS, SSHFP, RRSIG, NSEC, DNSKEY, DHCID, NSEC3, NSEC3PARAM, TLSA, SMIMEA,
        RKEY, CDS, CDNSKEY, OPENPGPKEY, CSYNC, ZONEMD, TA, DLV,
    ];
    known.contains(&kind)
}

/// Writes the data of a type that [`is_known`].
pub(super) fn fields(
    kind: u16,
    data: &mut Data<'_>,
    text: &mut impl Write,
) -> Result<(), Malformed> {
    match kind {
        DS | CDS | DLV | TA => {
            write!(text, "{} {} {} ", data.u16()?, data.u8()?, data.u8()?)?;
            write!(text, "{}", HEXUPPER.encode_display(data.rest()))?;
        }
        SSHFP => {
            write!(text, "{} {} ", data.u8()?, data.u8()?)?;
            write!(text, "{}", HEXUPPER.encode_display(data.rest()))?;
        }
        KEY | DNSKEY | CDNSKEY | RKEY => {
            write!(text, "{} {} {} ", data.u16()?, data.u8()?, data.u8()?)?;
            base64(data, text)?;
        }
        SIG | RRSIG => signature(data, text)?,
        NSEC => {
            name(&data.name()?, text)?;
            kinds(data, text)?;
        }
        NSEC3 => {
            nsec3_parameters(data, text)?;
            write!(text, " {}", BASE32HEX_NOPAD.encode_display(data.string()?))?;
            kinds(data, text)?;
        }
        NSEC3PARAM => nsec3_parameters(data, text)?,
        TLSA | SMIMEA => {
            write!(text, "{} {} {} ", data.u8()?, data.u8()?, data.u8()?)?;
            hex(data.rest(), text)?;
        }
        ZONEMD => {
            write!(text, "{} {} {} ", data.u32()?, data.u8()?, data.u8()?)?;
            hex(data.rest(), text)?;
        }
        CSYNC => {
            write!(text, "{} {}", data.u32()?, data.u16()?)?;
            kinds(data, text)?;
        }
        CERT => {
            certificate_kind(data.u16()?, text)?;
            write!(text, " {} ", data.u16()?)?;
            algorithm(data.u8()?, text)?;
            text.write_char(' ')?;
            base64(data, text)?;
        }
        _ => base64(data, text)?,
    }
    Ok(())
}

fn signature(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    let covered = Kind(data.u16()?);
    write!(
        text,
        "{covered} {} {} {} ",
        data.u8()?,
        data.u8()?,
        data.u32()?
    )?;
    for _ in 0..2 {
        date(data.u32()?, text)?;
        text.write_char(' ')?;
    }
    write!(text, "{} ", data.u16()?)?;
    name(&data.name()?, text)?;
    text.write_char(' ')?;
    Ok(base64(data, text)?)
}

fn nsec3_parameters(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    write!(text, "{} {} {} ", data.u8()?, data.u8()?, data.u16()?)?;
    match data.string()? {
        [] => text.write_char('-')?,
        salt => write!(text, "{}", HEXUPPER.encode_display(salt))?,
    }
    Ok(())
}

/// A set of types (RFC 4034, section 4.1.2): windows of 256 bits, as far as they are not 0.
fn kinds(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    let mut next = 0;
    while !data.is_empty() {
        let (window, bits) = (data.u8()?, data.string()?);
        let in_order = u16::from(window) >= next;
        if !in_order || bits.is_empty() || bits.len() > 32 {
            return Err(Malformed);
        }
        next = u16::from(window) + 1;
        for (n, bit) in (0..).zip(bits.iter().flat_map(|byte| bits_of(*byte))) {
            if bit {
                write!(text, " {}", Kind(u16::from(window) << 8 | n))?;
            }
        }
    }
    Ok(())
}

fn bits_of(byte: u8) -> impl Iterator<Item = bool> {
    (0..8).map(move |n| byte & 0x80 >> n != 0)
}

fn base64(data: &mut Data<'_>, text: &mut impl Write) -> fmt::Result {
    write!(text, "{}", BASE64.encode_display(data.rest()))
}

/// Seconds since 1970 as a date and a time, `20261128053610` (RFC 4034, section 3.2).
fn date(seconds: u32, text: &mut impl Write) -> fmt::Result {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0. Years that begin in March have the day that only some have as
    // their last; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = 400 * era + year + later;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let second = second % 60;
    write!(
        text,
        "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"
    )
}

/// RFC 4398, section 2.1.
fn certificate_kind(kind: u16, text: &mut impl Write) -> fmt::Result {
    match kind {
        1 => text.write_str("PKIX"),
        2 => text.write_str("SPKI"),
        3 => text.write_str("PGP"),
        4 => text.write_str("IPIX"),
        5 => text.write_str("ISPKI"),
        6 => text.write_str("IPGP"),
        7 => text.write_str("ACPKIX"),
        8 => text.write_str("IACPKIX"),
        253 => text.write_str("URI"),
        254 => text.write_str("OID"),
        kind => write!(text, "{kind}"),
    }
}

/// IANA, "Domain Name System Security Algorithm Numbers".
fn algorithm(algorithm: u8, text: &mut impl Write) -> fmt::Result {
    match algorithm {
        1 => text.write_str("RSAMD5"),
        2 => text.write_str("DH"),
        3 => text.write_str("DSA"),
        5 => text.write_str("RSASHA1"),
        6 => text.write_str("DSA-NSEC3-SHA1"),
        7 => text.write_str("RSASHA1-NSEC3-SHA1"),
        8 => text.write_str("RSASHA256"),
        10 => text.write_str("RSASHA512"),
        12 => text.write_str("ECC-GOST"),
        13 => text.write_str("ECDSAP256SHA256"),
        14 => text.write_str("ECDSAP384SHA384"),
        15 => text.write_str("ED25519"),
        16 => text.write_str("ED448"),
        252 => text.write_str("INDIRECT"),
        253 => text.write_str("PRIVATEDNS"),
        254 => text.write_str("PRIVATEOID"),
        algorithm => write!(text, "{algorithm}"),
    }
}

/// RFC 2535.
const SIG: u16 = 24;
/// RFC 2535.
const KEY: u16 = 25;
/// RFC 4398.
const CERT: u16 = 37;
/// RFC 4034.
const DS: u16 = 43;
/// RFC 4255.
const SSHFP: u16 = 44;
/// RFC 4034.
const RRSIG: u16 = 46;
/// RFC 4034.
const NSEC: u16 = 47;
/// RFC 4034.
const DNSKEY: u16 = 48;
/// RFC 4701.
const DHCID: u16 = 49;
/// RFC 5155.
const NSEC3: u16 = 50;
/// RFC 5155.
const NSEC3PARAM: u16 = 51;
/// RFC 6698.
const TLSA: u16 = 52;
/// RFC 8162.
const SMIMEA: u16 = 53;
const RKEY: u16 = 57;
/// RFC 7344.
const CDS: u16 = 59;
/// RFC 7344.
const CDNSKEY: u16 = 60;
/// RFC 7929.
const OPENPGPKEY: u16 = 61;
/// RFC 7477.
const CSYNC: u16 = 62;
/// RFC 8976.
const ZONEMD: u16 = 63;
const TA: u16 = 32_768;
/// RFC 4431.
const DLV: u16 = 32_769;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date() {
        for (seconds, expected) in [
            (0, "19700101000000"),
            (951_782_399, "20000228235959"),
            (951_782_400, "20000229000000"),
            (951_868_800, "20000301000000"),
            (1_735_689_599, "20241231235959"),
            (1_795_844_170, "20261128053610"),
            (u32::MAX, "21060207062815"),
        ] {
            let mut text = String::new();
            date(seconds, &mut text).unwrap();
            assert_eq!(text, expected);
        }
    }
}
