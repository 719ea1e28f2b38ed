//! Does Apache answer requests for ranges as the file server does?
//!
//! Both serve the same directory and are asked the same. Where they differ, each of the two answers is
//! written down.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::ask;
use crate::program::skipped;
use crate::serve::Served;

/// What an answer says of ranges.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    status: u16,
    /// `Content-Range` of the answer as a whole.
    range: Option<String>,
    /// Content between boundaries, with the `Content-Range` of each part.
    parts: Vec<(String, String)>,
    /// Content without boundaries, if it is the file's.
    content: Option<String>,
}

/// Which of the two answers is an answer of its own.
#[derive(Clone, Copy)]
enum Differs {
    /// Apache ignores the field.
    ApacheIgnores,
    /// The file server ignores the field.
    WeIgnore,
    /// Both refuse it, but only the file server says how long the file is.
    OnlyWeTellTheLength,
}

#[test]
#[expect(clippy::too_many_lines, reason = "most are the table of requests")]
fn apache_sends_the_same_ranges() {
    use Differs::{ApacheIgnores, OnlyWeTellTheLength, WeIgnore};
    if !Path::new(APACHE).exists() {
        return skipped(
            "apache_sends_the_same_ranges",
            "Debian's package apache2-bin",
        );
    }
    let directory = TempDir::new().expect("there is room");
    let root = directory.path();
    // Apache gives up root's privileges, if it has them.
    fs::set_permissions(root, Permissions::from_mode(0o755)).expect("it is ours");
    fs::write(root.join("digits.html"), "0123456789").expect("there is room");
    fs::write(root.join("empty.html"), "").expect("there is room");
    let long: String = ('a'..='z').cycle().take(3000).collect();
    fs::write(root.join("long.html"), &long).expect("there is room");
    let apache = Apache::start(root);
    let served = Served::directory(directory);
    let both = |file: &str, fields: &str| {
        let path = format!("/{file}.html");
        (
            Sent::to(apache.address, &path, fields),
            Sent::to(served.address, &path, fields),
        )
    };

    let apart = |count: u32| -> String {
        let ranges: Vec<_> = (0..count)
            .map(|n| format!("{}-{}", 300 * n, 300 * n + 1))
            .collect();
        ranges.join(",")
    };
    // The statuses and how many parts there are, of what both have to agree on.
    for (file, range, status, parts) in [
        ("digits", "0-0", 206, 0),
        ("digits", "0-", 206, 0),
        ("digits", "-1", 206, 0),
        ("digits", "-99999", 206, 0),
        ("digits", "0-0,20-30", 206, 0),
        ("digits", "0-1,", 206, 0),
        // Several parts, in the order asked for.
        ("digits", "0-0,2-2", 206, 2),
        ("digits", "0-1,-1", 206, 2),
        ("digits", "4-5,0-1", 206, 2),
        ("digits", "5-,0-2", 206, 2),
        ("digits", "0-0,2-2,4-4,6-6,8-8", 206, 5),
        ("digits", "0-0,2-2,4-4,6-6,8-8,9-9", 206, 5),
        ("long", "0-9,11-20", 206, 2),
        ("long", "0-0,1000-", 206, 2),
        ("long", "2990-,0-5", 206, 2),
        ("long", "100-199,0-9,2999-,50-50", 206, 4),
        ("long", &apart(8), 206, 8),
        // Those that overlap or touch are one.
        ("digits", "0-4,2-8", 206, 0),
        ("digits", "0-1,2-3", 206, 0),
        ("digits", "-1,-2", 206, 0),
        ("digits", "0-9,0-9", 206, 0),
        ("digits", "0-1,0-1,0-1", 206, 0),
        ("long", "0-99,50-149", 206, 0),
        ("long", "100-199,0-99", 206, 0),
        // Not a set of ranges.
        ("digits", "5-2", 200, 0),
        ("digits", "0-0,5-2", 200, 0),
        ("digits", "1-0,0-0", 200, 0),
        ("digits", "0-0,abc", 200, 0),
        ("digits", "abc", 200, 0),
        ("digits", "0 -1", 200, 0),
        ("digits", "", 200, 0),
        ("empty", "-1", 200, 0),
    ] {
        let (apache, ours) = both(file, &format!("Range: bytes={range}\r\n"));
        assert_eq!(ours, apache, "{file} {range:?}: ours, Apache's");
        let got = (ours.status, ours.parts.len());
        assert_eq!(got, (status, parts), "{file} {range:?}");
    }
    for fields in [
        "Range: BYTES=0-1\r\n",
        "Range: items=0-1\r\n",
        "Range: bytes 0-1\r\n",
        "Range: bytes = 0-1\r\n",
        "Range: bytes=0-0\r\nRange: bytes=2-2\r\n",
        "Range: bytes=0-0,2-2\r\nIf-Range: \"other\"\r\n",
        "Range: bytes=0-0,2-2\r\nIf-Range: Sat, 01 Jan 2000 00:00:00 GMT\r\n",
    ] {
        let (apache, ours) = both("digits", fields);
        assert_eq!(ours, apache, "{fields:?}: ours, Apache's");
    }

    let killer = vec!["0-"; 1000].join(",");
    for (file, range, differs) in [
        // A number of any length is one, an element may be empty, blanks may stand around the
        // comma (RFC 9110, sections 14.1.1, 5.6.1.2 and 5.6.1.1).
        ("digits", "0-99999999999999999999", ApacheIgnores),
        ("digits", "0-1, ,3-4", ApacheIgnores),
        ("digits", ",0-1", ApacheIgnores),
        ("digits", "0-0 , 2-2", ApacheIgnores),
        // A suffix of no length is no mistake, but cannot be satisfied (section 14.1.2).
        ("digits", "-0", ApacheIgnores),
        ("digits", "0-0,-0", ApacheIgnores),
        ("digits", "0-3,6-9,2-7", ApacheIgnores),
        ("empty", "0-", ApacheIgnores),
        ("empty", "0-0,2-3", ApacheIgnores),
        // More than eight parts, or sixteen ranges, are greedy (section 17.15).
        ("long", &apart(9), WeIgnore),
        ("long", &killer, WeIgnore),
        // Section 14.4.
        ("digits", "10-", OnlyWeTellTheLength),
        ("digits", "20-30,40-", OnlyWeTellTheLength),
    ] {
        let (apache, ours) = both(file, &format!("Range: bytes={range}\r\n"));
        let of = format!("{file} {range:.60}: {ours:?}, Apache: {apache:?}");
        let whole = both(file, "").0;
        match differs {
            ApacheIgnores => assert!(apache == whole && matches!(ours.status, 206 | 416), "{of}"),
            WeIgnore => assert!(ours == whole && apache.status == 206, "{of}"),
            OnlyWeTellTheLength => {
                assert_eq!((ours.status, apache.status), (416, 416), "{of}");
                assert_eq!(ours.range.as_deref(), Some("bytes */10"), "{of}");
                assert_eq!(apache.range, None, "{of}");
            }
        }
    }
}

impl Sent {
    fn to(address: SocketAddr, path: &str, fields: &str) -> Self {
        let answer = ask(address, "GET", path, fields);
        let media = answer.field("content-type").unwrap_or_default();
        let boundary = media.strip_prefix("multipart/byteranges; boundary=");
        let parts = boundary.map_or_else(Vec::new, |boundary| {
            // The line before a boundary belongs to it (RFC 2046, section 5.1.1), which the first
            // may lack.
            let content = format!("\r\n{}", answer.body.trim_start_matches("\r\n"));
            let end = format!("\r\n--{boundary}--\r\n");
            let content = content.strip_suffix(&end).expect("it ends");
            let delimiter = format!("\r\n--{boundary}\r\n");
            content.split(&delimiter).skip(1).map(part).collect()
        });
        Self {
            status: answer.status,
            range: answer.field("content-range").map(str::to_owned),
            content: (parts.is_empty() && answer.status < 300).then(|| answer.body.clone()),
            parts,
        }
    }
}

/// The `Content-Range` of a part, and its content.
fn part(written: &str) -> (String, String) {
    let (head, content) = written.split_once("\r\n\r\n").expect("a part has a head");
    let fields: Vec<_> = head
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .collect();
    let field = |name: &str| {
        let field = fields
            .iter()
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .unwrap_or_else(|| panic!("no {name} in {head:?}"));
        field.1.to_owned()
    };
    assert!(field("content-type").starts_with("text/html"), "{head:?}");
    (field("content-range"), content.to_owned())
}

/// Apache with nothing but what serves files, which ends with the test.
struct Apache {
    child: Child,
    address: SocketAddr,
    _room: TempDir,
}

impl Apache {
    fn start(directory: &Path) -> Self {
        let room = TempDir::new().expect("there is room");
        let at = room.path();
        fs::set_permissions(at, Permissions::from_mode(0o755)).expect("it is ours");
        // It cannot be given port 0, so take one that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a port is free");
        let configuration = format!(
            "ServerRoot {at}\nPidFile {at}/pid\nListen {address}\nServerName localhost\n\
             User nobody\nGroup nogroup\n\
             LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\n\
             LoadModule authz_core_module {MODULES}/mod_authz_core.so\n\
             LoadModule mime_module {MODULES}/mod_mime.so\n\
             TypesConfig {at}/types\nErrorLog {at}/errors\nDocumentRoot {root}\n",
            at = at.display(),
            root = directory.display(),
        );
        fs::write(at.join("conf"), configuration).expect("there is room");
        fs::write(at.join("types"), "text/html html\n").expect("there is room");
        let mut child = Command::new(APACHE)
            // As one process, which is gone when it is killed.
            .args(["-X", "-f"])
            .arg(at.join("conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was just there");
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("it is our child");
            let told = fs::read_to_string(at.join("errors")).unwrap_or_default();
            assert!(
                ended.is_none() && Instant::now() < end,
                "it does not listen: {told}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            address,
            _room: room,
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const APACHE: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";
