//! How is EDNS written, which is a record only by its form (RFC 6891, section 6)?
//!
//! As a comment, in the way of dig. Of the options only those that a person may look for have a name
//! here, all others their number.

use std::fmt::Write;

use super::data::Data;
use super::{Malformed, hex};
use crate::answer::Record;

pub(super) fn opt(message: &[u8], record: &Record, text: &mut impl Write) -> Result<(), Malformed> {
    let version = record.ttl >> 16 & 0xff;
    let flags = if record.ttl & DNSSEC_OK == 0 {
        "flags:;"
    } else {
        "flags: do;"
    };
    write!(
        text,
        "\n;; OPT PSEUDOSECTION:\n; EDNS: version {version}; {flags} "
    )?;
    let must_be_zero = record.ttl & 0x7fff;
    if must_be_zero != 0 {
        write!(text, "MBZ: 0x{must_be_zero:04x}, ")?;
    }
    write!(text, "udp: {}", record.class.0)?;
    let mut data = Data::of(message, record.data.clone());
    while !data.is_empty() {
        let (code, length) = (data.u16()?, data.u16()?);
        let content = data.bytes(usize::from(length))?;
        match code {
            NSID => text.write_str("\n; NSID: ")?,
            COOKIE => text.write_str("\n; COOKIE: ")?,
            code => write!(text, "\n; LOCAL OPT: {code}:0x")?,
        }
        hex(content, text)?;
    }
    Ok(())
}

const DNSSEC_OK: u32 = 0x8000;
/// RFC 5001.
const NSID: u16 = 3;
/// RFC 7873.
const COOKIE: u16 = 10;
