//! Of which media type is a file, by its name?
//!
//! The table is one text, so that there is no pointer in it: each would have to be relocated at
//! every start of the program, whatever it is started for. Nothing is known of what is in a file.

use std::ffi::OsStr;
use std::path::Path;

/// The media type that the extension of a name suggests.
///
/// The table is searched from its beginning: that takes some microseconds, once for each state of a
/// file.
pub(super) fn of_name(name: &str) -> &'static str {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    extension.and_then(of_extension).unwrap_or(UNKNOWN)
}

fn of_extension(extension: &str) -> Option<&'static str> {
    TYPES.lines().find_map(|line| {
        let (media, mut extensions) = (line.split(' ').next()?, line.split(' ').skip(1));
        let is_meant = extensions.any(|known| known.eq_ignore_ascii_case(extension));
        is_meant.then_some(media)
    })
}

/// A media type a line, and the extensions that suggest it: the first answers of the crate
/// `mime_guess` 2.0.5, which has them from <https://github.com/jshttp/mime-db> and others.
static TYPES: &str = include_str!("media-types.txt");

/// "Any content about which nothing is known" (RFC 2046, section 4.5.1).
const UNKNOWN: &str = "application/octet-stream";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn common_names_suggest_what_they_always_did() {
        for (names, expected) in [
            ("index.html INDEX.HTM a.b/c.htm", "text/html"),
            ("a.css", "text/css"),
            ("a.js", "text/javascript"),
            ("a.mjs", "application/javascript"),
            ("a.json", "application/json"),
            ("a.wasm", "application/wasm"),
            ("a.txt a.log a.ini a.js.map", "text/plain"),
            ("README.md", "text/markdown"),
            ("a.csv", "text/csv"),
            ("a.xml", "text/xml"),
            ("a.xhtml", "application/xhtml+xml"),
            ("a.svg a.svgz", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.jpg a.jpeg", "image/jpeg"),
            ("a.gif", "image/gif"),
            ("a.webp", "image/webp"),
            ("a.avif", "image/avif"),
            ("favicon.ico", "image/x-icon"),
            ("a.woff", "application/font-woff"),
            ("a.woff2", "font/woff2"),
            ("a.ttf", "font/ttf"),
            ("a.mp3", "audio/mpeg"),
            ("a.mp4", "video/mp4"),
            ("a.webm", "video/webm"),
            ("a.pdf", "application/pdf"),
            ("a.zip", "application/zip"),
            ("a.gz a.tar.gz", "application/gzip"),
            ("a.tar", "application/x-tar"),
            ("a.7z", "application/x-7z-compressed"),
            ("a.bin a.exe .html html a. a.nothing", UNKNOWN),
        ] {
            for name in names.split(' ') {
                assert_eq!(of_name(name), expected, "{name}");
            }
        }
    }

    #[test]
    fn each_extension_stands_in_the_table_once() {
        let mut seen = BTreeSet::new();
        for line in TYPES.lines() {
            let mut words = line.split(' ');
            let media = words.next().unwrap();
            assert_eq!(media.split('/').count(), 2, "{line}");
            for extension in words {
                assert!(!extension.is_empty() && seen.insert(extension), "{line}");
            }
        }
        assert!(seen.len() > 1_000, "{}", seen.len());
    }
}
