//! Which addresses do the names of a sweep have?
//!
//! Many are looked up at once, by the rules of any probe. A name without an address is told of and
//! counted; it keeps nobody else from being asked.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Fault, Resolve};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::end::End;
use super::report::Report;
use super::targets::{Name, Targets};

/// Looks all names up and adds those found, in the order given. The end leaves out the rest.
///
/// Without names this costs nothing: there is no runtime then, nor a resolver.
pub(super) fn look_up(
    targets: &mut Targets,
    resolver: impl FnOnce() -> Arc<dyn Resolve>,
    end: &End,
    report: &mut Report,
) -> io::Result<()> {
    let names = targets.take_names();
    if names.is_empty() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(ask(&names, targets, resolver(), end, report));
    runtime.shutdown_background();
    for (name, address) in names.into_iter().zip(found) {
        if let Some(address) = address {
            targets.found(name, address);
        }
    }
    Ok(())
}

/// Returns the address of each name that has one.
async fn ask(
    names: &[Name],
    targets: &Targets,
    resolver: Arc<dyn Resolve>,
    end: &End,
    report: &mut Report,
) -> Vec<Option<IpAddr>> {
    let mut found = vec![None; names.len()];
    let (mut next, mut done) = (0, 0);
    let mut flights: JoinSet<(usize, Result<Vec<IpAddr>, Fault>)> = JoinSet::new();
    while done < names.len() && !end.is_reached(Instant::now()) {
        while next < names.len() && flights.len() < AT_ONCE {
            let name = targets.name(&names[next]).to_owned();
            let (resolver, preference, index) = (Arc::clone(&resolver), targets.preference(), next);
            flights.spawn(async move { (index, preference.look_up(&name, &*resolver).await) });
            next += 1;
        }
        let landed = tokio::select! {
            landed = flights.join_next() => landed.expect("there are names to be looked up"),
            () = sleep(PATIENCE) => continue,
        };
        let (index, addresses) = landed.expect("a look-up neither panics nor is aborted");
        match addresses {
            Ok(addresses) => found[index] = addresses.first().copied(),
            Err(fault) => report.nameless(targets.name(&names[index]), &fault),
        }
        done += 1;
        report.looked_up(done, names.len());
    }
    found
}

/// Names that are looked up at the same time. Each asks for both families, and the resolver has
/// room for 64 questions.
const AT_ONCE: usize = 32;

/// As long as it is not looked whether the end is reached, while no name is found.
const PATIENCE: Duration = Duration::from_millis(100);
