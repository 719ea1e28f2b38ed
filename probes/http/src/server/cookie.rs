//! Who visits, as far as a cookie can tell?
//!
//! A visitor keeps the identifier that it brings, as long as it looks like one of ours, and is given
//! one if it brings none; it lasts an hour from the last visit. It stands for nothing here: nobody
//! is looked up by it and it is not kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{COOKIE, HeaderMap, HeaderValue};
use rustix::io;
use rustix::rand::{GetRandomFlags, getrandom};

/// Gives out identifiers that nobody can guess: 128 bits of the system's randomness each, taken
/// from it for many visitors at once.
#[derive(Debug)]
pub(super) struct Visits {
    pool: [u8; POOL],
    used: usize,
}

impl Visits {
    pub(super) fn new() -> Self {
        Self {
            pool: [0; POOL],
            used: POOL,
        }
    }

    /// The `Set-Cookie` that begins or renews the visit of whoever sent `headers`.
    pub(super) fn renew(&mut self, headers: &HeaderMap) -> io::Result<HeaderValue> {
        let fresh;
        let visit = if let Some(visit) = brought(headers) {
            visit
        } else {
            fresh = self.unguessable()?;
            &fresh
        };
        let cookie = [NAME, b"=", visit, ATTRIBUTES].concat();
        Ok(HeaderValue::try_from(cookie).expect("base64 fits in a header"))
    }

    /// An identifier that was never given out.
    pub(super) fn unguessable(&mut self) -> io::Result<[u8; LETTERS]> {
        if self.used == POOL {
            // The kernel gives so little at once or not at all (getrandom(2)).
            getrandom(&mut self.pool, GetRandomFlags::empty())?;
            self.used = 0;
        }
        let secret = &mut self.pool[self.used..][..BYTES];
        let mut letters = [0; LETTERS];
        URL_SAFE_NO_PAD
            .encode_slice(&*secret, &mut letters)
            .expect("16 bytes are 22 letters");
        secret.fill(0);
        self.used += BYTES;
        Ok(letters)
    }
}

/// The identifier that a visitor brings, if it looks like one of ours. Of several, the first counts.
fn brought(headers: &HeaderMap) -> Option<&[u8]> {
    let lines = headers.get_all(COOKIE).into_iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let visit = pairs.find_map(|pair| pair.trim_ascii().strip_prefix(NAME)?.strip_prefix(b"="))?;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (visit.len() == LETTERS && visit.iter().all(is_letter)).then_some(visit)
}

const NAME: &[u8] = b"visit";
const ATTRIBUTES: &[u8] = b"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax";
/// Bytes of an identifier.
const BYTES: usize = 16;
/// The same in base64.
const LETTERS: usize = 22;
/// Bytes taken from the system at once; it is uninterruptible up to 256.
const POOL: usize = 256;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What is set for a visitor who brings these cookies.
    fn set(visits: &mut Visits, cookies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        let set = visits.renew(&headers).unwrap();
        let set = set.to_str().unwrap().strip_prefix("visit=").unwrap();
        let (visit, attributes) = set.split_at(LETTERS);
        assert_eq!(attributes, "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
        visit.to_owned()
    }

    #[test]
    fn visitor_keeps_what_it_brings_if_it_is_one_of_ours() {
        let visits = &mut Visits::new();
        let ours = set(visits, &[]);
        let with = |cookie: &str| cookie.replace("OURS", &ours);
        for kept in [
            "visit=OURS",
            "a=b; visit=OURS",
            "a;;=;visit=OURS ;c=d",
            "visit=OURS; visit=x",
        ] {
            assert_eq!(set(visits, &[&with(kept)]), ours, "{kept}");
        }
        assert_eq!(set(visits, &["a=b", &with("visit=OURS")]), ours);
        for other in [
            "visit=",
            "visit=OURSx",
            "visit=x; visit=OURS",
            "Visit=OURS",
            "xvisit=OURS",
            "\u{80}",
        ] {
            assert_ne!(set(visits, &[&with(other)]), ours, "{other}");
        }
        assert_ne!(
            set(visits, &["visit=....................../"]),
            "......................"
        );
        assert_ne!(set(visits, &[&"a".repeat(8192)]), ours);
    }

    #[test]
    fn no_two_visitors_get_the_same() {
        let visits = &mut Visits::new();
        let given: HashSet<_> = (0..1000).map(|_| set(visits, &[])).collect();
        assert_eq!(given.len(), 1000);
    }
}
