//! Is an answer worth the same whoever reads it?
//!
//! One that follows an interim one is not plain, and so read by hyper.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{accepting, once, read};
use super::{bench, ending};
use crate::client::metrics::{CONTENT_LENGTH, STATUS, UNCOMPRESSED_LENGTH, VERSION};

#[tokio::test]
async fn plain_answer_is_worth_what_it_is_to_hyper() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    let wide = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 3\r\n\r\nabc",
        "x".repeat(20_000)
    );
    for (answer, length, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 3, "good"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 3, "good"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, "good"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef",
            3,
            "good",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 0, "good"),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
            3,
            "rejected",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            3,
            "closed",
        ),
        (&long, 300_000, "good"),
        (&wide, 3, "good"),
    ] {
        let shown = &answer[..answer.len().min(60)];
        let mut worth = Vec::new();
        for interim in ["", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
            for pieces in [1, 50] {
                let server = sending(format!("{interim}{answer}"), pieces).await;
                let found = bench().run(&server.to_string()).await;
                let told = [&STATUS, &VERSION, &CONTENT_LENGTH, &UNCOMPRESSED_LENGTH]
                    .map(|metric| found.gauge(metric, None));
                worth.push((ending(&found), told));
            }
        }
        let (ending, [.., read]) = worth[0];
        assert_eq!(
            (ending, read),
            (expected, Some(f64::from(length))),
            "{shown:?}"
        );
        assert!(
            worth.iter().all(|other| *other == worth[0]),
            "{shown:?}: {worth:?}"
        );
    }
}

/// A server that sends an answer in so many pieces, or as many as it has bytes.
async fn sending(answer: String, pieces: usize) -> SocketAddr {
    let answer = Arc::new(answer);
    accepting(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            stream.set_nodelay(true).unwrap();
            read(&mut stream).await;
            for piece in answer.as_bytes().chunks(answer.len().div_ceil(pieces)) {
                // A client that has read enough is gone.
                stream.write_all(piece).await.ok();
                tokio::task::yield_now().await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn request_goes_out_in_one_piece_and_once() {
    let (server, heard) = once(|mut stream| async move {
        let mut piece = [0; 1000];
        let length = stream.read(&mut piece).await.unwrap();
        // Not plain, so that hyper writes the request once more, to nobody.
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let again = stream.read(&mut [0; 1000]).await.unwrap();
        (
            String::from_utf8_lossy(&piece[..length]).into_owned(),
            again,
        )
    })
    .await;
    let found = bench().run(&format!("http://{server}/a?b")).await;
    assert_eq!(ending(&found), "good");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a?b HTTP/1.1\r\nUser-Agent: leadsman/{version}\r\nHost: {server}\r\n\
         Connection: close\r\n\r\n"
    );
    assert_eq!(heard.await.unwrap(), (expected, 0));
}
