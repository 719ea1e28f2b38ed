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
    cookie: Cookie,
    pool: [u8; POOL],
    used: usize,
}

/// How the cookie is named, and what is said of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    name: &'static [u8],
    attributes: &'static [u8],
}

impl Visits {
    pub(super) fn new(cookie: Cookie) -> Self {
        Self {
            cookie,
            pool: [0; POOL],
            used: POOL,
        }
    }

    /// The `Set-Cookie` that begins or renews the visit of whoever sent `headers`.
    pub(super) fn renew(&mut self, headers: &HeaderMap) -> io::Result<HeaderValue> {
        let cookies = headers.get_all(COOKIE).into_iter();
        let mut set = Vec::new();
        self.write_renewed(cookies.map(HeaderValue::as_bytes), &mut set)?;
        Ok(HeaderValue::try_from(set).expect("base64 fits in a header"))
    }

    /// The same for whoever sent `cookies`, as bytes behind what is in `set`.
    pub(super) fn write_renewed<'a>(
        &mut self,
        cookies: impl Iterator<Item = &'a [u8]>,
        set: &mut Vec<u8>,
    ) -> io::Result<()> {
        let fresh;
        let visit = if let Some(visit) = self.cookie.brought(cookies) {
            visit
        } else {
            fresh = self.unguessable()?;
            &fresh
        };
        let parts = [self.cookie.name, b"=", visit, self.cookie.attributes];
        set.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            set.extend_from_slice(part);
        }
        Ok(())
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

impl Cookie {
    /// For whoever comes without TLS.
    pub(super) const PLAIN: Self = Self {
        name: b"visit",
        attributes: b"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
    };
    /// For whoever comes with TLS. Nobody else can set a cookie of this name, and it is never sent
    /// without TLS (RFC 6265bis, section 4.1.3.2).
    pub(super) const SECURE: Self = Self {
        name: b"__Host-visit",
        attributes: b"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure",
    };

    /// The identifier that a visitor brings, if it looks like one of ours. Of several, the first
    /// counts.
    fn brought<'a>(&self, cookies: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
        let mut pairs = cookies.flat_map(|line| line.split(|byte| *byte == b';'));
        let value = |pair: &'a [u8]| {
            pair.trim_ascii()
                .strip_prefix(self.name)?
                .strip_prefix(b"=")
        };
        let visit = pairs.find_map(value)?;
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (visit.len() == LETTERS && visit.iter().all(is_letter)).then_some(visit)
    }
}

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
        let visits = &mut Visits::new(Cookie::PLAIN);
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
    fn cookie_of_tls_is_another_one_and_stays_with_tls() {
        let visits = &mut Visits::new(Cookie::SECURE);
        let mut renew = |cookie: &str| {
            let headers = HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]);
            let set = visits.renew(&headers).unwrap();
            set.to_str().unwrap().to_owned()
        };
        let ours = "abcdefghijklmnopqrstuv";
        let set = renew(&format!("visit=x; __Host-visit={ours}"));
        let attributes = "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(set, format!("__Host-visit={ours}{attributes}"));
        assert!(!renew(&format!("visit={ours}")).contains(ours));
    }

    #[test]
    fn no_two_visitors_get_the_same() {
        let visits = &mut Visits::new(Cookie::PLAIN);
        let given: HashSet<_> = (0..1000).map(|_| set(visits, &[])).collect();
        assert_eq!(given.len(), 1000);
    }
}
