//! What does the sink do where nobody said for whom?

use std::io;

use leadsman_core::{Stage, Staged};
use serde_json::json;

/// Opens a sink for the one address to which the demonstration sends.
pub(super) fn stage(stage: &Stage<'_>) -> io::Result<Staged> {
    Ok(Staged {
        options: json!({ "listen": stage.listen, "recipients": [RECIPIENT], "hostname": "sink.localhost" }),
        target: stage.listen.to_string(),
    })
}

const RECIPIENT: &str = "probe@sink.localhost";
