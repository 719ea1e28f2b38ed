//! What is probed?

use std::net::IpAddr;

use crate::options::OptionsError;

/// What is probed, as the person wrote it, with the labels that its series carry.
///
/// The address is not parsed here: whether it is a host, a URL or a mail address is the protocol's
/// affair, in [`crate::Options::aim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address as written; the value of the label `target`.
    pub address: Box<str>,
    /// The name to ask for where it differs from the address: TLS server name, HTTP `Host`.
    pub hostname: Option<Box<str>>,
    /// Whether somebody who asks over the network chose it, rather than the configuration or the
    /// person at the terminal. A probe that does more than ask, such as to send mail, must not
    /// do so for a target of theirs.
    pub foreign: bool,
    /// The user's labels, sorted by name, without `probe` and `target`.
    pub labels: Box<[(Box<str>, Box<str>)]>,
}

impl Target {
    /// A target without labels, chosen by whoever runs this program.
    pub fn new(address: impl Into<Box<str>>) -> Self {
        Self {
            address: address.into(),
            hostname: None,
            foreign: false,
            labels: Box::default(),
        }
    }

    /// Reads the address as the name or address of a host, without a port. It is not looked up.
    pub fn host(&self) -> Result<&str, OptionsError> {
        let address = &*self.address;
        if is_host(address) {
            return Ok(address);
        }
        Err(OptionsError::new("not the name or address of a host")
            .help("write a name or an address, such as example.com, 192.0.2.1 or 2001:db8::1"))
    }

    /// Reads the address as `HOST:PORT` or `[IPV6]:PORT`, and takes `default` where no port is
    /// written. The host is not looked up and the brackets are taken off.
    pub fn host_port(&self, default: Option<u16>) -> Result<(&str, u16), OptionsError> {
        let address = &*self.address;
        let (host, port) = match address
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            // More than one colon without brackets is an IPv6 address without a port.
            None if address.matches(':').count() > 1 => (address, ""),
            None => address.split_once(':').unwrap_or((address, "")),
        };
        let port = match (port, default) {
            ("", Some(default)) => Some(default),
            (port, _) => port.parse().ok().filter(|port| *port != 0),
        };
        match port {
            Some(port) if is_host(host) => Ok((host, port)),
            _ => Err(OptionsError::new("not a host with a port")
                .help("write HOST:PORT or [IPV6]:PORT, with a port from 1 to 65535")),
        }
    }
}

/// Whether this can be looked up: an address, or a name of at most 253 bytes in labels of letters,
/// digits, hyphens and underscores (RFC 1123, section 2.1; RFC 8552 for the underscores). Letters of
/// any script are left to the resolver. A last label of digits alone would be a mistyped address.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let known = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(known)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    text.parse::<IpAddr>().is_ok()
        || name.len() <= 253
            && name.split('.').all(label)
            && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_told_apart() {
        for (address, default, expected) in [
            ("example.com:25", None, Some(("example.com", 25))),
            ("example.com", Some(25), Some(("example.com", 25))),
            ("[::1]:25", None, Some(("::1", 25))),
            ("[::1]", Some(25), Some(("::1", 25))),
            ("::1", Some(25), Some(("::1", 25))),
            ("example.com", None, None),
            ("example.com:", None, None),
            ("example.com:0", None, None),
            ("example.com:65536", None, None),
            ("example.com:http", Some(25), None),
            (":25", None, None),
            ("[::1", Some(25), None),
            ("[::1]25x", Some(25), None),
            ("a:b:c", Some(25), None),
            ("http://example.com", Some(25), None),
        ] {
            let target = Target::new(address);
            assert_eq!(
                target.host_port(default).ok(),
                expected,
                "{address} {default:?}"
            );
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (address, expected) in [
            ("example.com", true),
            ("example.com.", true),
            ("_service.example.com", true),
            ("b\u{fc}cher.example", true),
            ("localhost", true),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("", false),
            (".", false),
            ("a b", false),
            ("a\0b", false),
            ("a..b", false),
            ("127.0.0.1.5", false),
            ("127.0.0.1:80", false),
            ("10.0.0.0/24", false),
            ("http://example.com/", false),
        ] {
            assert_eq!(Target::new(address).host().is_ok(), expected, "{address}");
        }
    }
}
