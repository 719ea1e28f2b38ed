//! Which parameters does a request's URL carry?
//!
//! A parameter counts where it stands first, as Go's `url.Values.Get` has it, for whose users
//! `/probe` is made. Each is decoded once, so that an escaped `%` in a target stays one.

use std::borrow::Cow;

use hyper::Uri;
use memchr::memchr2;
use percent_encoding::percent_decode_str;

/// The parameters of a URL.
#[derive(Clone, Debug)]
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The parameters of `uri`.
    pub(super) fn of(uri: &'a Uri) -> Self {
        Self::read(uri.query().unwrap_or_default())
    }

    fn read(written: &'a str) -> Self {
        let pairs = written.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(name), unescaped(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// What is written in a query as forms have it: `+` is a space, and `%` comes before two hexadecimal
/// digits.
///
/// Every run that is asked for comes by here: byte by byte, it takes two fifths of the instructions that
/// `form_urlencoded` takes.
fn unescaped(written: &str) -> Cow<'_, str> {
    let mut rest = written.as_bytes();
    if memchr2(b'%', b'+', rest).is_none() {
        return written.into();
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    (high * 16 + low) as u8
                }
                _ => b'%',
            },
            _ => *first,
        });
    }
    let text = String::from_utf8(bytes);
    let text = text.unwrap_or_else(|why| String::from_utf8_lossy(why.as_bytes()).into_owned());
    text.into()
}

/// The value of a parameter in the query of a URL, decoded as often as it can be.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let query = Query::read(query);
    let value = query.value(name)?;
    decoded(value).or_else(|| Some(value.to_owned()))
}

/// What a text stands for if it is taken for one that is escaped; `None` if nothing in it is.
pub(super) fn decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use std::iter;

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
        check("/probe?&&x&target=a=b&", Some("a=b"));
        check("/probe?t%61rget=a", Some("a"));
        check("/probe?module=x&target=a&target=b", Some("a"));
        check("/probe?target=a+b%26c", Some("a b&c"));
        check("/probe?target=%5B::1%5D:80", Some("[::1]:80"));
        check("/probe?target=x/%2520y", Some("x/%20y"));
        check("/probe?target=100%", Some("100%"));
        check("/probe?target=%FF", Some("\u{fffd}"));
    }

    #[test]
    fn parameters_are_those_of_a_form() {
        const LETTERS: [&str; 8] = ["a", "%", "4", "+", "=", "&", "C", "\u{e9}"];
        for number in 0..LETTERS.len().pow(5) {
            let letters = iter::successors(Some(number), |left| Some(left / LETTERS.len()));
            let written: String = letters
                .take_while(|left| *left > 0)
                .map(|left| LETTERS[left % LETTERS.len()])
                .collect();
            let expected: Vec<_> = form_urlencoded::parse(written.as_bytes()).collect();
            assert_eq!(Query::read(&written).0, expected, "{written}");
        }
    }

    #[test]
    fn what_is_escaped_may_be_decoded_again() {
        for (text, expected) in [
            (
                "http://a%3A80/b?c=d%26e&f=+",
                Some("http://a:80/b?c=d&e&f=+"),
            ),
            ("http://a/", None),
            ("100%", None),
            ("%FF", None),
        ] {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
    }
}
