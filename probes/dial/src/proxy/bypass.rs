//! Which hosts are asked without a proxy?
//!
//! The rules of `NO_PROXY` are those that curl and Go share. Nothing is looked up: a rule about
//! addresses covers only a host that is written as one.

use std::net::IpAddr;

use url::Url;

/// Which hosts are asked without a proxy: the rules of `NO_PROXY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bypass(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Everything,
    Network(IpAddr, u32),
    /// With a leading dot only what lies below the domain; a port if one was written.
    Domain(String, Option<u16>),
}

impl Bypass {
    /// Reads a list with commas of hosts, domains, addresses and networks, each but a network
    /// with a port or without, or of a single `*`.
    pub fn new(list: &str) -> Self {
        let words = list
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        Self(words.map(Rule::new).collect())
    }

    /// Whether a URL is asked directly. This host itself always is.
    pub fn covers(&self, target: &Url) -> bool {
        let host = target.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.trim_end_matches('.').to_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        let port = target.port_or_known_default();
        host == "localhost"
            || address.is_some_and(|address| address.is_loopback())
            || self.0.iter().any(|rule| rule.covers(&host, address, port))
    }

    /// Whether one of the rules covers a URL, this host's own addresses judged like any other.
    pub fn names(&self, target: &Url) -> bool {
        !self.0.is_empty() && self.covers(target)
    }
}

impl Rule {
    fn new(word: &str) -> Self {
        if word == "*" {
            return Self::Everything;
        }
        if let Some((address, length)) = word.split_once('/')
            && let (Ok(address), Ok(length)) = (address.parse(), length.parse())
        {
            return Self::Network(address, length);
        }
        if let Ok(address) = word.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Self::Network(address, 128);
        }
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
            _ => (word, None),
        };
        let host = host.trim_matches(['[', ']']).to_lowercase();
        Self::Domain(host.strip_prefix('*').unwrap_or(&host).to_owned(), port)
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        match self {
            Self::Everything => true,
            Self::Network(network, length) => {
                address.is_some_and(|address| contains(*network, *length, address))
            }
            Self::Domain(domain, wanted) => {
                let name = domain.strip_prefix('.').unwrap_or(domain);
                let below = host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'));
                let itself = host == name && !domain.starts_with('.');
                (itself || below) && (wanted.is_none() || *wanted == port)
            }
        }
    }
}

fn contains(network: IpAddr, length: u32, address: IpAddr) -> bool {
    let equal = |a: u128, b: u128, bits: u32| {
        let rest = bits.saturating_sub(length);
        a.checked_shr(rest) == b.checked_shr(rest)
    };
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => equal(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => equal(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_covers_hosts_domains_networks_and_ports() {
        for (list, target, expected) in [
            ("", "http://example.com/", false),
            ("", "http://localhost/", true),
            ("", "http://127.0.0.1:80/", true),
            ("", "http://[::1]/", true),
            ("*", "http://example.com/", true),
            ("example.com", "http://example.com/", true),
            ("example.com", "http://EXAMPLE.com./", true),
            ("example.com", "http://www.example.com/", true),
            ("example.com", "http://anexample.com/", false),
            (".example.com", "http://example.com/", false),
            (".example.com", "http://www.example.com/", true),
            ("*.example.com", "http://www.example.com/", true),
            ("a, example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("0.0.0.0/0", "http://11.1.2.3/", true),
            ("192.0.2.1", "http://192.0.2.1/", true),
            ("192.0.2.1", "http://192.0.2.10/", false),
            ("2001:db8::/32", "http://[2001:db8::1]/", true),
            ("[2001:db8::1]", "http://[2001:db8::1]/", true),
            ("2001:db8::/32", "http://[2001:db9::1]/", false),
        ] {
            let covered = Bypass::new(list).covers(&target.parse().unwrap());
            assert_eq!(covered, expected, "{list:?} {target}");
        }
    }
}
