//! How is it told what lies in a directory?
//!
//! As a page for people, or as JSON for programs that ask for that. Nothing in a page runs, whatever
//! files are named. What may be told is not decided here.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Response;
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use serde_json::{Value, json};

use super::directory::Entry;
use super::path::{Path, encoded};
use super::payload::Payload;
use super::quality::weighted;

/// The list of what lies at a path, as the client of these fields wants it.
pub(super) fn listing(path: &Path, entries: &[Entry], headers: &HeaderMap) -> Response<Payload> {
    let (media, text) = if wants_json(headers) {
        let entries: Vec<_> = entries.iter().map(object).collect();
        ("application/json", Value::from(entries).to_string())
    } else {
        ("text/html; charset=utf-8", page(path, entries))
    };
    let mut response = Response::new(Payload::Memory(Bytes::from(text)));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media),
        (CACHE_CONTROL, "private, no-cache"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (VARY, "accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether JSON is named, and liked better than a page (RFC 9110, section 12.5.1).
fn wants_json(headers: &HeaderMap) -> bool {
    let weight = |media: &str| {
        let lines = headers.get_all(ACCEPT).into_iter();
        let mut accepted = lines.flat_map(|line| weighted(line.as_bytes()));
        let found = accepted.find(|(name, _)| name.eq_ignore_ascii_case(media.as_bytes()));
        found.map_or(0, |(_, weight)| weight)
    };
    weight("application/json") > weight("text/html")
}

fn object(entry: &Entry) -> Value {
    json!({
        "name": String::from_utf8_lossy(&entry.name),
        "type": if entry.size.is_some() { "file" } else { "directory" },
        "size": entry.size,
        "mtime": modified(entry),
    })
}

fn page(path: &Path, entries: &[Entry]) -> String {
    let title = escaped(&String::from_utf8_lossy(path.as_bytes()));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<h1>{title}</h1>\n<table>\n\
         <tr><th>Name<th>Bytes<th>Modified\n"
    );
    if path.as_bytes() != b"/" {
        page.push_str("<tr><td><a href=\"../\">../</a><td><td>\n");
    }
    for entry in entries {
        let slash = if entry.size.is_some() { "" } else { "/" };
        let link = escaped(&encoded(&entry.name));
        let name = escaped(&String::from_utf8_lossy(&entry.name));
        let size = entry.size.map(|size| size.to_string()).unwrap_or_default();
        let modified = modified(entry).unwrap_or_default();
        writeln!(
            page,
            "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a><td>{size}<td>{modified}"
        )
        .expect("a text takes everything");
    }
    page.push_str("</table>\n</html>\n");
    page
}

/// When it was modified, if that can be said in a date of HTTP.
fn modified(entry: &Entry) -> Option<String> {
    let seconds = u64::try_from(entry.modified).ok()?;
    let modified = (seconds < YEAR_10000).then(|| UNIX_EPOCH + Duration::from_secs(seconds));
    modified.map(httpdate::fmt_http_date)
}

/// Text that stands for itself, between tags as well as in an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The first second for which there is no date.
const YEAR_10000: u64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8], size: Option<u64>, modified: i64) -> Entry {
        Entry {
            name: name.to_vec(),
            size,
            modified,
        }
    }

    #[test]
    fn names_in_a_page_are_only_names() {
        let entries = [
            entry(b"<img src=x onerror=1>", Some(3), 0),
            entry(b"a&b \"c\" 'd'?#%", None, -1),
            entry(b"javascript:x", Some(0), i64::MAX),
            entry(b"\xff", Some(1), 1_000_000_000),
        ];
        let page = page(&Path::parse("/<b>/").unwrap(), &entries);
        let rows: Vec<_> = page.lines().filter(|line| line.contains("href")).collect();
        assert_eq!(
            rows,
            [
                "<tr><td><a href=\"../\">../</a><td><td>",
                "<tr><td><a href=\"./%3Cimg%20src=x%20onerror=1%3E\">\
                 &lt;img src=x onerror=1&gt;</a><td>3<td>Thu, 01 Jan 1970 00:00:00 GMT",
                "<tr><td><a href=\"./a&amp;b%20%22c%22%20&#39;d&#39;%3F%23%25/\">\
                 a&amp;b &quot;c&quot; &#39;d&#39;?#%/</a><td><td>",
                "<tr><td><a href=\"./javascript:x\">javascript:x</a><td>0<td>",
                "<tr><td><a href=\"./%FF\">\u{fffd}</a><td>1<td>Sun, 09 Sep 2001 01:46:40 GMT",
            ]
        );
        assert!(page.contains("<title>/&lt;b&gt;/</title>") && !page.contains("<b>"));
    }

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/html, application/xhtml+xml, */*;q=0.8", false),
            ("application/json", true),
            ("application/json, text/html;q=0.9", true),
            ("application/json;q=0.5, text/html", false),
            ("application/json, text/html", false),
            ("application/json;q=0", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_json(&headers), expected, "{accept}");
        }
    }
}
