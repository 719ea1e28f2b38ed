//! Which cookies go with the next request of the same run?
//!
//! As RFC 6265 has it, but without a list of public suffixes: a jar lives for one run, so a cookie
//! that is set too widely reaches nobody but where this run's redirects lead.

use std::time::SystemTime;

use url::Url;

/// The cookies of one run.
#[derive(Debug, Default)]
pub(crate) struct Jar(Vec<Cookie>);

#[derive(Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// Whether only the very host gets it.
    host_only: bool,
    path: String,
    secure: bool,
}

impl Jar {
    /// Takes in a field `Set-Cookie` of an answer from `url` (RFC 6265, section 5.3).
    pub(crate) fn set(&mut self, url: &Url, field: &str) {
        let mut parts = field.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let host = url.host_str().unwrap_or_default();
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: host.to_owned(),
            host_only: true,
            path: default_path(url),
            secure: false,
        };
        let mut lifetime = None;
        let mut expired = false;
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "domain" if !value.is_empty() => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    if domain != host && !(domain.contains('.') && is_below(host, &domain)) {
                        return;
                    }
                    cookie.host_only = domain == host && url.domain().is_none();
                    cookie.domain = domain;
                }
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "max-age" => lifetime = value.parse::<i64>().ok(),
                "expires" => {
                    let end = httpdate::parse_http_date(value);
                    expired = end.is_ok_and(|end| end < SystemTime::now());
                }
                _ => {}
            }
        }
        let same = |other: &Cookie| {
            (&other.name, &other.domain, &other.path)
                == (&cookie.name, &cookie.domain, &cookie.path)
        };
        self.0.retain(|other| !same(other));
        if !lifetime.map_or(expired, |seconds| seconds <= 0) && !cookie.name.is_empty() {
            self.0.push(cookie);
        }
    }

    /// The field `Cookie` of a request to `url`, if it gets any (RFC 6265, section 5.4).
    pub(crate) fn field(&self, url: &Url) -> Option<String> {
        let host = url.host_str().unwrap_or_default();
        let mut cookies: Vec<_> = self
            .0
            .iter()
            .filter(|cookie| {
                let domain =
                    cookie.domain == host || !cookie.host_only && is_below(host, &cookie.domain);
                let path = url.path().strip_prefix(&cookie.path);
                let path = path.is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('/') || cookie.path.ends_with('/')
                });
                domain && path && (!cookie.secure || url.scheme() == "https")
            })
            .collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = cookies
            .iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// RFC 6265, section 5.1.4.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((path, _)) => path.to_owned(),
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_goes_where_it_is_meant_to_go() {
        for (from, field, to, expected) in [
            ("http://a.test/x", "k=v", "http://a.test/y", Some("k=v")),
            ("http://a.test/x/y", "k=v", "http://a.test/x/z", Some("k=v")),
            ("http://a.test/x/y", "k=v", "http://a.test/z", None),
            (
                "http://a.test/x/y",
                "k=v; Path=/",
                "http://a.test/z",
                Some("k=v"),
            ),
            ("http://a.test/", "k=v; Path=/x", "http://a.test/xy", None),
            ("http://a.test/", "k=v", "http://b.test/", None),
            ("http://a.test/", "k=v", "http://w.a.test/", None),
            (
                "http://w.a.test/",
                "k=v; Domain=.a.test",
                "http://v.a.test/",
                Some("k=v"),
            ),
            (
                "http://w.a.test/",
                "k=v; Domain=test",
                "http://w.a.test/",
                None,
            ),
            (
                "http://w.a.test/",
                "k=v; Domain=b.test",
                "http://b.test/",
                None,
            ),
            ("https://a.test/", "k=v; Secure", "http://a.test/", None),
            (
                "https://a.test/",
                "k=v; Secure",
                "https://a.test/",
                Some("k=v"),
            ),
            ("http://a.test/", "k=v; Max-Age=0", "http://a.test/", None),
            (
                "http://a.test/",
                "k=v; Max-Age=60",
                "http://a.test/",
                Some("k=v"),
            ),
            (
                "http://a.test/",
                "k=v; Expires=Wed, 21 Oct 2015 07:28:00 GMT",
                "http://a.test/",
                None,
            ),
            (
                "http://127.0.0.1/",
                "k=v; HttpOnly",
                "http://127.0.0.1/",
                Some("k=v"),
            ),
            ("http://a.test/", "nonsense", "http://a.test/", None),
            ("http://a.test/", "=v", "http://a.test/", None),
        ] {
            let mut jar = Jar::default();
            jar.set(&from.parse().unwrap(), field);
            let sent = jar.field(&to.parse().unwrap());
            assert_eq!(sent.as_deref(), expected, "{from} {field} {to}");
        }
    }

    #[test]
    fn a_cookie_that_is_set_again_is_replaced() {
        let url: Url = "http://a.test/".parse().unwrap();
        let mut jar = Jar::default();
        for field in ["a=1", "b=2; Path=/", "a=3"] {
            jar.set(&url, field);
        }
        assert_eq!(jar.field(&url).as_deref(), Some("b=2; a=3"));
        jar.set(&url, "b=; Max-Age=-1");
        assert_eq!(jar.field(&url).as_deref(), Some("a=3"));
    }
}
