//! What do many round trips come to?
//!
//! Mean and deviation are Welford's; `mdev` is ping(8)'s word for the deviation of the population,
//! `sdev` divides by one less, as a sample's does. Percentiles are by nearest rank. What depends on
//! the order of the requests is in [`course`]. Delay variation has two forms, compared in RFC 5481:
//! that of neighbours (RFC 3393, here by its size) and that from the shortest round trip.

mod course;
mod moments;
mod percentiles;

use std::time::Duration;

pub(crate) use course::{Arrivals, Course, Fate};
use moments::Moments;
use percentiles::Percentiles;

/// Everything that is known of the requests to one host.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    last: Option<Duration>,
    min: Option<Duration>,
    max: Option<Duration>,
    /// Of the round trips, in seconds.
    moments: Moments,
    trips: Percentiles,
    course: Course,
    /// Of the sizes of the variations, in seconds.
    variation: Moments,
    variations: Percentiles,
    arrivals: Arrivals,
    reordered: u64,
    loss_periods: u64,
    longest_loss: u64,
}

impl Statistics {
    /// A request was sent; they are told in ascending order.
    pub(crate) fn sent(&mut self, sequence: u64) {
        self.course.sent(sequence);
    }

    /// A request that was sent has ended; each is told once.
    pub(crate) fn ended(&mut self, sequence: u64, fate: Fate) {
        if let Fate::Received(rtt) = fate {
            self.arrived(sequence);
            if let Some(rtt) = rtt {
                self.add(rtt);
            }
        }
        self.course.ended(sequence, fate);
        while let Some(step) = self.course.step() {
            if let Some(variation) = step.variation {
                self.variation.add(variation.abs());
                self.variations
                    .add(Duration::from_secs_f64(variation.abs()));
            }
            self.loss_periods += u64::from(step.loss_begins);
            self.longest_loss = self.longest_loss.max(self.course.losses());
        }
    }

    /// The first reply came for a request that had ended before.
    pub(crate) fn late(&mut self, sequence: u64) {
        self.arrived(sequence);
    }

    /// The last round trip; `None` before the first, as with all that follow.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// The shortest.
    pub(crate) fn min(&self) -> Option<Duration> {
        self.min
    }

    /// The longest.
    pub(crate) fn max(&self) -> Option<Duration> {
        self.max
    }

    /// The arithmetic mean.
    pub(crate) fn mean(&self) -> Option<Duration> {
        self.moments.mean().map(Duration::from_secs_f64)
    }

    /// The standard deviation of the population.
    pub(crate) fn mdev(&self) -> Option<Duration> {
        let deviation = self.moments.population_deviation();
        deviation.map(Duration::from_secs_f64)
    }

    /// The standard deviation of a sample; `None` until there are two round trips.
    pub(crate) fn sdev(&self) -> Option<Duration> {
        self.moments.sample_deviation().map(Duration::from_secs_f64)
    }

    /// The smallest round trip that at least `percent` of 100 do not exceed.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        self.trips.percentile(percent)
    }

    /// RFC 3550's jitter; `None` until two neighbours were answered, as with the next two.
    pub(crate) fn jitter(&self) -> Option<Duration> {
        self.course.jitter().map(Duration::from_secs_f64)
    }

    /// The mean size of RFC 3393's variation between neighbours.
    pub(crate) fn ipdv_mean(&self) -> Option<Duration> {
        self.variation.mean().map(Duration::from_secs_f64)
    }

    /// The smallest size of such a variation that at least `percent` of 100 do not exceed.
    pub(crate) fn ipdv_percentile(&self, percent: u64) -> Option<Duration> {
        self.variations.percentile(percent)
    }

    /// The same of RFC 5481's variation, which is that from the shortest round trip.
    pub(crate) fn pdv_percentile(&self, percent: u64) -> Option<Duration> {
        // All lie above the same minimum, so their order is that of the round trips.
        Some(self.percentile(percent)?.saturating_sub(self.min?))
    }

    /// First replies that came after one to a later request (RFC 4737).
    pub(crate) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Times that requests were lost in a row, be it one (RFC 3357).
    pub(crate) fn loss_periods(&self) -> u64 {
        self.loss_periods
    }

    /// Requests in the longest of these.
    pub(crate) fn longest_loss(&self) -> u64 {
        self.longest_loss
    }

    fn arrived(&mut self, sequence: u64) {
        self.reordered += u64::from(self.arrivals.is_reordered(sequence));
    }

    fn add(&mut self, rtt: Duration) {
        self.last = Some(rtt);
        self.min = Some(self.min.map_or(rtt, |min| min.min(rtt)));
        self.max = Some(self.max.map_or(rtt, |max| max.max(rtt)));
        self.moments.add(rtt.as_secs_f64());
        self.trips.add(rtt);
    }
}

#[cfg(test)]
mod tests;
