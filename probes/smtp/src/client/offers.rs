//! What does a server offer in its reply to EHLO?
//!
//! Keywords and their parameters (RFC 5321, section 4.1.1.1). Of those that are not known, nothing
//! is kept.

use super::auth::Mechanism;
use super::reply::Reply;

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    known: u32,
    /// The most octets that a message may have (RFC 1870), if it says so.
    pub(crate) size: Option<u64>,
    /// Those mechanisms of AUTH that this program knows.
    pub(crate) mechanisms: Vec<Mechanism>,
}

impl Offers {
    /// Reads a reply to EHLO; its first line is the server's name.
    pub(crate) fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let Some(first) = words.next() else { continue };
            // As servers of old write it.
            let (keyword, of_old) = first.split_once('=').unwrap_or((first, ""));
            let keyword = keyword.to_ascii_uppercase();
            let Some(at) = EXTENSIONS.iter().position(|known| *known == keyword) else {
                continue;
            };
            offers.known |= 1 << at;
            match EXTENSIONS[at] {
                "SIZE" => {
                    let limit = words.next().and_then(|word| word.parse().ok());
                    // None, or 0, is no limit (RFC 1870, section 4).
                    offers.size = limit.filter(|limit| *limit > 0);
                }
                "AUTH" => {
                    let named = std::iter::once(of_old).chain(words);
                    let known = named.filter_map(Mechanism::named);
                    offers.mechanisms.extend(known);
                }
                _ => {}
            }
        }
        offers
    }

    /// Whether an extension out of [`EXTENSIONS`] is offered.
    pub(crate) fn has(&self, keyword: &str) -> bool {
        let at = EXTENSIONS.iter().position(|known| *known == keyword);
        at.is_some_and(|at| self.known & (1 << at) != 0)
    }
}

/// The extensions that are told apart, by their keywords in IANA's registry.
pub(crate) const EXTENSIONS: &[&str] = &[
    "8BITMIME",
    "AUTH",
    "BINARYMIME",
    "BURL",
    "CHUNKING",
    "DELIVERBY",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "ETRN",
    "FUTURERELEASE",
    "HELP",
    "LIMITS",
    "MT-PRIORITY",
    "PIPELINING",
    "REQUIRETLS",
    "RRVS",
    "SIZE",
    "SMTPUTF8",
    "STARTTLS",
    "VRFY",
];

#[cfg(test)]
mod tests {
    use super::*;
    use Mechanism::{Login, Plain, Xoauth2};

    #[test]
    fn keywords_are_read_in_any_case_and_with_what_follows_them() {
        let lines = [
            "mx.test STARTTLS",
            "size 1000",
            "8bitmime",
            "AUTH PLAIN CRAM-MD5 login",
            "AUTH=LOGIN XOAUTH2",
            "XNEVERHEARD",
            "",
        ];
        let reply = Reply {
            code: 250,
            lines: lines.map(str::to_owned).into(),
            is_bare: false,
        };
        let offers = Offers::read(&reply);
        assert_eq!(offers.size, Some(1000));
        let has = |keyword| offers.has(keyword);
        assert_eq!(
            ["8BITMIME", "STARTTLS", "SIZE", "AUTH", "XNEVERHEARD"].map(has),
            [true, false, true, true, false]
        );
        assert_eq!(offers.mechanisms, [Plain, Login, Login, Xoauth2]);
    }

    #[test]
    fn a_size_without_a_limit_is_none() {
        for (line, expected) in [
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE x", None),
            ("SIZE 99999999999999999999999", None),
            ("SIZE 5", Some(5)),
        ] {
            let lines = vec!["mx.test".to_owned(), line.to_owned()];
            let (code, is_bare) = (250, false);
            let reply = Reply {
                code,
                lines,
                is_bare,
            };
            assert_eq!(Offers::read(&reply).size, expected, "{line}");
        }
    }
}
