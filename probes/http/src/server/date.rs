//! What time is it?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;
use tokio::time::Instant;

/// The time as answers tell it (RFC 9110, section 5.6.7), written once a second.
#[derive(Debug, Default)]
pub(super) struct Date {
    written: String,
    /// When it is no more what it was.
    until: Option<Instant>,
}

impl Date {
    /// The time at `now`, which has to be the present.
    pub(super) fn at(&mut self, now: Instant) -> &str {
        if self.until.is_none_or(|until| now >= until) {
            let passed = SystemTime::now().duration_since(UNIX_EPOCH);
            let passed = passed.unwrap_or_default();
            let of_second = Duration::from_nanos(passed.subsec_nanos().into());
            self.until = Some(now + SECOND - of_second);
            self.written = HttpDate::from(UNIX_EPOCH + passed).to_string();
        }
        &self.written
    }
}

const SECOND: Duration = Duration::from_secs(1);
