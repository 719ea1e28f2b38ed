//! What is sent of files that change while they are served?

use std::fs::File;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

/// Too large for memory and for what the kernel takes from a server whose peer does not read.
const LENGTH: usize = 32 << 20;

/// What is received of a large file if `change` happens to it when a part has been taken.
fn received(change: impl FnOnce(&Path)) -> Vec<u8> {
    let server = Server::start();
    let big = server.root().join("big");
    fs::write(&big, vec![b'x'; LENGTH]).unwrap();
    let mut stream = server.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut received = vec![0; 1000];
    stream.read_exact(&mut received).unwrap();
    change(&big);
    // Cut off, the connection may end in an error.
    _ = stream.read_to_end(&mut received);
    let head = received
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    received.split_off(head + 4)
}

#[test]
fn what_was_begun_is_sent_to_its_end() {
    // Row 43: replaced by another file.
    let replaced = received(|big| {
        let next = big.with_extension("next");
        fs::write(&next, "y").unwrap();
        fs::rename(next, big).unwrap();
    });
    // Row 45: grown.
    let grown = received(|big| {
        let mut file = File::options().append(true).open(big).unwrap();
        file.write_all(&[b'y'; 1000]).unwrap();
    });
    for received in [replaced, grown] {
        assert!(received.len() == LENGTH && received.iter().all(|byte| *byte == b'x'));
    }
}

#[test]
fn file_that_became_shorter_is_cut_off_and_never_padded() {
    // Row 44.
    let cut = received(|big| {
        let file = File::options().write(true).open(big).unwrap();
        file.set_len(1).unwrap();
    });
    assert!(cut.len() < LENGTH && cut.iter().all(|byte| *byte == b'x'));
}

#[test]
fn way_out_that_comes_and_goes_is_never_taken() {
    // Row 20.
    let server = Server::start();
    let root = server.root();
    fs::write(root.join("sub/secret"), "inside").unwrap();
    symlink(server.lair.path(), root.join("way")).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (one, other) = (root.join("sub"), root.join("way"));
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..300 {
            let answer = server.get("/sub/secret");
            assert!(
                matches!(answer.text(), "inside" | "404 Not Found\n"),
                "{answer:?}"
            );
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn file_without_a_sensible_time_is_served_without_it() {
    // Row 118.
    let now = SystemTime::now();
    for (modified, expected) in [
        (UNIX_EPOCH, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (UNIX_EPOCH - Duration::from_secs(100_000), None),
        (now + Duration::from_hours(24), None),
        (now + Duration::from_hours(24 * 365 * 10_000), None),
    ] {
        let server = Server::start();
        let file = server.root().join("index.html");
        File::open(&file).unwrap().set_modified(modified).unwrap();
        let answer = server.get("/index.html");
        assert_eq!(
            (answer.status.as_str(), answer.field("last-modified")),
            ("200", expected)
        );
    }
}

#[test]
fn change_is_seen_by_the_second_second() {
    let server = Server::of_one_thread();
    assert_eq!(server.get("/index.html").text(), "0123456789");
    fs::write(server.root().join("index.html"), "other").unwrap();
    let begin = SystemTime::now();
    while server.get("/index.html").text() != "other" {
        assert!(begin.elapsed().unwrap() < PATIENCE);
    }
}
