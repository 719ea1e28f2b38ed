//! How is a service binding written (RFC 9460)?

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;

use super::data::Data;
use super::{Malformed, escaped, name};

/// Writes the data of SVCB and HTTPS.
pub(super) fn binding(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    write!(text, "{} ", data.u16()?)?;
    name(&data.name()?, text)?;
    while !data.is_empty() {
        let (key, length) = (data.u16()?, data.u16()?);
        let value = data.bytes(usize::from(length))?;
        text.write_char(' ')?;
        word(key, text)?;
        text.write_str("=\"")?;
        content(key, value, text)?;
        text.write_char('"')?;
    }
    Ok(())
}

fn content(key: u16, value: &[u8], text: &mut impl Write) -> Result<(), Malformed> {
    match key {
        MANDATORY => listed(value, text, |key: [u8; 2], text| {
            word(u16::from_be_bytes(key), text)
        }),
        ALPN => {
            let (mut value, mut comma) = (value, "");
            while let [length, rest @ ..] = value {
                let split = rest.split_at_checked(usize::from(*length));
                let (protocol, rest) = split.ok_or(Malformed)?;
                text.write_str(comma)?;
                for byte in protocol {
                    // Once for the list and once for the string (RFC 9460, appendix A.1).
                    if b",\\".contains(byte) {
                        text.write_str(r"\\")?;
                    }
                    escaped(&[*byte], b",\"; \\", text)?;
                }
                (value, comma) = (rest, ",");
            }
            Ok(())
        }
        PORT => {
            let port = value.try_into().map_err(|_| Malformed)?;
            Ok(write!(text, "{}", u16::from_be_bytes(port))?)
        }
        IPV4HINT => listed(value, text, |address: [u8; 4], text| {
            write!(text, "{}", Ipv4Addr::from(address))
        }),
        IPV6HINT => listed(value, text, |address: [u8; 16], text| {
            write!(text, "{}", Ipv6Addr::from(address))
        }),
        ECH => Ok(write!(text, "{}", BASE64.encode_display(value))?),
        _ => Ok(escaped(value, b"\"; \\", text)?),
    }
}

/// Elements of one length with commas between them.
fn listed<const N: usize, W: Write>(
    value: &[u8],
    text: &mut W,
    each: impl Fn([u8; N], &mut W) -> std::fmt::Result,
) -> Result<(), Malformed> {
    let (elements, rest) = value.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Malformed);
    }
    for (n, element) in elements.iter().enumerate() {
        text.write_str(if n == 0 { "" } else { "," })?;
        each(*element, text)?;
    }
    Ok(())
}

/// What a key is called (RFC 9460, section 14.3.2).
fn word(key: u16, text: &mut impl Write) -> std::fmt::Result {
    match key {
        MANDATORY => text.write_str("mandatory"),
        ALPN => text.write_str("alpn"),
        2 => text.write_str("no-default-alpn"),
        PORT => text.write_str("port"),
        IPV4HINT => text.write_str("ipv4hint"),
        ECH => text.write_str("ech"),
        IPV6HINT => text.write_str("ipv6hint"),
        7 => text.write_str("dohpath"),
        8 => text.write_str("ohttp"),
        key => write!(text, "key{key}"),
    }
}

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
