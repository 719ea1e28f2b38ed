//! In which content coding does a client want a file?
//!
//! Of those that lie beside the file, ready made: nothing is compressed here, since whoever asks
//! could make that as dear as it likes. RFC 9110, sections 8.4.1 and 12.5.3.

use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

use super::quality::weighted;

/// How content is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstandard,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them, the one first that makes files smallest as a rule.
    pub(super) const ALL: [Self; 3] = [Self::Brotli, Self::Zstandard, Self::Gzip];

    /// What the name of a file ends with that has this coding.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstandard => ".zst",
            Self::Gzip => ".gz",
        }
    }

    /// Its name, as `Content-Encoding` says it.
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
            Self::Gzip => "gzip",
        })
    }
}

/// Which of the codings that there are the client of these fields likes best; `None` if that is
/// none of them.
pub(super) fn choose(
    headers: &HeaderMap,
    available: impl IntoIterator<Item = Coding>,
) -> Option<Coding> {
    let weight = |name: &HeaderValue| {
        let lines = headers.get_all(ACCEPT_ENCODING).into_iter();
        let accepted = lines.flat_map(|line| weighted(line.as_bytes()));
        let mut any = None;
        for (accepted, weight) in accepted {
            if accepted.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(weight);
            }
            if accepted == b"*" {
                any = Some(weight);
            }
        }
        any
    };
    let mut best = (None, 0);
    for coding in available {
        let liked = weight(&coding.name()).unwrap_or(0);
        if liked > best.1 {
            best = (Some(coding), liked);
        }
    }
    // Content as it is suits everybody, but nobody better who does not say so.
    let plain = weight(&HeaderValue::from_static("identity"));
    best.0.filter(|_| plain.is_none_or(|plain| plain <= best.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coding_that_is_liked_best_is_chosen() {
        fn check(field: &str, available: &[Coding], expected: Option<Coding>) {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, field.parse().unwrap())]);
            let chosen = choose(&headers, available.iter().copied());
            assert_eq!(chosen, expected, "{field}, {available:?}");
        }
        use Coding::{Brotli, Gzip, Zstandard};
        for (field, expected) in [
            ("", None),
            ("gzip", Some(Gzip)),
            ("GZip", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("zstd, gzip", Some(Zstandard)),
            ("br;q=0.5, gzip;q=0.8", Some(Gzip)),
            ("br;q=0.001", Some(Brotli)),
            ("br;q=0, gzip;q=0", None),
            ("br;q=0, *", Some(Zstandard)),
            ("*", Some(Brotli)),
            ("*;q=0, gzip", Some(Gzip)),
            ("*;q=0.1, gzip;q=0.5", Some(Gzip)),
            ("identity", None),
            ("identity, gzip", Some(Gzip)),
            ("identity;q=0.9, gzip;q=0.8", None),
            ("identity;q=0, gzip;q=0.1", Some(Gzip)),
            ("deflate", None),
            ("br;q=much", None),
        ] {
            check(field, &Coding::ALL, expected);
        }
        check("br, gzip", &[Gzip], Some(Gzip));
        check("br", &[Gzip], None);
        check("*", &[], None);
        assert_eq!(choose(&HeaderMap::new(), Coding::ALL), None);
    }
}
