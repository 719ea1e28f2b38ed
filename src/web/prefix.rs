//! Below which path does everything lie?
//!
//! A reverse proxy may pass on paths as they are, so that all of them begin alike. The rules for what
//! follows from `--web.external-url` and `--web.route-prefix` are `blackbox_exporter`'s. Links on
//! pages are relative, so that they lead below any prefix.

use hyper::Uri;
use hyper::header::HeaderValue;

/// The path below which everything lies, and where people find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Begins and ends with a slash.
    path: String,
    home: HeaderValue,
}

/// Where a path leads that is not below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// To where everything begins.
    Home,
    /// To nothing.
    Nowhere,
}

/// A text that is not the URL at which people find the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a URL at which this program can be found: write one such as https://example.com/probes/"
)]
pub(crate) struct NotAUrl(String);

impl Default for Prefix {
    fn default() -> Self {
        let root = HeaderValue::from_static("/");
        Self {
            path: "/".to_owned(),
            home: root,
        }
    }
}

impl Prefix {
    /// The prefix for these flags, each empty if it was not given.
    pub(crate) fn of(external_url: &str, route_prefix: &str) -> Result<Self, NotAUrl> {
        let unusable = || NotAUrl(external_url.to_owned());
        let url = match external_url {
            "" => None,
            url => Some(url.parse::<Uri>().map_err(|_| unusable())?),
        };
        let is_whole = |url: &Uri| url.scheme().is_some() && url.authority().is_some();
        if url
            .as_ref()
            .is_some_and(|url| !is_whole(url) && !url.path().starts_with('/'))
        {
            return Err(unusable());
        }
        let own = url.as_ref().map_or("/", Uri::path);
        let chosen = if route_prefix.is_empty() {
            own
        } else {
            route_prefix
        };
        let path = match chosen.trim_matches('/') {
            "" => "/".to_owned(),
            inner => format!("/{inner}/"),
        };
        let home = match url.filter(is_whole) {
            Some(_) => format!("{}/", external_url.trim_end_matches('/')),
            None => path.clone(),
        };
        let home = HeaderValue::try_from(home).map_err(|_| unusable())?;
        Ok(Self { path, home })
    }

    /// The part of a path below the prefix, with its slash.
    pub(crate) fn strip<'p>(&self, path: &'p str) -> Result<&'p str, Elsewhere> {
        let stem = &self.path[..self.path.len() - 1];
        match path.strip_prefix(stem) {
            Some(rest) if rest.starts_with('/') => Ok(rest),
            // Without its slash, the relative links of a page would lead beside it.
            Some("") => Err(Elsewhere::Home),
            _ if path == "/" => Err(Elsewhere::Home),
            _ => Err(Elsewhere::Nowhere),
        }
    }

    /// Where people find the page at which everything begins.
    pub(super) fn home(&self) -> &HeaderValue {
        &self.home
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_below_the_prefix() {
        use Elsewhere::{Home, Nowhere};
        for (external, route, home, paths) in [
            ("", "", "/", vec![("/", Ok("/")), ("/probe", Ok("/probe"))]),
            ("", "/", "/", vec![("/probe", Ok("/probe"))]),
            (
                "",
                "a/b",
                "/a/b/",
                vec![
                    ("/a/b/probe", Ok("/probe")),
                    ("/a/b/", Ok("/")),
                    ("/a/b", Err(Home)),
                    ("/", Err(Home)),
                    ("/a/bc/", Err(Nowhere)),
                    ("/probe", Err(Nowhere)),
                    ("", Err(Nowhere)),
                ],
            ),
            (
                "https://example.com/probes",
                "",
                "https://example.com/probes/",
                vec![("/probes/-/healthy", Ok("/-/healthy")), ("/", Err(Home))],
            ),
            (
                "https://example.com/probes/",
                "/",
                "https://example.com/probes/",
                vec![("/probe", Ok("/probe"))],
            ),
            ("/probes", "", "/probes/", vec![("/probes/x", Ok("/x"))]),
        ] {
            let prefix = Prefix::of(external, route).unwrap();
            assert_eq!(prefix.home(), home);
            for (path, expected) in paths {
                assert_eq!(prefix.strip(path), expected, "{external} {route}: {path}");
            }
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "\"http://a/\"",
            "'http://a/'",
            "example.com",
            "http://",
            "http://a b/",
        ] {
            assert_eq!(Prefix::of(url, ""), Err(NotAUrl(url.to_owned())), "{url}");
        }
    }
}
