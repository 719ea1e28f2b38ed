//! Where does the program let people in?

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::program::{LEADSMAN, Program, skipped};

/// Whether a namespace with this setting could be made; `$0` is the program.
const NAMESPACE: &str = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/bindv6only";
/// Ends well once both families are let in.
const BOTH: &str = r#"
cd / && "$0" run --listen :9115 --log.level=error &
for attempt in $(seq 200); do
    if (exec 3<>/dev/tcp/127.0.0.1/9115 4<>/dev/tcp/::1/9115) 2>/dev/null; then exit 0; fi
    sleep 0.05
done
exit 1
"#;

#[test]
fn a_port_alone_lets_in_both_families_where_ipv6_sockets_take_only_their_own() {
    let run = |script: &str| {
        let namespace = ["-Urnpf", "--kill-child", "bash", "-c", script, LEADSMAN];
        Command::new("unshare").args(namespace).output()
    };
    if !run(NAMESPACE).is_ok_and(|made| made.status.success()) {
        skipped("a port alone lets in both families", "unshare with ip(8)");
        return;
    }
    let run = run(&format!("{NAMESPACE} || exit 1\n{BOTH}")).expect("it just worked");
    assert!(run.status.success(), "{run:?}");
}

/// More targets at once than half of the descriptors that a program has to begin with.
const CROWD: usize = 560;

#[test]
fn an_outage_of_very_many_targets_is_told_to_whoever_asks_for_each() {
    // It is sent questions, and answers none.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--nofile=1024:", LEADSMAN]);
    let program = Program::launch_with(
        command,
        &["--listen", "127.0.0.1:0"],
        Some("modules: { silent: { prober: dns, timeout: 3s, dns: { query_name: a.test } } }"),
    );
    let path = format!("/probe?module=silent&target={silent}");
    let ask = |_| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream
    };
    let asking: Vec<_> = (0..CROWD).map(ask).collect();
    for mut stream in asking {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let (mut answer, mut piece) = (String::new(), [0; 4096]);
        while !answer.contains("\nprobe_success 0\n") {
            let length = stream.read(&mut piece).expect("there is an answer");
            assert_ne!(length, 0, "it ends with {answer:?}");
            answer.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }
}
