//! Which cause and which phase does each way of not answering give?

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::servers::{accepting, ok, read, say, scripted};
use super::{bench, ending, last_phase};
use crate::client::metrics::{CONTENT_LENGTH, STATUS, UNCOMPRESSED_LENGTH};

/// Checks a server that answers with this.
async fn check(answer: impl Into<Vec<u8>>, cause: &str, phase: &str) {
    let answer = answer.into();
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
    let server = scripted(answer).await;
    let found = bench().run(&server.to_string()).await;
    assert_eq!(ending(&found), cause, "{shown:?}: {:?}", found.run.result);
    assert_eq!(last_phase(&found).as_deref(), Some(phase), "{shown:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_breaks_the_protocol() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "\0\0\0\0\0\0\0\0",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/9.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        check(answer, "protocol", "transfer").await;
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(format!("{chunked}zz\r\nabc\r\n"), "protocol", "transfer").await;
    check(
        format!("{chunked}ffffffffffffffffff\r\na"),
        "protocol",
        "transfer",
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_closed_connection() {
    check("", "closed", "wait").await;
    check("HTTP/1.1 200 OK\r\nConte", "closed", "transfer").await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "closed",
        "transfer",
    )
    .await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc";
    check(chunked, "closed", "transfer").await;
}

#[tokio::test]
async fn a_header_without_end_is_given_up() {
    let line = format!("X-Fill: {}\r\n", "f".repeat(1000));
    let many = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(2000));
    check(many, "protocol", "transfer").await;
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(900));
    check(fields, "good", "transfer").await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_counted_as_far_as_it_came() {
    let server = scripted("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
    let found = bench().run(&server.to_string()).await;
    assert_eq!(found.gauge(&STATUS, None), Some(200.0));
    assert_eq!(found.gauge(&CONTENT_LENGTH, None), Some(9.0));
    assert_eq!(found.gauge(&UNCOMPRESSED_LENGTH, None), Some(3.0));
}

#[tokio::test]
async fn a_reset_is_told_from_a_close() {
    let reset = |after: &'static str| {
        accepting(move |mut stream| async move {
            read(&mut stream).await;
            stream.write_all(after.as_bytes()).await.ok();
            // So that what was sent has left before the reset drops it.
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.set_zero_linger().unwrap();
        })
    };
    for (after, phase) in [
        ("", "wait"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "transfer",
        ),
    ] {
        let found = bench().run(&reset(after).await.to_string()).await;
        assert_eq!(ending(&found), "reset", "{after:?} {:?}", found.run.result);
        assert_eq!(last_phase(&found).as_deref(), Some(phase), "{after:?}");
    }
}

#[tokio::test]
async fn time_that_is_over_names_the_phase() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    for (pieces, phase) in [
        (vec![], "wait"),
        (vec![(0, "HTTP/1.1 20")], "transfer"),
        (vec![(0, head), (0, "abc")], "transfer"),
    ] {
        let server = accepting(move |mut stream| {
            let pieces = pieces.clone();
            async move {
                read(&mut stream).await;
                say(&mut stream, &pieces).await;
                std::future::pending::<()>().await;
            }
        });
        let hurried = bench().timeout(Duration::from_millis(100));
        let found = hurried.run(&server.await.to_string()).await;
        assert_eq!(ending(&found), "timeout");
        let said = found.run.result.unwrap_err().to_string();
        assert!(said.ends_with(phase), "{said}");
    }
}

#[tokio::test]
async fn a_body_in_the_wrong_coding_or_too_long_is_a_mismatch() {
    let gzip = bench().option("compression", "gzip");
    let found = gzip.run(&scripted(ok("not gzip")).await.to_string()).await;
    assert_eq!(ending(&found), "mismatch");
    assert_eq!(found.gauge(&CONTENT_LENGTH, None), Some(8.0));
    assert_eq!(found.gauge(&UNCOMPRESSED_LENGTH, None), Some(0.0));
    for (length, expected) in [(127, "good"), (128, "good"), (129, "mismatch")] {
        let limited = bench().option("body_size_limit", "128B");
        let server = scripted(ok(&"a".repeat(length))).await;
        let found = limited.run(&server.to_string()).await;
        assert_eq!(ending(&found), expected, "{length}");
    }
}

#[tokio::test]
async fn nobody_there_is_refused_while_connecting() {
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let found = bench().run(&nobody.local_addr().unwrap().to_string()).await;
    assert_eq!(ending(&found), "refused");
    assert_eq!(last_phase(&found).as_deref(), Some("connect"));
    assert_eq!(found.said("not_connected").count(), 1);
}

#[tokio::test]
async fn a_name_without_an_address_ends_in_resolving() {
    let found = bench().run("http://nowhere.test/").await;
    assert_eq!(ending(&found), "resolve");
    assert_eq!(last_phase(&found).as_deref(), Some("resolve"));
}
