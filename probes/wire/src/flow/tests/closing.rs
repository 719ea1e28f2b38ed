//! When are sockets closed that nobody uses any more?

use super::*;

#[tokio::test]
async fn sockets_are_closed_without_a_flow_for_long_and_opened_anew_when_wanted() {
    // Nobody else's.
    let options = RequestOptions {
        source: Some([127, 0, 76, 76].into()),
        ..PLAIN
    };
    if open(LOOPBACKS[0], options).is_none() {
        return;
    }
    let options = RequestOptions {
        source: Some([127, 0, 76, 77].into()),
        ..PLAIN
    };
    let open = || Flow::on(|way| Lane::shared(way, BRIEFLY), LOOPBACKS[0], options).unwrap();
    for _ in 0..3 {
        let (one, other) = (open(), open());
        assert!(Arc::ptr_eq(&one.lane, &other.lane));
        let lane = Arc::downgrade(&one.lane);
        drop(one);
        // Long enough for its thread to close what is in use, if it would.
        std::thread::sleep(20 * BRIEFLY);
        other.send(WAIT);
        answer(&other).await;
        assert!(Lane::is_known(&lane));
        drop(other);
        let begin = Stamp::now();
        while lane.strong_count() > 0 {
            assert!(Stamp::now().since(begin) < WAIT);
            std::thread::sleep(BRIEFLY);
        }
        assert!(!Lane::is_known(&lane));
    }
}

/// Those without a thread, for there never was anything to wait for, are closed by whoever opens.
#[tokio::test]
async fn sockets_that_were_never_waited_on_are_closed_when_others_are_opened() {
    let from = |last| RequestOptions {
        source: Some([127, 0, 76, last].into()),
        ..PLAIN
    };
    if open(LOOPBACKS[0], from(78)).is_none() {
        return;
    }
    let open = |last| Flow::on(|way| Lane::shared(way, BRIEFLY), LOOPBACKS[0], from(last)).unwrap();
    let (idle, busy) = (open(79), open(80));
    let lanes = [&idle, &busy].map(|flow| Arc::downgrade(&flow.lane));
    // On loopback it is answered within the call that sends it.
    busy.ask(WAIT);
    answer(&busy).await;
    drop((idle, busy));
    std::thread::sleep(2 * BRIEFLY);
    drop(open(81));
    let begin = Stamp::now();
    while lanes.iter().any(Lane::is_known) {
        assert!(Stamp::now().since(begin) < WAIT);
        std::thread::sleep(BRIEFLY);
    }
}

const BRIEFLY: Duration = Duration::from_millis(1);
