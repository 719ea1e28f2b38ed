//! What does a run need from the host, whether it is scheduled or asked for?

use std::sync::Arc;

use leadsman_core::Resolve;
use leadsman_metrics::Own;

use crate::cli::LogLevel;
use crate::follow_up::FollowUps;
use crate::history::History;

/// What a run needs from the host beside its order.
#[derive(Debug)]
pub(crate) struct Services {
    /// Looks up names, with one cache for all.
    pub(crate) resolver: Arc<dyn Resolve>,
    /// The program's own metrics.
    pub(crate) own: Own,
    /// The last results.
    pub(crate) history: History,
    /// Follows targets that start to fail.
    pub(crate) follow_ups: FollowUps,
    /// The severity at which is logged what probes say that are asked for over the web.
    pub(crate) log_prober: Option<LogLevel>,
}
