//! What is there to say of a hop that is out of the ordinary?
//!
//! In words, for a line beside or beneath its figures.

use std::time::Duration;

use leadsman_core::Word;

use super::percent;
use crate::events::Hop;
use crate::limiter::Limit;
use crate::loss::HopLoss;
use crate::quote::first_changed;

/// What a hop has told, or what its answer shows to have happened to the packet.
pub(super) fn told(hop: &Hop) -> Vec<String> {
    let unusual = |ttl: &u8| *ttl != 1 && hop.what.is_none() && !hop.arrived;
    let hidden = hop.quoted_ttl.filter(unusual);
    let labels = hop.labels.iter();
    let interfaces = hop.interfaces.iter();
    let notes = [
        hop.what.clone(),
        hop.port.as_ref().map(|port| format!("port {port}")),
        hidden.map(|ttl| format!("ttl {ttl}")),
        hop.changed_tos.map(|tos| format!("tos {tos:#04x}")),
    ];
    let notes = notes.into_iter().flatten();
    notes
        .chain(labels.map(|label| format!("MPLS {} ttl {}", label.number, label.ttl)))
        .chain(interfaces.filter_map(|interface| {
            let name = interface.name.as_ref()?;
            Some(format!("{} {}", interface.role, Word(name)))
        }))
        .collect()
}

/// TTLs before whose routers there is another translator of addresses than before those nearer.
pub(super) fn translators<'a>(heard: impl Iterator<Item = &'a Hop>) -> Vec<u8> {
    // An answer that quotes nothing shows no translator.
    let quoting = heard.filter(|hop| hop.quoted_ttl.is_some());
    first_changed(quoting.map(|hop| (hop.ttl, hop.translated.clone())))
}

/// Why a hop is silent at times although it forwards, if it is notably.
pub(super) fn reluctance(loss: HopLoss, limit: Option<Limit>) -> Option<String> {
    let silent = percent(loss.missed);
    match limit {
        Some(Limit { burst, every }) if loss.missed > loss.lost => {
            // More digits than that are the timing of the rounds.
            let every = rounded(every);
            let burst = burst.map_or_else(String::new, |burst| format!("{burst} at once, then "));
            Some(format!(
                "rate-limited: answers {burst}one per {every:?}; {silent} unanswered"
            ))
        }
        _ if loss.reluctant && loss.missed >= 1.0 => Some("silent".to_owned()),
        _ if loss.reluctant => Some(format!("rate-limited or busy: {silent} unanswered")),
        _ => None,
    }
}

/// To two digits, of milliseconds at least.
fn rounded(time: Duration) -> Duration {
    let mut unit = 1;
    while time.as_millis() / unit >= 100 {
        unit *= 10;
    }
    let count = (time.as_micros() + unit * 500) / (unit * 1_000);
    Duration::from_millis((count * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_limits_answers_is_rounded_to_two_digits() {
        for (time, expected) in [
            (999_000, "1s"),
            (1_004_000, "1s"),
            (1_250_000, "1.3s"),
            (104_000, "100ms"),
            (19_600, "20ms"),
            (2_400, "2ms"),
        ] {
            let rounded = rounded(Duration::from_micros(time));
            assert_eq!(format!("{rounded:?}"), expected);
        }
    }

    #[test]
    fn a_router_that_never_answers_is_silent_and_not_limited() {
        for (missed, expected) in [
            (1.0, "silent"),
            (0.9, "rate-limited or busy: 90% unanswered"),
        ] {
            let loss = HopLoss {
                missed,
                lost: 0.0,
                reluctant: true,
            };
            assert_eq!(reluctance(loss, None).as_deref(), Some(expected));
        }
    }
}
