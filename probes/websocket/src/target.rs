//! Which WebSocket is a target?

use leadsman_core::OptionsError;
use url::{Host, Url};

/// Where a WebSocket is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// As a request of HTTP has it: the scheme is http or https.
    pub(crate) url: Url,
    /// The host as it is looked up, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether TLS is spoken.
    pub(crate) is_secure: bool,
}

impl Place {
    /// Reads a target: a URL of ws, wss, http or https, or one of ws without its scheme (RFC 6455,
    /// section 3).
    pub(crate) fn read(address: &str) -> Result<Self, OptionsError> {
        let help = "write a URL such as wss://example.com/path, or HOST:PORT/PATH without TLS";
        let (scheme, rest) = address.split_once("://").unwrap_or(("ws", address));
        let is_secure = match &*scheme.to_ascii_lowercase() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => {
                let message = format!("`{scheme}` is not a scheme of WebSockets");
                return Err(OptionsError::new(message).help(help));
            }
        };
        let scheme = if is_secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{rest}"));
        let url = url.map_err(|why| OptionsError::new(format!("not a URL: {why}")).help(help))?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        Ok(Self {
            port: url.port_or_known_default().unwrap_or(80),
            host,
            url,
            is_secure,
        })
    }

    /// Host and port as the field `Host` has them: the port only where it is not the scheme's.
    pub(crate) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What is asked for there.
    pub(crate) fn path(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url_of_a_websocket() {
        for (address, expected) in [
            ("ws://a.test", Some(("a.test", 80, false, "a.test", "/"))),
            (
                "wss://a.test/x?y#z",
                Some(("a.test", 443, true, "a.test", "/x?y")),
            ),
            (
                "WSS://a.test:8443/",
                Some(("a.test", 8443, true, "a.test:8443", "/")),
            ),
            (
                "http://192.0.2.1:80/",
                Some(("192.0.2.1", 80, false, "192.0.2.1", "/")),
            ),
            ("https://[::1]:9/", Some(("::1", 9, true, "[::1]:9", "/"))),
            (
                "a.test:8080/ws",
                Some(("a.test", 8080, false, "a.test:8080", "/ws")),
            ),
            ("ftp://a.test/", None),
            ("ws://", None),
            ("", None),
            ("ws://a b/", None),
            ("ws://a.test:99999/", None),
        ] {
            let read = Place::read(address).ok();
            let read = read.as_ref().map(|place| {
                let Place { host, port, .. } = place;
                (
                    &**host,
                    *port,
                    place.is_secure,
                    place.authority(),
                    place.path(),
                )
            });
            let expected = expected.map(|(host, port, is_secure, authority, path)| {
                (host, port, is_secure, authority.to_owned(), path)
            });
            assert_eq!(read, expected, "{address}");
        }
    }
}
