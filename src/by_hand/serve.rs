//! How is a responder run because a person asked for it?
//!
//! It serves until a signal ends it. What it serves, and how, is its own affair.

use leadsman_core::Stopper;

use super::{ByHandError, Outcome, interruptible};
use crate::responders::Wanted;
use crate::terminal::Terminal;

/// Opens a responder, says where it is, and serves until SIGINT or SIGTERM; a second signal does
/// not wait for what it has begun.
pub(crate) async fn serve_by_hand(
    wanted: Wanted,
    mut terminal: Terminal,
) -> Result<Outcome, ByHandError> {
    let name = wanted.plugin.name();
    let opened = wanted.options.open().await;
    let responder = opened.map_err(|why| ByHandError::Open(name, why))?;
    let greeting = format!("{name}: serving on {}\n", responder.address());
    terminal.print(&greeting).map_err(ByHandError::Output)?;
    let (stopper, stop) = Stopper::new();
    let served = async {
        let ended = responder.serve(stop).await;
        ended.map_err(|why| ByHandError::Serve(name, why))?;
        Ok(Outcome::Answered)
    };
    interruptible(served, &stopper).await
}
