//! Is a run that is asked for plainly answered as if it were not?

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connections::{connect, get, get_and_close, rest, served};
use super::*;

/// The same request in such a way that hyper answers it.
fn by_hyper(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n")
}

/// The lines of the heads of all answers, in order, without what differs from run to run.
fn heads(answers: &str) -> Vec<Vec<String>> {
    let mut heads = Vec::new();
    for head in answers.split("HTTP/1.1 ").skip(1) {
        let lines = head.split("\r\n\r\n").next().unwrap().split("\r\n");
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        assert!(
            lines.iter().any(|line| line.starts_with("date: ")),
            "{head}"
        );
        let is_run = lines[0].starts_with("200");
        lines.retain(|line| {
            let changes = is_run && line.starts_with("content-length: ");
            !changes && !line.starts_with("date: ")
        });
        lines.sort();
        heads.push(lines);
    }
    heads
}

#[tokio::test]
async fn plain_request_is_answered_as_hyper_would() {
    let served = served(CONFIG).await;
    for path in [
        "/probe?module=well&target=deep",
        "/probe?module=well&target=deep&debug=true",
        "/probe?module=none&target=deep",
        "/probe?module=well",
    ] {
        let mut answers = Vec::new();
        for request in [get(path), by_hyper(path)] {
            // The last request is hyper's, and ends the connection.
            let words = request + &get_and_close(path);
            answers.push(rest(connect(served.address, &words).await).await);
        }
        assert_eq!(heads(&answers[0]).len(), 2, "{}", answers[0]);
        assert_eq!(heads(&answers[0]), heads(&answers[1]));
    }
}

#[tokio::test]
async fn requests_of_all_kinds_may_follow_each_other() {
    let served = served(CONFIG).await;
    let run = get("/probe?module=well&target=deep");
    let long = format!("/probe?module=well&target={}", "x".repeat(5000));
    let words = [&run, &run, &get("/-/healthy"), &run, &get(&long)]
        .map(|get| &**get)
        .concat();
    let words = words + &get_and_close("/-/ready");
    let answer = rest(connect(served.address, &words).await).await;
    let heads = heads(&answer);
    let statuses: Vec<_> = heads
        .iter()
        .map(|lines| lines.iter().any(|l| l == "200 OK"))
        .collect();
    assert_eq!(statuses, [true; 6], "{answer}");
    assert!(answer.ends_with("Ready\n"), "{answer}");
}

#[tokio::test]
async fn request_may_come_in_pieces() {
    let served = served(CONFIG).await;
    let words = get("/probe?module=well&target=deep") + &get_and_close("/-/ready");
    for at in 0..words.len() {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in [&words[..at], &words[at..]] {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = rest(stream).await;
        assert_eq!(heads(&answer).len(), 2, "at {at}: {answer}");
    }
}
