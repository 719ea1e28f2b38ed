//! Which run does a request for a log mean?
//!
//! By number, or the newest one of a target. A module's name tells runs of the same target apart;
//! so does the name of a scheduled probe. The status codes are `blackbox_exporter`'s.

use std::sync::Arc;

use hyper::{Response, StatusCode, Uri};

use super::query::Query;
use super::reply::{Body, text};
use super::transcript::transcript;
use crate::history::{Entry, History};

/// Why no log is shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum LogsError {
    #[error("Say which run: /logs?id=N, or /logs?target=ADDRESS with or without &module=NAME")]
    Which,
    #[error("Give either id or target, not both")]
    Both,
    #[error("No result with id {0} is kept")]
    NoSuchId(u64),
    #[error("No result for target {0:?} is kept")]
    NoSuchTarget(String),
}

/// Answers with the log of the run that `uri` means.
pub(super) fn answer(history: &History, uri: &Uri) -> Response<Body> {
    match find(history, uri) {
        Ok(entry) => text(StatusCode::OK, transcript(&entry)),
        Err(why) => text(why.status(), format!("{why}\n")),
    }
}

fn find(history: &History, uri: &Uri) -> Result<Arc<Entry>, LogsError> {
    let query = Query::of(uri);
    let id = query.value("id").and_then(|id| id.parse().ok());
    let module = query.value("module");
    match (id, query.value("target")) {
        (None, None) => Err(LogsError::Which),
        (Some(_), Some(_)) => Err(LogsError::Both),
        (Some(id), None) => history.by_id(id).ok_or(LogsError::NoSuchId(id)),
        (None, Some(target)) => history
            .newest(|entry| {
                *entry.run.target.address == *target
                    && module.is_none_or(|name| entry.asked.name() == name)
            })
            .ok_or_else(|| LogsError::NoSuchTarget(target.to_owned())),
    }
}

impl LogsError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Which | Self::Both => StatusCode::BAD_REQUEST,
            Self::NoSuchId(_) | Self::NoSuchTarget(_) => StatusCode::NOT_FOUND,
        }
    }
}
