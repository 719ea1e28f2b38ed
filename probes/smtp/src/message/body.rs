//! How does a text travel unchanged?
//!
//! With CRLF at the end of every line, as it is where that is ASCII in lines of decent length, or
//! else as quoted-printable (RFC 2045, section 6.7), which every mail program can read.

/// The text with CRLF for every line end of any kind, and one at its end unless it is empty.
///
/// A CR or LF alone may be no line end for one program and one for the next, so that what follows it
/// is read as something else there; so none is left.
pub(super) fn normalised(text: &str) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                _ = bytes.next_if_eq(&b'\n');
                lines.extend_from_slice(b"\r\n");
            }
            b'\n' => lines.extend_from_slice(b"\r\n"),
            byte => lines.push(byte),
        }
    }
    if !lines.is_empty() && !lines.ends_with(b"\r\n") {
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// A normalised text as it can travel, and what that coding is called.
pub(super) fn coded(text: Vec<u8>, eight_bit: bool) -> (&'static str, Vec<u8>) {
    let mut lines = text.split(|byte| *byte == b'\n');
    let is_plain = lines.all(|line| line.len() <= LONGEST_LINE + "\r".len())
        && !text
            .iter()
            .any(|byte| byte.is_ascii_control() && !b"\t\r\n".contains(byte));
    match (is_plain, text.is_ascii()) {
        (true, true) => ("7bit", text),
        (true, false) if eight_bit => ("8bit", text),
        _ => ("quoted-printable", quoted_printable(&text)),
    }
}

fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() * 3 / 2);
    let lines = text.strip_suffix(b"\r\n").unwrap_or(text);
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut column = 0;
        for (at, byte) in line.iter().enumerate() {
            let is_last = at + 1 == line.len();
            let as_it_is = match byte {
                b'=' => false,
                // At the end of a line, somebody may strip it.
                b' ' | b'\t' => !is_last,
                byte => byte.is_ascii_graphic(),
            };
            let width = if as_it_is { 1 } else { 3 };
            // A line that goes on has a sign at its end, for which there has to be room.
            if column + width > WIDEST - usize::from(!is_last) {
                quoted.extend_from_slice(b"=\r\n");
                column = 0;
            }
            if as_it_is {
                quoted.push(*byte);
            } else {
                quoted.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
            column += width;
        }
        quoted.extend_from_slice(b"\r\n");
    }
    quoted
}

/// Octets of a line without its end (RFC 5322, section 2.1.1).
const LONGEST_LINE: usize = 998;
/// Characters of a line of quoted-printable without its end.
const WIDEST: usize = 76;
