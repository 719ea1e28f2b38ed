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
            let every = Duration::from_millis(every.as_millis() as u64);
            let burst = burst.map_or_else(String::new, |burst| format!("{burst} at once, then "));
            Some(format!(
                "rate-limited: answers {burst}one per {every:?}; {silent} unanswered"
            ))
        }
        _ if loss.reluctant => Some(format!("rate-limited or busy: {silent} unanswered")),
        _ => None,
    }
}
