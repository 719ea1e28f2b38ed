//! What has the file server done so far?
//!
//! Every thread counts for itself, so that counting costs no lock and no other processor's cache;
//! who reads adds the threads up. What becomes of the numbers is the host's affair.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::{Method, StatusCode};
use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Count, Meter, Sample};

/// What one thread has done.
#[derive(Debug)]
pub(super) struct Counts {
    /// By status, from 100 on, and in each by method.
    requests: Box<[[AtomicU64; METHODS.len()]]>,
    begun: AtomicU64,
    ended: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) unlogged: AtomicU64,
    came: AtomicU64,
    went: AtomicU64,
    rejected: [AtomicU64; REASONS.len()],
    took: [AtomicU64; BUCKETS.len() + 1],
    took_nanos: AtomicU64,
}

/// Why a peer was not served to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// There were too many connections.
    Full,
    /// It sent what is not HTTP, or a head too large.
    Malformed,
    /// It took too long for the head of a request.
    Head,
    /// It took nothing of an answer for too long.
    Stall,
}

/// What all threads have done.
#[derive(Debug)]
pub(super) struct Tally(pub(super) Vec<Arc<Counts>>);

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: (0..STATUSES).map(|_| Default::default()).collect(),
            begun: AtomicU64::default(),
            ended: AtomicU64::default(),
            sent: AtomicU64::default(),
            unlogged: AtomicU64::default(),
            came: AtomicU64::default(),
            went: AtomicU64::default(),
            rejected: Default::default(),
            took: Default::default(),
            took_nanos: AtomicU64::default(),
        }
    }
}

impl Counts {
    /// A request is being answered.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// It is not any more, for an answer with this status if there was one, after so long.
    pub(super) fn end(&self, method: &Method, status: Option<StatusCode>, took: Duration) {
        self.ended.fetch_add(1, Relaxed);
        let Some(status) = status else { return };
        let row = usize::from(status.as_u16()).saturating_sub(LOWEST);
        if let Some(row) = self.requests.get(row) {
            let known = METHODS.iter().position(|known| *known == method.as_str());
            row[known.unwrap_or(METHODS.len() - 1)].fetch_add(1, Relaxed);
        }
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        self.took[bucket].fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.took_nanos.fetch_add(nanos, Relaxed);
    }

    /// A peer was let in.
    pub(super) fn come(&self) {
        self.came.fetch_add(1, Relaxed);
    }

    /// A peer that was let in has gone.
    pub(super) fn go(&self) {
        self.went.fetch_add(1, Relaxed);
    }

    /// A peer was not served to the end.
    pub(super) fn reject(&self, why: Rejected) {
        self.rejected[why as usize].fetch_add(1, Relaxed);
    }
}

impl Tally {
    fn sum(&self, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        self.0.iter().map(|counts| of(counts).load(Relaxed)).sum()
    }

    /// How many are there of those that came and went. Read in this order, it is never negative.
    fn present(
        &self,
        gone: impl Fn(&Counts) -> &AtomicU64,
        come: impl Fn(&Counts) -> &AtomicU64,
    ) -> f64 {
        let gone = self.sum(gone);
        self.sum(come).saturating_sub(gone) as f64
    }
}

impl Meter for Tally {
    fn read(&self) -> Vec<Sample> {
        let plain = |metric, value| sample(metric, [], value);
        let mut samples = vec![
            plain(&SENT, self.sum(|counts| &counts.sent) as f64),
            plain(&UNLOGGED, self.sum(|counts| &counts.unlogged) as f64),
            plain(&IN_FLIGHT, self.present(|c| &c.ended, |c| &c.begun)),
            plain(&CONNECTIONS, self.present(|c| &c.went, |c| &c.came)),
            plain(&ACCEPTED, self.sum(|counts| &counts.came) as f64),
            Sample {
                metric: &DURATION,
                labels: Vec::new(),
                count: Count::Observed {
                    buckets: (0..=BUCKETS.len())
                        .map(|at| self.sum(|counts| &counts.took[at]))
                        .collect(),
                    sum: Duration::from_nanos(self.sum(|c| &c.took_nanos)).as_secs_f64(),
                },
            },
        ];
        samples.extend(REASONS.iter().enumerate().map(|(at, reason)| {
            let count = self.sum(|counts| &counts.rejected[at]);
            sample(&REJECTED, [Cow::Borrowed(*reason)], count as f64)
        }));
        for row in 0..STATUSES {
            for (at, method) in METHODS.iter().enumerate() {
                let count = self.sum(|counts| &counts.requests[row][at]);
                // There are thousands, of which a server gives a few.
                if count > 0 || (row + LOWEST, at) == (200, 0) {
                    let code = (row + LOWEST).to_string();
                    let labels = [Cow::Owned(code), Cow::Borrowed(*method)];
                    samples.push(sample(&REQUESTS, labels, count as f64));
                }
            }
        }
        samples
    }
}

fn sample<const N: usize>(
    metric: &'static Metric,
    labels: [Cow<'static, str>; N],
    value: f64,
) -> Sample {
    Sample {
        metric,
        labels: labels.into(),
        count: Count::Number(value),
    }
}

/// All that is counted.
pub(super) static METRICS: [&Metric; 8] = [
    &REQUESTS,
    &SENT,
    &IN_FLIGHT,
    &CONNECTIONS,
    &ACCEPTED,
    &DURATION,
    &REJECTED,
    &UNLOGGED,
];

static REQUESTS: Metric = Metric::of_responder(
    "leadsman_http_server_requests_total",
    "Requests that were answered, by status and method.",
    MetricKind::Counter,
    &["code", "method"],
);
static SENT: Metric = Metric::of_responder(
    "leadsman_http_server_sent_bytes_total",
    "Bytes of content handed over to connections.",
    MetricKind::Counter,
    &[],
);
static IN_FLIGHT: Metric = Metric::of_responder(
    "leadsman_http_server_requests_in_flight",
    "Requests whose answer has not been handed over as a whole.",
    MetricKind::Gauge,
    &[],
);
static CONNECTIONS: Metric = Metric::of_responder(
    "leadsman_http_server_connections",
    "Connections that are open.",
    MetricKind::Gauge,
    &[],
);
static ACCEPTED: Metric = Metric::of_responder(
    "leadsman_http_server_connections_total",
    "Connections that were let in.",
    MetricKind::Counter,
    &[],
);
static REJECTED: Metric = Metric::of_responder(
    "leadsman_http_server_rejects_total",
    "Connections that were not served to the end, by reason.",
    MetricKind::Counter,
    &["reason"],
);
static UNLOGGED: Metric = Metric::of_responder(
    "leadsman_http_server_log_lost_total",
    "Lines of the access log that were lost because nobody took them.",
    MetricKind::Counter,
    &[],
);
static DURATION: Metric = Metric {
    buckets: BUCKETS,
    ..Metric::of_responder(
        "leadsman_http_server_duration_seconds",
        "Time from the head of a request until its answer was handed over as a whole.",
        MetricKind::Histogram,
        &[],
    )
};

/// In the order of [`Rejected`].
const REASONS: [&str; 4] = ["full", "malformed", "head", "stall"];
/// Methods that are told apart; the last stands for all others.
const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "other"];
/// The lowest status there is, and how many there are from it on (RFC 9110, section 15).
const LOWEST: usize = 100;
const STATUSES: usize = 500;
/// Seconds; a file from memory takes some microseconds.
const BUCKETS: &[f64] = &[
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5, 10.0,
];
