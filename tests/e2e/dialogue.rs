//! Are TCP ports and unix sockets asked in every way that the program can be told to?

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{LEADSMAN, Program};

/// Greets whoever comes, until the test ends.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("it is there");
            // Whoever asks may be gone again.
            _ = stream.write_all(b"SSH-2.0-OpenSSH_10.0 Debian\r\n\x00\x00\x00\x08\xd2");
        }
    });
    address
}

fn by_hand(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(LEADSMAN)
        .args(arguments)
        .output()
        .expect("it was built");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).expect("it writes text");
    (told, output.status.code())
}

#[test]
fn by_hand_each_line_is_told_with_its_time_and_its_step() {
    let server = server().to_string();
    let steps = |steps: Value| format!("query_response={steps}");
    let good =
        steps(json!([{ "expect": "^SSH-(\\S+)" }, { "expect_bytes": { "hex": "00000008d2" } }]));
    let other = steps(json!([{ "expect": "^220 " }]));
    let directory = TempDir::new().expect("there is room");
    let path = directory.path().join("socket").display().to_string();
    let listener = UnixListener::bind(&path).expect("the directory is ours");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("it is there");
            _ = stream.read(&mut [0; 16]);
            _ = stream.write_all(b"PONG\n");
        }
    });
    let ping = steps(json!([{ "send": "PING" }, { "expect": "^PONG$" }]));
    for (arguments, status, expected) in [
        (
            vec!["tcp", &server],
            0,
            vec!["connected to 127.0.0.1", "resolve", "connect", "good, in"],
        ),
        (
            vec!["tcp", &server, "-o", &good],
            0,
            vec![
                "ms  1 < SSH-2.0-OpenSSH_10.0 Debian\n",
                "ms  2 < \\0\\0\\0\\u{8}",
                "dialogue",
                "good",
            ],
        ),
        (
            vec!["tcp", &server, "-o", &other],
            1,
            vec![
                "ms    < SSH-2.0",
                "mismatch, after",
                "step 1 of 1 waited for a line from",
                "\"^220 \"",
            ],
        ),
        (vec!["tcp", "127.0.0.1:1"], 1, vec!["refused, after"]),
        (vec!["tcp", "127.0.0.1"], 2, vec!["write HOST:PORT"]),
        (
            vec!["unix", &path, "-o", &ping],
            0,
            vec!["ms  1 > PING\n", "ms  2 < PONG\n", "good"],
        ),
        (
            vec!["unix", "/nowhere/socket"],
            1,
            vec!["unreachable, after"],
        ),
    ] {
        let (told, code) = by_hand(&arguments);
        assert_eq!(code, Some(status), "{arguments:?}: {told}");
        for words in expected {
            assert!(
                told.contains(words),
                "{arguments:?}: {words} is not in {told}"
            );
        }
    }
}

#[test]
fn on_a_schedule_labels_of_the_configuration_stand_beside_those_of_the_target() {
    let server = server();
    let program = Program::configured(&format!(
        "probes:
- name: shell
  every: 500ms
  timeout: 500ms
  tcp:
    query_response:
    - expect: '^SSH-2.0-([^ ]+) (.*)$'
      labels: [{{ name: version, value: $1 }}, {{ name: site, value: $2 }}]
    - expect_bytes: !!binary AAAACNI=
  targets: [{{ address: '{server}', labels: {{ site: fra }} }}]
"
    ));
    let metrics = program.wait(Duration::from_secs(10), |metrics| {
        metrics.body.contains("probe_expect_info{")
    });
    let labels = format!("probe=\"shell\",target=\"{server}\",site=\"fra\"");
    for line in [
        format!("probe_expect_info{{{labels},version=\"OpenSSH_10.0\"}} 1\n"),
        format!("probe_success{{{labels}}} 1\n"),
        format!("probe_tcp_failed_step{{{labels}}} 0\n"),
    ] {
        assert!(
            metrics.body.contains(&line),
            "{line} is not in {}",
            metrics.body
        );
    }
}
