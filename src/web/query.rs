//! Which parameters does a request's URL carry?
//!
//! A parameter counts where it stands first, as Go's `url.Values.Get` has it, for whose users
//! `/probe` is made. Each is decoded once, so that an escaped `%` in a target stays one.

use std::borrow::Cow;

use hyper::Uri;

/// The parameters of a URL.
#[derive(Clone, Debug)]
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The parameters of `uri`.
    pub(super) fn of(uri: &'a Uri) -> Self {
        let written = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(written.as_bytes()).collect())
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_the_first_of_its_name_decoded_once() {
        fn check(url: &str, expected: Option<&str>) {
            let uri: Uri = url.parse().unwrap();
            assert_eq!(Query::of(&uri).value("target"), expected, "{url}");
        }
        check("/probe", None);
        check("/probe?target", None);
        check("/probe?target=", None);
        check("/probe?module=x&target=a&target=b", Some("a"));
        check("/probe?target=a+b%26c", Some("a b&c"));
        check("/probe?target=%5B::1%5D:80", Some("[::1]:80"));
        check("/probe?target=x/%2520y", Some("x/%20y"));
        check("/probe?target=100%", Some("100%"));
        check("/probe?target=%FF", Some("\u{fffd}"));
    }
}
