//! What does the sink do where nobody said for whom?

use std::io;
use std::time::Duration;

use leadsman_core::{Stage, Staged};
use serde_json::json;

/// Opens a sink for one address, to which the probe sends.
#[expect(
    clippy::unnecessary_wraps,
    reason = "others have something to write first"
)]
pub(super) fn stage(stage: &Stage<'_>) -> io::Result<Staged> {
    let sink =
        json!({ "listen": stage.listen, "recipients": [RECIPIENT], "hostname": "sink.localhost" });
    let probe = json!({
        "server": stage.listen,
        "send": true,
        // What nobody should do to the servers of others is fine for one of this program.
        "allow_private": true,
        "allow_frequent": true,
        "min_interval": "1s",
    });
    Ok(Staged::new(sink, RECIPIENT).asked(probe, INTERVAL))
}

const RECIPIENT: &str = "probe@sink.localhost";
const INTERVAL: Duration = Duration::from_secs(10);
