//! What do the rounds come to, for a program?

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Names;
use super::course::{Course, Station};
use crate::loss::HopLoss;
use crate::reverse::{asymmetry, reverse_hops};

/// All figures; none before the first round.
pub(super) fn figures(course: &Course, names: &Names) -> Map<String, Value> {
    if course.round == 0 {
        return Map::new();
    }
    let hops = course.hops().into_iter();
    let hops = hops.map(|(ttl, hop, loss)| figures_of(ttl, hop, loss, names));
    let figures = [
        ("rounds", course.round.into()),
        ("reached", course.is_reached().into()),
        ("hops", hops.collect::<Vec<_>>().into()),
    ];
    let figures = figures.into_iter();
    figures
        .map(|(name, figure)| (name.to_owned(), figure))
        .collect()
}

fn figures_of(ttl: u8, hop: &Station, loss: Option<HopLoss>, names: &Names) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let (record, statistics) = (&hop.record, &hop.record.statistics);
    let responders = record.responders.iter().map(|(address, count)| {
        json!({
            "address": address,
            "name": names.name(*address),
            "system": names.0.get(address).and_then(|known| known.system),
            "answers": count,
        })
    });
    let limit = hop
        .limit()
        .filter(|_| loss.is_some_and(|loss| loss.missed > loss.lost));
    let limit = limit
        .map(|limit| json!({ "burst": limit.burst, "every_seconds": limit.every.as_secs_f64() }));
    let ttl_left = hop.latest.as_ref().and_then(|latest| latest.ttl_left);
    json!({
        "ttl": ttl,
        "address": hop.responder(),
        "addresses": responders.collect::<Vec<_>>(),
        "sent": record.sent,
        "answered": record.answered,
        "late": record.late,
        "lost": record.lost,
        "in_flight": record.under_way(),
        "duplicates": record.duplicates,
        "loss_ratio": loss.map(|loss| loss.lost),
        "unanswered_ratio": loss.map(|loss| loss.missed),
        "reluctant": loss.is_some_and(|loss| loss.reluctant),
        "rate_limit": limit,
        "rtt_seconds": {
            "last": seconds(statistics.last()),
            "mean": seconds(statistics.mean()),
            "min": seconds(statistics.best()),
            "max": seconds(statistics.worst()),
            "sdev": seconds(statistics.deviation()),
        },
        "jitter_seconds": seconds(statistics.jitter()),
        "reverse_hops": ttl_left.map(reverse_hops),
        "asymmetry": ttl_left.map(|left| asymmetry(ttl, left)),
    })
}
