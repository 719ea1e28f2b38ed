//! How is a record written as text?
//!
//! As `blackbox_exporter` writes it, for regular expressions were made for that: name, TTL, class
//! and type, each with a tab behind it, then the data with blanks between its fields; names end in
//! a dot, strings stand in quotes. That is the form of RFC 1035, section 5.1, with the same choices
//! where there are any. Data of a type that is not known here is written as RFC 3597, section 5, has
//! it.
//!
//! A record that cannot be written is malformed: this is also the check of its data.

mod data;
mod edns;
mod location;
mod security;
mod service;

use std::fmt::{self, Write};

use hickory_proto::rr::Name;

use crate::answer::Record;
use crate::codes::Kind;
use data::Data;

/// A record's data does not have the form of its type.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Writes a record of this message.
pub(crate) fn record(
    message: &[u8],
    record: &Record,
    text: &mut impl Write,
) -> Result<(), Malformed> {
    if record.kind == Kind::OPT {
        return edns::opt(message, record, text);
    }
    name(&record.owner, text)?;
    let Record {
        ttl, class, kind, ..
    } = record;
    write!(text, "\t{ttl}\t{class}\t{kind}\t")?;
    // What is left out, as in an update (RFC 2136, section 2.4), has no form.
    if record.data.is_empty() {
        return Ok(());
    }
    let mut data = Data::of(message, record.data.clone());
    fields(record.kind, &mut data, text)?;
    if data.is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

fn fields(kind: Kind, data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    match kind.0 {
        A => write!(text, "{}", std::net::Ipv4Addr::from(data.array::<4>()?))?,
        AAAA => write!(text, "{}", std::net::Ipv6Addr::from(data.array::<16>()?))?,
        NS | MD | MF | CNAME | MB | MG | MR | PTR | DNAME | NSAP_PTR => {
            name(&data.name()?, text)?;
        }
        SOA => {
            names(2, data, text)?;
            for _ in 0..5 {
                write!(text, " {}", data.u32()?)?;
            }
        }
        MX | AFSDB | RT | KX | LP => {
            write!(text, "{} ", data.u16()?)?;
            name(&data.name()?, text)?;
        }
        PX => {
            write!(text, "{} ", data.u16()?)?;
            names(2, data, text)?;
        }
        MINFO | RP | TALINK => names(2, data, text)?,
        TXT | SPF | AVC | NINFO | HINFO => strings(data, text)?,
        SRV => {
            write!(text, "{} {} {} ", data.u16()?, data.u16()?, data.u16()?)?;
            name(&data.name()?, text)?;
        }
        NAPTR => {
            write!(text, "{} {} ", data.u16()?, data.u16()?)?;
            for _ in 0..3 {
                quoted(data.string()?, text)?;
                text.write_char(' ')?;
            }
            name(&data.name()?, text)?;
        }
        CAA => {
            write!(text, "{} ", data.u8()?)?;
            escaped(data.string()?, b"\"\\", text)?;
            text.write_char(' ')?;
            quoted(data.rest(), text)?;
        }
        URI => {
            write!(text, "{} {} ", data.u16()?, data.u16()?)?;
            quoted(data.rest(), text)?;
        }
        EUI48 => dashed(data.array::<6>()?, text)?,
        EUI64 => dashed(data.array::<8>()?, text)?,
        LOC => location::place(data, text)?,
        SVCB | HTTPS => service::binding(data, text)?,
        kind if security::is_known(kind) => security::fields(kind, data, text)?,
        _ => unknown(data, text)?,
    }
    Ok(())
}

/// A name with a dot behind each label.
pub(crate) fn name(name: &Name, text: &mut impl Write) -> fmt::Result {
    if name.is_root() {
        return text.write_char('.');
    }
    for label in name {
        escaped(label, b".'@;() \"\\", text)?;
        text.write_char('.')?;
    }
    Ok(())
}

fn names(count: usize, data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    for n in 0..count {
        if n > 0 {
            text.write_char(' ')?;
        }
        name(&data.name()?, text)?;
    }
    Ok(())
}

/// All that is left, as strings (RFC 1035, section 3.3).
fn strings(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    let mut blank = "";
    while !data.is_empty() {
        text.write_str(blank)?;
        quoted(data.string()?, text)?;
        blank = " ";
    }
    Ok(())
}

fn quoted(string: &[u8], text: &mut impl Write) -> fmt::Result {
    text.write_char('"')?;
    escaped(string, b"\"\\", text)?;
    text.write_char('"')
}

/// Bytes as they are, save `special` ones behind a backslash and those that cannot be printed as
/// three decimal digits.
fn escaped(bytes: &[u8], special: &[u8], text: &mut impl Write) -> fmt::Result {
    for byte in bytes {
        match byte {
            byte if special.contains(byte) => write!(text, "\\{}", char::from(*byte))?,
            b' '..=b'~' => text.write_char(char::from(*byte))?,
            byte => write!(text, "\\{byte:03}")?,
        }
    }
    Ok(())
}

fn dashed<const N: usize>(bytes: [u8; N], text: &mut impl Write) -> fmt::Result {
    for (n, byte) in bytes.iter().enumerate() {
        let dash = if n == 0 { "" } else { "-" };
        write!(text, "{dash}{byte:02x}")?;
    }
    Ok(())
}

fn unknown(data: &mut Data<'_>, text: &mut impl Write) -> fmt::Result {
    let bytes = data.rest();
    write!(text, "\\# {} ", bytes.len())?;
    hex(bytes, text)
}

fn hex(bytes: &[u8], text: &mut impl Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
}

impl From<fmt::Error> for Malformed {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

// RFC 1035, section 3.2.2, unless said otherwise.
const A: u16 = 1;
const NS: u16 = 2;
const MD: u16 = 3;
const MF: u16 = 4;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const MB: u16 = 7;
const MG: u16 = 8;
const MR: u16 = 9;
const PTR: u16 = 12;
const HINFO: u16 = 13;
const MINFO: u16 = 14;
const MX: u16 = 15;
const TXT: u16 = 16;
/// RFC 1183.
const RP: u16 = 17;
/// RFC 1183.
const AFSDB: u16 = 18;
/// RFC 1183.
const RT: u16 = 21;
/// RFC 1706.
const NSAP_PTR: u16 = 23;
/// RFC 2163.
const PX: u16 = 26;
/// RFC 3596.
const AAAA: u16 = 28;
/// RFC 1876.
const LOC: u16 = 29;
/// RFC 2782.
const SRV: u16 = 33;
/// RFC 3403.
const NAPTR: u16 = 35;
/// RFC 2230.
const KX: u16 = 36;
/// RFC 6672.
const DNAME: u16 = 39;
const NINFO: u16 = 56;
const TALINK: u16 = 58;
/// RFC 9460.
const SVCB: u16 = 64;
/// RFC 9460.
const HTTPS: u16 = 65;
/// RFC 7208.
const SPF: u16 = 99;
/// RFC 6742.
const LP: u16 = 107;
/// RFC 7043.
const EUI48: u16 = 108;
/// RFC 7043.
const EUI64: u16 = 109;
/// RFC 7553.
const URI: u16 = 256;
/// RFC 8659.
const CAA: u16 = 257;
const AVC: u16 = 258;

#[cfg(test)]
mod tests;
