//! Which addresses do the names of a sweep have?
//!
//! Many are looked up at once, by the rules of any probe. A name without an address is told of and
//! counted; it keeps nobody else from being asked.

use std::net::IpAddr;
use std::sync::Arc;

use leadsman_core::{Fault, Resolve, Stop};
use tokio::task::JoinSet;

use super::report::Report;
use super::targets::Targets;

/// Looks all names up and adds those found, in the order given. A stop leaves out the rest.
pub(super) async fn look_up(
    targets: &mut Targets,
    resolver: Arc<dyn Resolve>,
    stop: &Stop,
    report: &mut Report,
) {
    let names = targets.take_names();
    let mut found: Vec<Option<IpAddr>> = vec![None; names.len()];
    let (mut next, mut done) = (0, 0);
    let mut flights: JoinSet<(usize, Result<Vec<IpAddr>, Fault>)> = JoinSet::new();
    while done < names.len() {
        while next < names.len() && flights.len() < AT_ONCE {
            let name = targets.name(&names[next]).to_owned();
            let (resolver, preference, index) = (Arc::clone(&resolver), targets.preference(), next);
            flights.spawn(async move { (index, preference.look_up(&name, &*resolver).await) });
            next += 1;
        }
        let landed = tokio::select! {
            landed = flights.join_next() => landed.expect("there are names to be looked up"),
            () = stop.requested() => break,
        };
        let (index, addresses) = landed.expect("a look-up neither panics nor is aborted");
        match addresses {
            Ok(addresses) => found[index] = addresses.first().copied(),
            Err(fault) => report.nameless(targets.name(&names[index]), &fault),
        }
        done += 1;
        report.looked_up(done, names.len());
    }
    for (name, address) in names.into_iter().zip(found) {
        if let Some(address) = address {
            targets.found(name, address);
        }
    }
}

/// Names that are looked up at the same time. Each asks for both families, and the resolver has
/// room for 64 questions.
const AT_ONCE: usize = 32;
