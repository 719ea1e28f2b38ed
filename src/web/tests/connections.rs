//! How peers that misbehave are treated, over real connections on loopback.
//!
//! The clock is paused and goes on by itself whenever everybody waits, so that a wait of a minute
//! takes none.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::{door, serve};
use super::*;

pub(super) struct Served {
    pub(super) address: SocketAddr,
    stopper: Stopper,
    end: JoinHandle<()>,
}

pub(super) async fn served(config: &str) -> Served {
    let (host, stopper) = host(config).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let end = tokio::spawn(serve(
        vec![listener],
        512,
        host,
        Arc::default(),
        Prefix::default(),
    ));
    Served {
        address,
        stopper,
        end,
    }
}

pub(super) async fn connect(address: SocketAddr, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the end of the connection.
pub(super) async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset is an end as well.
    _ = stream.read_to_end(&mut rest).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// A connection that takes nothing of a scrape that has begun.
async fn stalled(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stalled = socket.connect(address).await.unwrap();
    let words = get_and_close("/metrics");
    stalled.write_all(words.as_bytes()).await.unwrap();
    stalled.readable().await.unwrap();
    stalled
}

pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

pub(super) fn get_and_close(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn run_ends_when_the_scraper_goes_away() {
    let served = served(CONFIG).await;
    let stream = connect(served.address, &get("/probe?module=slow&target=abandoned")).await;
    lead::ABANDONED.begun.notified().await;
    drop(stream);
    let abandoned = timeout(Duration::from_secs(10), lead::ABANDONED.end.notified()).await;
    assert!(abandoned.is_ok(), "the run goes on");
}

#[tokio::test(start_paused = true)]
async fn reader_that_takes_nothing_delays_nobody_and_is_cut() {
    let served = served(&large()).await;
    let stalled = stalled(served.address).await;
    let whole = rest(connect(served.address, &get_and_close("/metrics")).await).await;
    assert!(
        whole.ends_with("\r\n0\r\n\r\n"),
        "the other reader got {} bytes",
        whole.len()
    );
    tokio::time::sleep(Duration::from_mins(1)).await;
    let cut = rest(stalled).await;
    assert!(
        !cut.ends_with("\r\n0\r\n\r\n"),
        "the stalled reader got all {} bytes",
        cut.len()
    );
}

#[tokio::test]
async fn reader_too_many_is_answered_and_the_first_one_cut() {
    let served = served(&large()).await;
    let is_whole = |answer: &str| answer.ends_with("\r\n0\r\n\r\n");
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(stalled(served.address).await);
    }
    let whole = rest(connect(served.address, &get_and_close("/metrics")).await).await;
    assert!(is_whole(&whole), "{} bytes", whole.len());
    assert!(whole.contains("\nleadsman_scrapes_cut_total 1\n"));
    let mut readers = readers.into_iter();
    for expected in [false, true] {
        let answer = rest(readers.next().unwrap()).await;
        assert_eq!(is_whole(&answer), expected, "{} bytes", answer.len());
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_finishes_its_request_is_cut() {
    let served = served(CONFIG).await;
    let half = connect(served.address, "GET /metrics HTTP/1.1\r\nHo").await;
    let silent = connect(served.address, "").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(rest(half).await, "");
    assert_eq!(rest(silent).await, "");
    assert!(
        begun.elapsed() < Duration::from_secs(100),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn connection_too_many_is_closed_until_another_has_ended() {
    let (host, _stopper) = host(CONFIG).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(door::attend(listener, Arc::new(Surface::new(host)), 1));
    let mut first = connect(address, &get("/-/healthy")).await;
    first.readable().await.unwrap();
    assert_eq!(rest(connect(address, &get("/-/healthy")).await).await, "");
    first.shutdown().await.unwrap();
    assert!(rest(first).await.contains("Healthy"));
    // The end of the first is noticed at the latest when it was read to its end; ask until then.
    let answered = async {
        while !rest(connect(address, &get_and_close("/-/healthy")).await)
            .await
            .contains("Healthy")
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), answered).await.unwrap();
}

#[tokio::test]
async fn end_waits_for_the_answer_under_way_and_for_no_idle_connection() {
    let served = served(CONFIG).await;
    let idle = connect(served.address, "").await;
    let asking = connect(served.address, &get("/probe?module=slow&target=released")).await;
    lead::RELEASED.begun.notified().await;
    served.stopper.stop();
    assert_eq!(rest(idle).await, "");
    assert!(!served.end.is_finished());
    lead::RELEASED.end.notify_one();
    assert!(rest(asking).await.contains("\nprobe_success 1\n"));
    timeout(Duration::from_secs(10), served.end)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn end_ends_a_run_that_takes_too_long_and_answers_it() {
    let served = served(CONFIG).await;
    let asking = connect(served.address, &get("/probe?module=slow&target=endless")).await;
    lead::ENDLESS.begun.notified().await;
    let begun = tokio::time::Instant::now();
    served.stopper.stop();
    let answer = rest(asking).await;
    assert!(answer.contains("\nprobe_success 0\n"), "{answer:?}");
    served.end.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(12));
}
