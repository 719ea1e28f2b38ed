//! Is this an address of mail, and how is it written on the wire?
//!
//! What RFC 5321, section 4.1.2, calls a Mailbox, and nothing more: a local part, quoted or not,
//! and a domain or the literal of an address. No display name, no comment, no source route. Letters
//! beyond ASCII are taken in the local part (RFC 6531) and encoded in the domain (RFC 5890).
//! Whether anybody has the address is not known here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of mail that can be sent in a command: no line end, no blank outside of quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mailbox {
    local: Box<str>,
    domain: Domain,
}

/// Who takes the mail of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Domain {
    /// A name in lower case and in ASCII alone, without a final dot.
    Name(Box<str>),
    /// The host that has this address (RFC 5321, section 4.1.3).
    Literal(IpAddr),
}

/// Why a text is no [`Mailbox`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MailboxError {
    #[error("an address of mail is LOCAL@DOMAIN")]
    NoDomain,
    #[error("the part before the @ is empty, longer than 64 octets, or has to be quoted")]
    Local,
    #[error("the part behind the @ is no name of a domain, nor an address in brackets")]
    Domain,
    #[error("an address of mail has at most 254 octets")]
    TooLong,
}

impl Mailbox {
    /// Reads an address as it is written in a configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, MailboxError> {
        let (local, domain) = split(text).ok_or(MailboxError::NoDomain)?;
        if local.is_empty() || local.len() > LONGEST_LOCAL || !is_local(local) {
            return Err(MailboxError::Local);
        }
        let domain = Domain::parse(domain)?;
        let mailbox = Self {
            local: local.into(),
            domain,
        };
        if mailbox.to_string().len() > LONGEST {
            return Err(MailboxError::TooLong);
        }
        Ok(mailbox)
    }

    /// Who takes its mail.
    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether a server has to know SMTPUTF8 to take it.
    pub(crate) fn is_international(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl Domain {
    fn parse(text: &str) -> Result<Self, MailboxError> {
        let refused = MailboxError::Domain;
        if let Some(literal) = text.strip_prefix('[') {
            let literal = literal.strip_suffix(']').ok_or(refused)?;
            let v6 = literal
                .get(..5)
                .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
            let address = match v6 {
                Some(_) => literal[5..].parse::<Ipv6Addr>().map(IpAddr::V6),
                None => literal.parse::<Ipv4Addr>().map(IpAddr::V4),
            };
            return address.map(Self::Literal).map_err(|_| refused);
        }
        let name = idna::domain_to_ascii_strict(text).map_err(|_| refused)?;
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        if name.len() > LONGEST_DOMAIN || is_number || name.ends_with('.') {
            return Err(refused);
        }
        Ok(Self::Name(name.into()))
    }
}

impl fmt::Display for Mailbox {
    /// As it stands in a command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
        }
    }
}

/// Whether a host can call itself so, in EHLO (RFC 5321, section 4.1.1.1) and behind the `@` of a
/// `Message-ID` (RFC 5322, section 3.6.4): by a name in ASCII, or by an address in brackets. Unlike a
/// [`Domain`] it may have underscores, for there are hosts that do.
pub(crate) fn is_host(text: &str) -> bool {
    let is_of = |text: &str, more: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    let literal = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let is_name = || text.split('.').all(|label| is_of(label, "-_"));
    text.len() <= 255 && literal.map_or_else(is_name, |literal| is_of(literal, ".:-"))
}

/// Takes local part and domain apart at the `@` that is not quoted.
fn split(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split_once('@');
    };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (local, rest) = text.split_at(end + 2);
    Some((local, rest.strip_prefix('@')?))
}

fn is_local(local: &str) -> bool {
    let beyond = |c: char| !(c.is_ascii() || c.is_control() || c.is_whitespace() || is_unseen(c));
    if let Some(quoted) = local.strip_prefix('"') {
        let quoted = quoted.strip_suffix('"').unwrap_or_default();
        // Where a backslash stands, anything printable may follow (quoted-pairSMTP).
        return !quoted.is_empty()
            && quoted
                .chars()
                .all(|c| c == ' ' || c.is_ascii_graphic() || beyond(c));
    }
    let atom = |c: char| c.is_ascii_alphanumeric() || ATOM.contains(c) || beyond(c);
    local
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(atom))
}

/// Whether a character is not shown but changes how others are: joiners, marks of direction, the mark
/// of byte order.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What an atom may have beside letters and digits (RFC 5322, section 3.2.3).
const ATOM: &str = "!#$%&'*+-/=?^_`{|}~";
/// RFC 5321, section 4.5.3.1.1.
const LONGEST_LOCAL: usize = 64;
/// Of a name in the DNS, without its final dot (RFC 1035, section 2.3.4).
const LONGEST_DOMAIN: usize = 253;
/// A path has 256 octets with its brackets (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_sent_and_nothing_else_is() {
        use MailboxError::{Domain, Local, NoDomain};
        let long = |length: usize| format!("{}@example.org", "a".repeat(length));
        for (text, expected) in [
            ("user@example.org", Ok("user@example.org")),
            ("User.Name+tag@Example.ORG", Ok("User.Name+tag@example.org")),
            ("root@localhost", Ok("root@localhost")),
            ("u@[192.0.2.1]", Ok("u@[192.0.2.1]")),
            ("u@[ipv6:2001:DB8::1]", Ok("u@[IPv6:2001:db8::1]")),
            ("\"a b\"@example.org", Ok("\"a b\"@example.org")),
            ("\"a\\\"@\"@example.org", Ok("\"a\\\"@\"@example.org")),
            ("j\u{fc}rgen@example.org", Ok("j\u{fc}rgen@example.org")),
            ("u@b\u{fc}cher.example", Ok("u@xn--bcher-kva.example")),
            (&long(64), Ok(&long(64))),
            (&long(65), Err(Local)),
            ("", Err(NoDomain)),
            ("user", Err(NoDomain)),
            ("\"user@example.org", Err(NoDomain)),
            ("\"a\" @example.org", Err(NoDomain)),
            ("@example.org", Err(Local)),
            ("\"\"@example.org", Err(Local)),
            ("a b@example.org", Err(Local)),
            ("a..b@example.org", Err(Local)),
            (".a@example.org", Err(Local)),
            ("a\r\nRCPT TO:<b@example.org", Err(Local)),
            ("\"a\r\nb\"@example.org", Err(Local)),
            ("a\0@example.org", Err(Local)),
            ("<u@example.org>", Err(Local)),
            ("a\u{202e}@example.org", Err(Local)),
            ("\"\u{200b}\"@example.org", Err(Local)),
            ("a,b@example.org", Err(Local)),
            ("\"a\"b@example.org", Err(NoDomain)),
            ("u@", Err(Domain)),
            ("u@\u{202e}b", Err(Domain)),
            ("u@b\u{2028}", Err(Domain)),
            ("u@b (c)", Err(Domain)),
            ("u@b.org, c@d.org", Err(Domain)),
            ("u@.org", Err(Domain)),
            ("u@[]", Err(Domain)),
            ("u@.", Err(Domain)),
            ("u@example.org.", Err(Domain)),
            ("u@example..org", Err(Domain)),
            ("u@exa mple.org", Err(Domain)),
            ("u@example.org>", Err(Domain)),
            ("u@example.org\r\nDATA", Err(Domain)),
            ("u@a@b.org", Err(Domain)),
            ("@a.org,@b.org:u@c.org", Err(Local)),
            ("u@192.0.2.1", Err(Domain)),
            ("u@[192.0.2.1", Err(Domain)),
            ("u@[example.org]", Err(Domain)),
            ("u@[IPv6:192.0.2.1]", Err(Domain)),
        ] {
            let read = Mailbox::parse(text).map(|mailbox| mailbox.to_string());
            assert_eq!(read.as_deref(), expected.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_in_brackets() {
        for (text, expected) in [
            ("mx.example.org", true),
            ("mx_1", true),
            ("[192.0.2.1]", true),
            ("[IPv6:2001:db8::1]", true),
            ("", false),
            ("a..b", false),
            ("a.b.", false),
            ("2001:db8::1", false),
            ("[192.0.2.1", false),
            ("[]", false),
            ("a b", false),
            ("a\r\nMAIL FROM:<>", false),
            ("b\u{fc}cher.example", false),
            (&"a".repeat(256), false),
        ] {
            assert_eq!(is_host(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_address_is_never_longer_than_a_path_may_be() {
        let text = format!("{}@{}.org", "a".repeat(60), "b.".repeat(100));
        assert!(matches!(
            Mailbox::parse(&text),
            Err(MailboxError::TooLong | MailboxError::Domain)
        ));
        assert!(Mailbox::parse("j\u{fc}@a.test").unwrap().is_international());
        assert!(!Mailbox::parse("j@\u{fc}.test").unwrap().is_international());
    }
}
