//! Can an address stand in a header field?
//!
//! Only if it is one address and nothing besides (RFC 5322, section 3.4.1; RFC 6532 beyond ASCII).
//! Whether somebody reads mail there is not asked.

use super::MessageError;

/// Refuses what is no address.
pub(super) fn check(
    what: &'static str,
    address: &str,
    international: bool,
) -> Result<(), MessageError> {
    let refuse = |why| {
        Err(MessageError::Unfit {
            what,
            value: address.to_owned(),
            why,
        })
    };
    if address.len() > LONGEST {
        return refuse("an address has at most 254 octets");
    }
    // It would be read as the end of the line (RFC 5322, section 2.2).
    if address.chars().any(char::is_control) {
        return refuse("there is a control character in it");
    }
    if !international && !address.is_ascii() {
        return refuse("the server takes no address beyond ASCII (SMTPUTF8)");
    }
    let Some((local, domain)) = parts(address) else {
        return refuse("an address is LOCAL@DOMAIN");
    };
    if !is_local(local) {
        return refuse("what is before the @ has to be quoted");
    }
    if !is_domain(domain) {
        return refuse("there is no domain after the @");
    }
    Ok(())
}

/// Refuses what is neither a domain in ASCII nor an address in brackets.
pub(super) fn check_host(what: &'static str, host: &str) -> Result<(), MessageError> {
    if host.is_ascii() && host.len() <= 255 && is_domain(host) {
        return Ok(());
    }
    Err(MessageError::Unfit {
        what,
        value: host.to_owned(),
        why: "it is neither a domain nor an address in brackets",
    })
}

/// What is before and after the `@` that is not quoted.
fn parts(address: &str) -> Option<(&str, &str)> {
    let Some(quoted) = address.strip_prefix('"') else {
        return address.split_once('@');
    };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    // The quotes belong to it.
    let (local, rest) = address.split_at(end + 2);
    Some((local, rest.strip_prefix('@')?))
}

/// Atoms with dots between, or a quoted string, whose inside [`parts`] has looked at.
fn is_local(local: &str) -> bool {
    local.starts_with('"') || local.split('.').all(|atom| is_of(atom, ATOM))
}

fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[') {
        let Some(literal) = literal.strip_suffix(']') else {
            return false;
        };
        return is_of(literal, ".:-");
    }
    domain.split('.').all(|label| is_of(label, "-_"))
}

/// Letters, digits, whatever is beyond ASCII, and these; at least one.
fn is_of(text: &str, more: &str) -> bool {
    let fits = |c: char| {
        c.is_ascii_alphanumeric()
            || more.contains(c)
            || (!c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_unseen(c))
    };
    !text.is_empty() && text.chars().all(fits)
}

/// Whether a character is not shown but changes how others are: joiners, marks of direction, the mark
/// of byte order.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What an atom has beside letters and digits (RFC 5322, section 3.2.3).
const ATOM: &str = "!#$%&'*+-/=?^_`{|}~";
/// Of a path there are 256 octets with its brackets (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;
