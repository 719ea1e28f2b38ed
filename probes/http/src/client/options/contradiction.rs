//! Which options contradict each other?
//!
//! Asked while options are read, so that whoever wrote them sees it in the file. The words name the
//! options; where they stand is known to who reads them.

use std::str::FromStr as _;

use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use leadsman_dial::Proxy;

use super::{HttpVersion, OAuth2, Written, accepts};

impl Written {
    /// What contradicts itself in these options, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        if self.credentials().ways() + usize::from(self.oauth2.is_some()) > 1 {
            return Some(
                "of `basic_auth`, `authorization`, `bearer_token`, `bearer_token_file` and \
                 `oauth2` at most one may be given"
                    .to_owned(),
            );
        }
        if self.body.is_some() && self.body_file.is_some() {
            return Some("of `body` and `body_file` at most one may be given".to_owned());
        }
        let parts = [
            self.credentials().contradiction(),
            self.oauth2.as_ref().and_then(OAuth2::contradiction),
            self.tls_config.contradiction(),
        ];
        let part = parts.into_iter().flatten().next().map(str::to_owned);
        part.or_else(|| self.wrong_field())
            .or_else(|| self.wrong_coding())
            .or_else(|| self.wrong_proxy())
            .or_else(|| self.wrong_version())
    }

    fn wrong_field(&self) -> Option<String> {
        if Method::from_str(&self.method).is_err() {
            return Some(format!("`{}` is no method of a request", self.method));
        }
        for (name, value) in &self.headers {
            if HeaderName::from_str(name).is_err() || HeaderValue::from_str(value).is_err() {
                return Some(format!("the field `{name}` of `headers` cannot be sent"));
            }
        }
        for name in self.http_headers.keys() {
            let reserved = RESERVED
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name));
            if reserved || HeaderName::from_str(name).is_err() {
                return Some(format!(
                    "the field `{name}` cannot be set in `http_headers`"
                ));
            }
        }
        let matches = self
            .fail_if_header_matches
            .iter()
            .chain(&self.fail_if_header_not_matches);
        let mut matches =
            matches.filter(|rule| rule.header.is_empty() || rule.regexp.as_str().is_empty());
        matches
            .next()
            .map(|_| "a rule for a field needs its `header` and a `regexp`".to_owned())
    }

    fn wrong_coding(&self) -> Option<String> {
        let compression = self.compression?;
        let mut fields = self.headers.iter();
        let accepted = fields.find(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
        let (_, accepted) = accepted?;
        let name = compression.name();
        (!accepts(accepted, name))
            .then(|| format!("`compression` is {name}, which the field Accept-Encoding excludes"))
    }

    fn wrong_proxy(&self) -> Option<String> {
        let oauth2 = self.oauth2.as_ref();
        let own = (&self.proxy_url, &self.no_proxy, self.proxy_from_environment);
        let token = oauth2.map(|o| (&o.proxy_url, &o.no_proxy, o.proxy_from_environment));
        for (url, no_proxy, environment) in std::iter::once(own).chain(token) {
            if environment && (url.is_some() || !no_proxy.is_empty()) {
                return Some(
                    "`proxy_from_environment` excludes `proxy_url` and `no_proxy`".to_owned(),
                );
            }
            if url.is_none() && !no_proxy.is_empty() {
                return Some("`no_proxy` needs a `proxy_url`".to_owned());
            }
            if let Some(Err(why)) = url.as_ref().map(|url| url.parse::<Proxy>()) {
                return Some(format!("`proxy_url`: {why}"));
            }
        }
        let connects = !self.proxy_connect_header.is_empty();
        (connects && self.proxy_url.is_none() && !self.proxy_from_environment)
            .then(|| "`proxy_connect_header` needs a proxy".to_owned())
    }

    fn wrong_version(&self) -> Option<String> {
        let versions = &self.valid_http_versions;
        if versions.contains(&HttpVersion::Http3) && !self.enable_http3 {
            return Some("`HTTP/3.0` as a valid version needs `enable_http3`".to_owned());
        }
        if !self.enable_http3 {
            return None;
        }
        if self.enable_http2 {
            return Some("`enable_http3` needs `enable_http2: false`".to_owned());
        }
        let older = versions
            .iter()
            .any(|version| *version != HttpVersion::Http3);
        older.then(|| "with `enable_http3` only `HTTP/3.0` can be a valid version".to_owned())
    }
}

/// Fields that have an option of their own or belong to the connection.
const RESERVED: [&str; 10] = [
    "Accept-Encoding",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Host",
    "Proxy-Authorization",
    "Transfer-Encoding",
    "User-Agent",
];
