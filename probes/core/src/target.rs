//! What is probed?

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
    /// The user's labels, sorted by name, without `probe` and `target`.
    pub labels: Box<[(Box<str>, Box<str>)]>,
}

impl Target {
    /// A target without labels.
    pub fn new(address: impl Into<Box<str>>) -> Self {
        Self {
            address: address.into(),
            hostname: None,
            labels: Box::default(),
        }
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
            Some(port) if !host.is_empty() && !host.contains(['[', ']']) => Ok((host, port)),
            _ => Err(
                OptionsError::new(format!("{address:?} is not a target of this probe"))
                    .help("write HOST:PORT or [IPV6]:PORT, with a port from 1 to 65535"),
            ),
        }
    }
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
        ] {
            let target = Target::new(address);
            assert_eq!(
                target.host_port(default).ok(),
                expected,
                "{address} {default:?}"
            );
        }
    }
}
