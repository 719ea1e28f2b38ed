//! How does free text stand in a header field?
//!
//! As it is where it is short and plain, or else as encoded words (RFC 2047), which say the same in
//! ASCII and in lines of decent length. A line end in it is refused rather than encoded: nobody
//! means one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MessageError;

/// The value of a field that is free text, such as `Subject`; it begins in column `column`.
pub(super) fn unstructured(
    what: &'static str,
    text: &str,
    column: usize,
    international: bool,
) -> Result<String, MessageError> {
    check(what, text)?;
    let fits = column + text.len() <= WIDEST;
    // What looks like an encoded word would be read as one, and space at an end be lost.
    let is_clear = !text.contains("=?") && text.trim() == text;
    if fits && is_clear && (international || text.is_ascii()) {
        return Ok(text.to_owned());
    }
    Ok(encoded(text, column))
}

/// What somebody is called, before an address.
pub(super) fn phrase(
    what: &'static str,
    text: &str,
    column: usize,
    international: bool,
) -> Result<String, MessageError> {
    check(what, text)?;
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let fits = column + quoted.len() <= WIDEST;
    if fits && !text.contains("=?") && (international || text.is_ascii()) {
        return Ok(quoted);
    }
    Ok(encoded(text, column))
}

fn check(what: &'static str, text: &str) -> Result<(), MessageError> {
    let refuse = |why| {
        Err(MessageError::Unfit {
            what,
            value: text.to_owned(),
            why,
        })
    };
    if text.len() > LONGEST {
        return refuse("it has more than 512 octets");
    }
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.chars().any(char::is_control) {
        return refuse("there is a control character in it");
    }
    Ok(())
}

/// As many encoded words as it takes, each on a line of its own; none splits a character.
fn encoded(text: &str, column: usize) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut begin = 0;
    let mut room = room(column);
    for (at, c) in text.char_indices() {
        if at + c.len_utf8() - begin > room {
            words.push(word(&text[begin..at]));
            begin = at;
            room = self::room(1);
        }
    }
    words.push(word(&text[begin..]));
    words.join("\r\n ")
}

fn word(text: &str) -> String {
    format!("{BEGIN}{}{END}", STANDARD.encode(text))
}

/// Octets that an encoded word has room for in what is left of a line.
fn room(column: usize) -> usize {
    (WIDEST - column - BEGIN.len() - END.len()) / 4 * 3
}

const BEGIN: &str = "=?utf-8?B?";
const END: &str = "?=";
/// Characters that a line should have at most (RFC 5322, section 2.1.1), and just about how long an
/// encoded word may be (RFC 2047, section 2).
const WIDEST: usize = 76;
/// Octets; nobody reads more, and there is no end to what could be sent.
const LONGEST: usize = 512;
