//! How is a place on earth written (RFC 1876)?

use std::fmt::{self, Write};

use super::Malformed;
use super::data::Data;

/// Writes the data of LOC in its only version.
pub(super) fn place(data: &mut Data<'_>, text: &mut impl Write) -> Result<(), Malformed> {
    let [version, size, horizontal, vertical] = data.array::<4>()?;
    if version != 0 {
        return Err(Malformed);
    }
    angle(data.u32()?, ['N', 'S'], text)?;
    angle(data.u32()?, ['E', 'W'], text)?;
    altitude(data.u32()?, text)?;
    for length in [size, horizontal, vertical] {
        text.write_char(' ')?;
        metres(length, text)?;
    }
    Ok(())
}

/// Thousandths of a second of arc, in degrees, minutes and seconds from the equator or Greenwich.
fn angle(value: u32, [above, below]: [char; 2], text: &mut impl Write) -> fmt::Result {
    let from = value.abs_diff(ORIGIN);
    let side = if value > ORIGIN { above } else { below };
    let (degrees, minutes) = (from / 3_600_000, from / 60_000 % 60);
    let (seconds, thousandths) = (from / 1_000 % 60, from % 1_000);
    write!(
        text,
        "{degrees:02} {minutes:02} {seconds}.{thousandths:03} {side} "
    )
}

/// Centimetres above 100 km below the sea.
fn altitude(value: u32, text: &mut impl Write) -> fmt::Result {
    let centimetres = i64::from(value) - 10_000_000;
    let sign = if centimetres < 0 { "-" } else { "" };
    let (metres, rest) = (centimetres.abs() / 100, centimetres.abs() % 100);
    match rest {
        0 => write!(text, "{sign}{metres}m"),
        rest => write!(text, "{sign}{metres}.{rest:02}m"),
    }
}

/// Centimetres as a digit and a power of ten.
fn metres(value: u8, text: &mut impl Write) -> fmt::Result {
    let (digit, power) = (value >> 4, value & 0xf);
    match power {
        0 => write!(text, "0.{digit:02}m"),
        1 => write!(text, "0.{:02}m", u16::from(digit) * 10),
        power => write!(text, "{digit}{:0<1$}m", "", usize::from(power) - 2),
    }
}

/// The equator, and the meridian of Greenwich.
const ORIGIN: u32 = 1 << 31;
