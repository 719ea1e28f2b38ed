//! How does it end where it does not even come to a dialogue?

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use leadsman_core::Target;
use leadsman_core::metric::common;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::time::timeout;

use super::servers::{accepting, saying, saying_at};
use super::{bench, detail, together};

#[tokio::test]
async fn a_port_where_somebody_accepts_is_good_whatever_happens_then() {
    let _together = together().await;
    let closing = accepting(|stream| async { drop(stream) }).await;
    for server in [saying(b"").await, closing] {
        let found = bench("tcp").run(&server.to_string()).await;
        assert_eq!(found.ending(), "good");
        assert_eq!(found.named("probe_failed_due_to_regex", None), Some(0.0));
        assert_eq!(found.named("probe_failed_due_to_bytes", None), Some(0.0));
        assert_eq!(found.gauge(&common::PROTOCOL, None), Some(4.0));
        for phase in ["resolve", "connect"] {
            assert!(
                found
                    .named("probe_tcp_duration_seconds", Some(phase))
                    .is_some(),
                "{phase}"
            );
        }
        for phase in ["tls", "dialogue", "starttls"] {
            assert_eq!(
                found.named("probe_tcp_duration_seconds", Some(phase)),
                None,
                "{phase}"
            );
        }
        assert!(found.named("probe_tcp_rtt_seconds", None) > Some(0.0));
    }
}

#[tokio::test]
async fn where_nobody_accepts_it_is_said_why() {
    let _together = together().await;
    let refusing = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let found = bench("tcp").run(&refusing.to_string()).await;
    assert_eq!(
        (found.ending(), found.run.recording.phase()),
        ("refused", "connect")
    );
    assert_eq!(found.named("probe_failed_due_to_regex", None), None);
    let found = bench("tcp").run("nowhere.test:1").await;
    assert_eq!(
        (found.ending(), found.run.recording.phase()),
        ("resolve", "resolve")
    );
    let two = bench("tcp").host("a.test", [[127, 0, 0, 2].into(), [127, 0, 0, 1].into()]);
    let server = saying(b"").await;
    let found = two.run(&format!("a.test:{}", server.port())).await;
    assert_eq!(found.ending(), "good");
    assert_eq!(found.text(&common::TARGET_INFO).unwrap(), ["127.0.0.1"]);
    assert_eq!(found.said("not_connected").count(), 1);
}

#[tokio::test]
async fn it_comes_from_the_address_that_is_chosen() {
    let _together = together().await;
    let server = accepting(|mut stream| async move {
        use tokio::io::AsyncWriteExt as _;
        stream.write_all(b"x\n").await.ok();
    })
    .await;
    for (source, expected) in [
        ("127.0.0.9", "good"),
        ("192.0.2.9", "network"),
        ("::1", "network"),
    ] {
        let bench = bench("tcp").option("source_ip_address", source);
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.ending(), expected, "{}", detail(&found));
    }
}

#[test]
fn a_target_that_cannot_be_meant_is_refused() {
    for (plugin, address, expected) in [
        ("tcp", "127.0.0.1", "write HOST:PORT"),
        ("tcp", "127.0.0.1:0", "write HOST:PORT"),
        ("unix", "", "write a path"),
        ("unix", &"x".repeat(108), "write a path"),
    ] {
        let mistakes = bench(plugin).aim(&Target::new(address)).err().unwrap();
        assert!(mistakes[0].to_string().contains(expected), "{mistakes:?}");
    }
    let old = bench("tcp").option("tls_config", json!({ "max_version": "TLS11" }));
    let mistakes = old.aim(&Target::new("a.test:1")).err().unwrap();
    assert!(
        mistakes[0].to_string().contains("TLS 1.2 and 1.3 only"),
        "{mistakes:?}"
    );
    let torn = bench("tcp").option("tls_config", json!({ "cert": "a" }));
    let mistakes = torn.aim(&Target::new("a.test:1")).err().unwrap();
    assert!(
        mistakes[0].to_string().contains("needs its key"),
        "{mistakes:?}"
    );
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_told_from_one_where_nobody_listens() {
    let _together = together().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    saying_at(&path("good"), b"");
    drop(UnixListener::bind(path("left")).unwrap());
    let _datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
    std::fs::write(path("file"), "").unwrap();
    for (name, expected) in [
        ("good", "good"),
        ("nowhere", "unreachable"),
        ("good/in", "unreachable"),
        ("left", "refused"),
        ("file", "refused"),
        ("datagrams", "protocol"),
    ] {
        let found = bench("unix").run(&path(name)).await;
        assert_eq!(found.ending(), expected, "{name}: {}", detail(&found));
        if expected != "good" {
            assert!(detail(&found).contains(&path(name)), "{}", detail(&found));
        }
        assert!(
            found
                .named("probe_unix_duration_seconds", Some("connect"))
                .is_some()
        );
    }
}

#[tokio::test]
async fn an_abstract_name_begins_with_an_at_sign() {
    let _together = together().await;
    let name = format!("leadsman-{}-{}", std::process::id(), line!());
    saying_at(&format!("\0{name}"), b"hello\n");
    let bench = bench("unix").option("query_response", json!([{ "expect": "^hello$" }]));
    assert_eq!(bench.run(&format!("@{name}")).await.ending(), "good");
}

#[tokio::test]
async fn a_listener_without_room_is_tried_again_until_the_time_is_over() {
    let _together = together().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full");
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let _listener = socket.listen(0).unwrap();
    let _first = tokio::net::UnixStream::connect(&path).await.unwrap();
    let bench = bench("unix").timeout(Duration::from_millis(100));
    let found = bench.run(&path.display().to_string()).await;
    assert_eq!(found.ending(), "timeout", "{}", detail(&found));
    assert!(
        detail(&found).contains("nobody accepts"),
        "{}",
        detail(&found)
    );
}

#[tokio::test]
async fn a_port_that_does_not_answer_is_named_with_its_address() {
    let _together = together().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Where the queue of a listener is full, Linux drops what asks for more (listen(2)).
    let mut waiting = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        waiting.push(connected.unwrap());
    }
    let bench = bench("tcp").timeout(Duration::from_millis(100));
    let found = bench.run(&address.to_string()).await;
    assert_eq!(
        (found.ending(), found.run.recording.phase()),
        ("timeout", "connect")
    );
    let expected = format!(
        "cannot connect to port {} of 127.0.0.1: no answer",
        address.port()
    );
    assert_eq!(detail(&found), expected);
}
