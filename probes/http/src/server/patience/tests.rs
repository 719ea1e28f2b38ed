//! Who is given up, and when?

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::sleep;

use super::*;

pub(in crate::server) const LIMITS: Limits = Limits {
    head: Duration::from_secs(5),
    idle: Duration::from_mins(1),
    stall: Duration::from_secs(30),
};

impl Outlet for DuplexStream {}

/// Not quite as long as a connection may be idle.
const JUST_IDLE: Duration = Duration::from_secs(59);

/// The clock of tokio counts whole milliseconds.
const SLACK: Duration = Duration::from_millis(2);

fn pair() -> (DuplexStream, Patient<DuplexStream>, Arc<Turn>) {
    let (peer, stream) = duplex(64);
    let turn = Arc::new(Turn::default());
    let patient = Patient::new(stream, LIMITS, Arc::clone(&turn));
    (peer, patient, turn)
}

/// Reads as hyper does, until the peer is given up; says how long that took.
async fn given_up(patient: &mut Patient<DuplexStream>) -> Duration {
    let begin = Instant::now();
    let why = loop {
        if let Err(why) = patient.read(&mut [0; 16]).await {
            break why;
        }
    };
    assert_eq!(why.kind(), io::ErrorKind::TimedOut);
    begin.elapsed()
}

fn assert_about(taken: Duration, expected: Duration) {
    assert!(
        (expected..expected + SLACK).contains(&taken),
        "{taken:?}, not {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn first_head_has_its_time_however_slowly_it_comes() {
    let (mut peer, mut patient, _) = pair();
    let slowly = tokio::spawn(async move {
        while peer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    assert_about(given_up(&mut patient).await, LIMITS.head);
    drop(patient);
    slowly.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn next_request_may_be_waited_for_but_then_has_to_come() {
    let (mut peer, mut patient, turn) = pair();
    for _ in 0..3 {
        peer.write_all(b"request").await.unwrap();
        patient.read_exact(&mut [0; 7]).await.unwrap();
        turn.answer(false);
        let answered = Instant::now();
        assert!(
            tokio::time::timeout(JUST_IDLE, patient.read_u8())
                .await
                .is_err()
        );
        assert_about(answered.elapsed(), JUST_IDLE);
    }
    peer.write_all(b"r").await.unwrap();
    assert_about(given_up(&mut patient).await, LIMITS.head);
}

#[tokio::test(start_paused = true)]
async fn idle_peer_is_given_up() {
    let (mut peer, mut patient, turn) = pair();
    peer.write_all(b"request").await.unwrap();
    patient.read_exact(&mut [0; 7]).await.unwrap();
    turn.answer(false);
    assert_about(given_up(&mut patient).await, LIMITS.idle);
}

#[tokio::test(start_paused = true)]
async fn peer_that_takes_nothing_is_given_up() {
    let (mut peer, mut patient, _) = pair();
    let begin = Instant::now();
    let (written, ()) = tokio::join!(patient.write_all(&[b'x'; 256]), async {
        // Some are taken in time, once.
        sleep(LIMITS.stall / 2).await;
        peer.read_exact(&mut [0; 64]).await.unwrap();
    });
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_about(begin.elapsed(), LIMITS.stall * 3 / 2);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_waited_for_only_where_there_may_be_some() {
    for (answered, unread, expected) in [
        (true, false, Duration::ZERO),
        (true, true, LINGER),
        // A head that could not be read.
        (false, false, LINGER),
    ] {
        let (mut peer, mut patient, turn) = pair();
        peer.write_all(b"request").await.unwrap();
        patient.read_exact(&mut [0; 7]).await.unwrap();
        if answered {
            turn.answer(unread);
        }
        peer.write_all(&[b'x'; 64]).await.unwrap();
        let begin = Instant::now();
        patient.shutdown().await.unwrap();
        assert_about(begin.elapsed(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_leaves_is_not_waited_for() {
    let (mut peer, mut patient, turn) = pair();
    peer.write_all(b"request").await.unwrap();
    patient.read_exact(&mut [0; 7]).await.unwrap();
    turn.answer(true);
    drop(peer);
    let begin = Instant::now();
    patient.shutdown().await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
}
