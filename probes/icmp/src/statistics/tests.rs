//! Are the figures of a few requests what one can work out by hand?
//!
//! Many requests, of every fate and in any order, are compared with the definitions where the events
//! are read: in the drawing's `host`.

use super::*;

#[test]
fn known_samples_give_known_figures() {
    let statistics = of(&[
        (0, 2),
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 5),
        (5, 5),
        (6, 7),
        (7, 9),
    ]);
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(statistics.last(), ms(9));
    assert_eq!(statistics.min(), ms(2));
    assert_eq!(statistics.max(), ms(9));
    assert_eq!(statistics.mean(), ms(5));
    assert_eq!(statistics.mdev(), ms(2));
    // The square root of 32/7.
    assert_eq!(statistics.sdev(), Some(Duration::from_nanos(2_138_090)));
    for (percent, expected) in [
        (0, 2),
        (12, 2),
        (13, 4),
        (50, 4),
        (51, 5),
        (99, 9),
        (100, 9),
    ] {
        assert_eq!(statistics.percentile(percent), ms(expected), "p{percent}");
    }
}

#[test]
fn nothing_is_said_of_no_samples_and_little_of_one() {
    let none = Statistics::default();
    let figures = [
        none.last(),
        none.min(),
        none.max(),
        none.mean(),
        none.mdev(),
    ];
    assert_eq!(figures, [None; 5]);
    assert_eq!((none.percentile(50), none.jitter()), (None, None));
    let one = of(&[(0, 3)]);
    assert_eq!(one.mdev(), Some(Duration::ZERO));
    assert_eq!(one.percentile(99), Some(Duration::from_millis(3)));
    assert_eq!(one.jitter(), None);
}

#[test]
fn beyond_ten_thousand_different_ones_percentiles_are_nearly_exact() {
    let mut statistics = Statistics::default();
    for sequence in 0..50_000 {
        statistics.sent(sequence);
        // Every one of 1 to 50,000 µs, in a wild order.
        let micros = 1 + sequence * 7_919 % 50_000;
        let rtt = Duration::from_micros(micros);
        statistics.ended(sequence, Fate::Received(Some(rtt)));
    }
    for percent in [1, 50, 95, 99] {
        let figure = statistics.percentile(percent).unwrap().as_secs_f64();
        let expected = percent as f64 * 500e-6;
        assert!((figure - expected).abs() <= expected * 0.008, "{figure}");
    }
}

/// Samples as sequence number and milliseconds.
fn of(samples: &[(u64, u64)]) -> Statistics {
    let mut statistics = Statistics::default();
    for (sequence, ms) in samples {
        statistics.sent(*sequence);
        let rtt = Duration::from_millis(*ms);
        statistics.ended(*sequence, Fate::Received(Some(rtt)));
    }
    statistics
}
