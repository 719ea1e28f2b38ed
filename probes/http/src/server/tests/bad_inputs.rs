//! What do inputs get that servers have got wrong?
//!
//! Each row has the number by which the list of them is kept, the input and the statuses of all
//! answers, perhaps with a field that has to be there.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use rustix::io::Errno;

use super::*;
use crate::server::directory::Symlinks;

fn get(path: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET ", path.as_ref(), b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat()
}

fn method(method: &str) -> Vec<u8> {
    format!("{method} /index.html HTTP/1.1\r\nHost: a\r\n\r\n").into()
}

fn fields(fields: &str) -> Vec<u8> {
    format!("GET /index.html HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into()
}

fn host(host: &str) -> Vec<u8> {
    format!("GET /index.html HTTP/1.1\r\n{host}\r\n").into()
}

fn range(range: &str) -> Vec<u8> {
    fields(&format!("Range: {range}\r\n"))
}

fn raw(text: &str) -> Vec<u8> {
    text.into()
}

/// Asks each of the inputs; `expected` is the statuses of all answers, empty if the connection is
/// just closed, then `; field: value` for the first of them.
fn check(server: &Server, rows: impl IntoIterator<Item = (u32, Vec<u8>, &'static str)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(number, sent, expected)| {
            let answers = server.ask(&sent);
            let statuses: Vec<_> = answers
                .iter()
                .map(|answer| answer.status.as_str())
                .collect();
            let mut got = statuses.join(" ");
            if let Some((_, field)) = expected.split_once("; ") {
                let (name, _) = field.split_once(": ").unwrap();
                let value = answers.first().and_then(|answer| answer.field(name));
                got = format!("{got}; {name}: {}", value.unwrap_or("absent"));
            }
            let leaks = answers
                .iter()
                .any(|answer| answer.body.windows(6).any(|w| w == b"secret"));
            let sent = String::from_utf8_lossy(&sent[..sent.len().min(60)]).into_owned();
            (got != expected || leaks).then(|| format!("{number} {sent:?}: {got}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn path_names_a_file_inside_or_nothing() {
    let server = Server::start();
    let root = server.root();
    fs::write(root.join(".hid"), "secret").unwrap();
    fs::create_dir(root.join(".git")).unwrap();
    fs::write(root.join(".git/config"), "secret").unwrap();
    fs::create_dir(root.join("evil.com")).unwrap();
    check(
        &server,
        [
            (1, get("/../../etc/passwd"), "400"),
            (2, get("/%2e%2e/%2e%2e/etc/passwd"), "400"),
            (3, get("/..%2f..%2fetc%2fpasswd"), "400"),
            (4, get("/%252e%252e/etc/passwd"), "404"),
            (5, get("/..\\..\\etc"), "400"),
            (6, get("/..%5c..%5cetc"), "400"),
            (7, get("/index.html%00.txt"), "400"),
            (8, get("/index.html\0.txt"), "400"),
            (9, get("/%zz"), "400"),
            (10, get("/%2"), "400"),
            (11, get("/%c0%ae%c0%ae/"), "404"),
            (12, get("//index.html"), "200"),
            (13, get("//sub"), "308; location: /sub/"),
            (13, get("//evil.com"), "308; location: /evil.com/"),
            (14, get("/\\sub"), "400"),
            (15, get("/%2f/evil.com/.."), "400"),
            (16, get("/sub%0d%0aX:%20y"), "400"),
            (21, get("/.hid"), "404"),
            (22, get("/.git/config"), "404"),
            (23, get("/%2ehid"), "404"),
            (28, get("/sub"), "308; location: /sub/"),
            (28, get("/sub?a=b"), "308; location: /sub/?a=b"),
            (28, get("/sub/"), "404"),
            (29, get("/index.html/"), "404"),
            (30, get("/index.html/x"), "404"),
            (31, get(format!("/{}", "a".repeat(300))), "404"),
            (32, get("/a".repeat(3000)), "404"),
            (33, get(format!("/{}", "a".repeat(9000))), "414"),
            // The head as a whole is too large before its target is known to be.
            (33, get(format!("/{}", "a".repeat(70_000))), "431"),
            (34, get("/index.html;x"), "404"),
            // Hyper drops a fragment; RFC 9112, section 3 only recommends to refuse it.
            (35, get("/index.html#frag"), "200"),
            (36, get("http://other/index.html"), "200"),
            (37, get("http://other"), "200"),
            (38, get("*"), "400"),
            (39, get("index.html"), "400"),
            (40, get("/\u{e9}"), "404"),
            (41, get(b"/\x80"), "400"),
            (42, get("/a\tb"), "400"),
            (42, get("/a\x0bb"), "400"),
            (49, get("/%69ndex.html"), "200"),
        ],
    );
}

#[test]
fn what_is_no_regular_file_inside_is_not_there() {
    fn furnish(server: &Server) {
        let root = server.root();
        symlink("index.html", root.join("link")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("/etc", root.join("outdir")).unwrap();
        mkfifoat(CWD, root.join("fifo"), Mode::RUSR).unwrap();
        UnixListener::bind(root.join("socket")).unwrap();
    }
    let rows = |link| {
        [
            (17, get("/link"), link),
            (18, get("/out"), "404"),
            (19, get("/outdir/passwd"), "404"),
            (24, get("/fifo"), "404"),
            (25, get("/socket"), "404"),
        ]
    };
    let server = Server::start();
    furnish(&server);
    check(&server, rows("200"));
    let strict = Server::with(|options| options.symlinks = Symlinks::Deny);
    furnish(&strict);
    check(&strict, rows("404"));
    let null = rustix::fs::makedev(1, 3);
    match mknodat(
        CWD,
        server.root().join("null"),
        FileType::CharacterDevice,
        Mode::RUSR,
        null,
    ) {
        Ok(()) => check(&server, [(26, get("/null"), "404")]),
        Err(Errno::PERM) => eprintln!("SKIPPED row 26: it takes CAP_MKNOD to make a device"),
        Err(why) => panic!("{why}"),
    }
    // Row 27, a file that may not be read, takes another user than root: see tests/e2e/storm.rs.
}

#[test]
fn method_or_version_that_is_not_served_is_refused() {
    let again = "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n";
    let server = Server::start();
    check(
        &server,
        [
            (50, method("POST"), "405; allow: GET, HEAD, OPTIONS"),
            (51, method("PUT"), "405; allow: GET, HEAD, OPTIONS"),
            (52, method("DELETE"), "405; allow: GET, HEAD, OPTIONS"),
            (53, method("PATCH"), "405; allow: GET, HEAD, OPTIONS"),
            (54, method("TRACE"), "405; allow: GET, HEAD, OPTIONS"),
            (
                55,
                raw(&format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n{again}")),
                "405; connection: close",
            ),
            (56, method("FOO"), "501"),
            (57, method("get"), "501"),
            (
                59,
                raw(&format!("GET /index.html HTTP/1.0\r\n\r\n{again}")),
                "200",
            ),
            (
                60,
                raw(&format!(
                    "GET /index.html HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{again}"
                )),
                "200 200; connection: keep-alive",
            ),
            (61, raw("GET /index.html\r\n"), "400"),
            (
                62,
                raw("GET /index.html HTTP/1.2\r\nHost: a\r\n\r\n"),
                "400",
            ),
            // 505 would say more, but is no duty (RFC 9110, section 15.6.6).
            (63, raw("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "400"),
            (
                64,
                b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".to_vec(),
                "400",
            ),
            (65, raw(&format!("{}{again}", "\r\n".repeat(10))), "200"),
            (66, raw("GET /index.html HTTP/1.1\nHost: a\n\n"), "200"),
            (67, raw("GET /index.html HTTP/1.1\rHost: a\r\r"), "400"),
            (
                68,
                raw("GET  /index.html HTTP/1.1\r\nHost: a\r\n\r\n"),
                "400",
            ),
        ],
    );
}

#[test]
fn head_that_can_be_read_in_two_ways_is_refused() {
    let again = "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n";
    let smuggled =
        format!("Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{again}");
    let coded = |coding: &str| fields(&format!("Transfer-Encoding: {coding}\r\n"));
    let chunked = |body: &str| fields(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"));
    let server = Server::start();
    check(
        &server,
        [
            (69, host(""), "400"),
            (70, host("Host: a\r\nHost: b\r\n"), "400"),
            (70, host("Host: a\r\nHost: a\r\n"), "400"),
            (71, host("Host: a b\r\n"), "400"),
            (71, host("Host: a/../b\r\n"), "400"),
            (71, host(&format!("Host: {}\r\n", "a".repeat(300))), "400"),
            (
                72,
                fields("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
                "400",
            ),
            (
                72,
                fields("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
                "400",
            ),
            (73, fields(&smuggled), "400; connection: close"),
            (74, coded("gzip"), "400"),
            (75, coded("chunked, identity"), "400"),
            (76, coded("xchunked"), "400"),
            (77, coded("chunked\r\nTransfer-Encoding: chunked"), "400"),
            (78, fields("Content-Length: 0, 0\r\n"), "400"),
            (
                79,
                fields("Content-Length: 0\r\nContent-Length: 1\r\n"),
                "400",
            ),
            (80, fields("Content-Length: -1\r\n"), "400"),
            (81, fields("Content-Length: +1\r\n"), "400"),
            (
                82,
                fields("Content-Length: 18446744073709551616\r\n"),
                "400",
            ),
            (83, fields("X: a\r\n b\r\n"), "400"),
            (84, host("Host : a\r\n"), "400"),
            (85, fields("foo\r\n"), "400"),
            (86, fields("X: a\0b\r\n"), "400"),
            (87, fields(&"X: a\r\n".repeat(100)), "431"),
            (88, fields(&format!("X: {}\r\n", "a".repeat(20_000))), "431"),
            (
                89,
                fields(&format!("X: {}\r\n", "a".repeat(500_000))),
                "431",
            ),
            (
                90,
                fields(&format!("Cookie: {}\r\n", "a".repeat(8000))),
                "200",
            ),
            (91, fields("Expect: 100-continue\r\n"), "200"),
            (92, fields("Expect: foo\r\n"), "417"),
            (
                93,
                fields(&format!(
                    "Content-Length: 1000000\r\n\r\n{}{again}",
                    "x".repeat(1_000_000)
                )),
                "200",
            ),
            (94, chunked("ffffffffffffffff1\r\n"), "400"),
            (
                95,
                chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(1_000_000))),
                "400",
            ),
            (
                96,
                chunked(&format!("0\r\nX: {}\r\n\r\n", "x".repeat(1_000_000))),
                "400",
            ),
        ],
    );
}

#[test]
fn condition_or_range_that_makes_no_sense_is_ignored() {
    let many = format!("If-None-Match: {}\r\n", vec!["\"a\""; 2000].join(","));
    let killer = format!("bytes={}", vec!["0-"; 1000].join(","));
    let ranged = |field: &str| fields(&format!("Range: bytes=0-0\r\nIf-Range: {field}\r\n"));
    let server = Server::start();
    fs::write(server.root().join("empty"), "").unwrap();
    let empty = |range: &str| {
        raw(&format!(
            "GET /empty HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n"
        ))
    };
    let head = "HEAD /index.html HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n";
    check(
        &server,
        [
            (97, range("bytes=0-0"), "206; content-range: bytes 0-0/10"),
            (98, range("bytes=0-"), "206; content-range: bytes 0-9/10"),
            (99, range("bytes=-1"), "206; content-range: bytes 9-9/10"),
            (100, range("bytes=-0"), "416; content-range: bytes */10"),
            (101, range("bytes=5-2"), "200"),
            (102, range("bytes=10-"), "416; content-range: bytes */10"),
            (
                103,
                range("bytes=0-99999999999999999999"),
                "206; content-range: bytes 0-9/10",
            ),
            (
                104,
                range("bytes=-99999"),
                "206; content-range: bytes 0-9/10",
            ),
            (105, range("bytes=0-0,2-2"), "206; content-range: absent"),
            (106, range(&killer), "200"),
            (107, range("bytes=abc"), "200"),
            (108, range("items=0-1"), "200"),
            (109, range("bytes=0-1, ,3-4"), "206; content-range: absent"),
            (110, range("BYTES=0-1"), "206; content-range: bytes 0-1/10"),
            (111, empty("0-"), "416; content-range: bytes */0"),
            (111, empty("-1"), "200"),
            (112, raw(head), "200; content-length: 10"),
            (113, ranged("W/\"a\""), "200"),
            (113, ranged("\"a\""), "200"),
            (114, fields("If-Modified-Since: yesterday\r\n"), "200"),
            (
                114,
                fields("If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
                "304",
            ),
            (115, fields("If-None-Match: *\r\n"), "304"),
            (116, fields(&many), "200"),
            (117, fields("If-Match: \"nope\"\r\n"), "412"),
        ],
    );
}
