//! Which file does the path of a request name, below the directory that is served?
//!
//! Percent-encoding is undone once. What has no honest meaning is refused and never repaired, since
//! a repair is where the ways out of the directory have always been: a segment `.` or `..`, an
//! encoded slash, a backslash, a control character. Whether there is such a file is not asked here.

use std::borrow::Cow;
use std::ffi::CString;

use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// A path below the directory: decoded, with one slash before each segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<u8>);

/// Why the path of a request names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    /// It is no path, or one that nobody needs who does not want to get somewhere else.
    #[error("not a path of a file below this directory")]
    Malformed,
    /// It names a file that is not to be seen.
    #[error("a hidden file")]
    Hidden,
}

impl Path {
    /// Reads the path of a request's target, which has no query any more.
    pub(super) fn parse(raw: &str) -> Result<Self, PathError> {
        let raw = raw.strip_prefix('/').ok_or(PathError::Malformed)?;
        let mut path = Vec::with_capacity(raw.len() + 1);
        let mut hidden = false;
        for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
            let segment = decoded(segment).ok_or(PathError::Malformed)?;
            match check(&segment) {
                Err(PathError::Malformed) => return Err(PathError::Malformed),
                checked => hidden |= checked.is_err(),
            }
            path.push(b'/');
            path.extend_from_slice(&segment);
        }
        if path.is_empty() || raw.ends_with('/') {
            path.push(b'/');
        }
        if hidden {
            return Err(PathError::Hidden);
        }
        Ok(Self(path))
    }

    /// The path as a key; it begins with a slash.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it ends with a slash and so can only be a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.0.ends_with(b"/")
    }

    /// The same, relative to the directory that is served, as the system wants it.
    pub(super) fn relative(&self) -> CString {
        let inside = &self.0[1..];
        let inside = inside.strip_suffix(b"/").unwrap_or(inside);
        let inside = if inside.is_empty() { b"." } else { inside };
        CString::new(inside).expect("a control character was refused")
    }

    /// The path of the file `name` in this directory.
    pub(super) fn join(&self, name: &str) -> Self {
        Self([&self.0, name.as_bytes()].concat())
    }

    /// The path of what has this name in this directory, if it may be asked for.
    pub(super) fn below(&self, name: &[u8]) -> Option<Self> {
        check(name).ok()?;
        Some(Self([&self.0, name].concat()))
    }

    /// Where a directory asked for without its slash is found: never another host, for it begins
    /// with a single slash, and never a second header, for it is encoded.
    pub(super) fn with_slash(&self, query: Option<&str>) -> HeaderValue {
        let mut location = encoded(&self.0);
        location.push('/');
        if let Some(query) = query {
            location.push('?');
            location.push_str(query);
        }
        HeaderValue::try_from(location).expect("what was parsed as a URI fits in a header")
    }
}

/// A path, or a name in one, as it is written where a URI refers to it.
pub(super) fn encoded(path: &[u8]) -> String {
    percent_encode(path, PLAIN).to_string()
}

/// Whether a name may be asked for.
fn check(name: &[u8]) -> Result<(), PathError> {
    if matches!(name, b"." | b"..") || name.iter().any(|byte| is_refused(*byte)) {
        return Err(PathError::Malformed);
    }
    if name.starts_with(b".") && name != WELL_KNOWN {
        return Err(PathError::Hidden);
    }
    Ok(())
}

/// Undoes percent-encoding once; `None` if an escape is none.
fn decoded(segment: &str) -> Option<Cow<'_, [u8]>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment.as_bytes()));
    }
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).expect("two hexadecimal digits make a byte"));
    }
    Some(Cow::Owned(decoded))
}

/// Whether a name with this byte is refused: it would be a separator, or break a header or a log.
fn is_refused(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\') || byte.is_ascii_control()
}

/// Is hidden by its name, but made to be found (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";

/// What is encoded in a path (RFC 3986, section 3.3).
const PLAIN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: Result<&str, PathError>) {
        let path = Path::parse(raw).map(|path| String::from_utf8(path.0).unwrap());
        assert_eq!(path.as_deref().map_err(|why| *why), expected, "{raw}");
    }

    #[test]
    fn path_is_decoded_once_and_slashes_are_joined() {
        for (raw, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/a", "/a"),
            ("//a", "/a"),
            ("/a//b/", "/a/b/"),
            ("/%69ndex.html", "/index.html"),
            ("/a%20b%3Fc%23", "/a b?c#"),
            ("/%252e%252e/x", "/%2e%2e/x"),
            ("/..a", "/..a"),
            ("/.well-known/x", "/.well-known/x"),
            ("/%C3%A9", "/é"),
        ] {
            let hidden = raw == "/..a";
            check(
                raw,
                if hidden {
                    Err(PathError::Hidden)
                } else {
                    Ok(expected)
                },
            );
        }
    }

    #[test]
    fn path_without_an_honest_meaning_is_refused() {
        for raw in [
            "",
            "a",
            "*",
            "/..",
            "/../x",
            "/a/..",
            "/./a",
            "/%2e%2e/x",
            "/%2e",
            "/..%2fx",
            "/%2f",
            "/a%5cb",
            "/a\\b",
            "/%00",
            "/a%0d%0ab",
            "/%zz",
            "/%2",
            "/%",
            "/%é",
            "/%+1",
            "/.hidden/%zz",
        ] {
            check(raw, Err(PathError::Malformed));
        }
        for raw in ["/.hid", "/a/.git/config", "/%2ehid", "/.well-known/.x"] {
            check(raw, Err(PathError::Hidden));
        }
    }

    #[test]
    fn redirect_stays_on_this_host_and_in_one_header() {
        for (raw, query, expected) in [
            ("//evil.example", None, "/evil.example/"),
            ("/a%20b%25", Some("x=/../"), "/a%20b%25/?x=/../"),
            ("/%C3%A9", None, "/%C3%A9/"),
        ] {
            let location = Path::parse(raw).unwrap().with_slash(query);
            assert_eq!(location, expected, "{raw}");
        }
    }
}
