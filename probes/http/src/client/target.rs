//! Which URL is a target?

use leadsman_core::OptionsError;
use url::{Host, Position, Url};

/// Reads a target: a URL, or without a scheme one of plain HTTP.
pub(crate) fn url(address: &str) -> Result<Url, OptionsError> {
    let help = "write a URL such as https://example.com/path, or HOST:PORT for plain HTTP";
    let url = match address.split_once("://") {
        Some((scheme, _)) if is_http(scheme) => Url::parse(address),
        Some((scheme, _)) if is_scheme(scheme) => {
            let message = format!("`{scheme}` is not a scheme of HTTP");
            return Err(OptionsError::new(message).help(help));
        }
        _ => Url::parse(&format!("http://{address}")),
    };
    url.map_err(|why| OptionsError::new(format!("not a URL: {why}")).help(help))
}

/// The host of a URL as it is looked up, an IPv6 address without brackets.
pub(crate) fn host(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv6(address)) => address.to_string(),
        // Written in the one way that there is.
        Some(Host::Ipv4(_)) | None => url.host_str().unwrap_or_default().to_owned(),
    }
}

/// The port of a URL, its scheme's where none is written.
pub(crate) fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}

/// Host and port as the field `Host` has them: the port only where it is not the scheme's.
pub(crate) fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// Whether a request goes to the same server, so that what is meant for it may be sent.
pub(crate) fn is_same(first: &Url, other: &Url) -> bool {
    let secure_once = first.scheme() == "https" && other.scheme() != "https";
    first.host_str() == other.host_str() && first.port() == other.port() && !secure_once
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn is_scheme(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url_with_or_without_a_scheme() {
        for (address, expected) in [
            ("http://example.com", Some("http://example.com/")),
            (
                "HtTpS://example.com:8443/a?b=c#d",
                Some("https://example.com:8443/a?b=c#d"),
            ),
            ("example.com", Some("http://example.com/")),
            (
                "example.com:8080/a?u=http://b/",
                Some("http://example.com:8080/a?u=http://b/"),
            ),
            ("[::1]:80/", Some("http://[::1]/")),
            ("192.0.2.1/x", Some("http://192.0.2.1/x")),
            ("invalid://127.0.0.1", None),
            ("ftp://example.com", None),
            ("http://", None),
            ("", None),
            ("http://exa mple/", None),
            ("http://[::1/", None),
            ("host:99999", None),
        ] {
            let read = url(address).map(|url| url.to_string());
            assert_eq!(read.ok().as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn what_is_meant_for_a_server_goes_to_no_other() {
        for (other, expected) in [
            ("https://a.test/x", true),
            ("https://a.test:443/", true),
            ("https://a.test:444/", false),
            ("https://b.test/", false),
            ("http://a.test/", false),
        ] {
            let first = url("https://a.test/").unwrap();
            assert_eq!(is_same(&first, &url(other).unwrap()), expected, "{other}");
        }
    }
}
