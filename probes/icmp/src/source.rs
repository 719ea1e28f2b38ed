//! Which round trips may stand in one series?
//!
//! Those from one source: others have other errors, and a histogram of both would show the change
//! of the source as a change of the network. Decides only what is observed; a reply counts
//! whatever its round trip is worth.

use leadsman_wire::RttSource;

/// The source that a flow's round trips are observed from.
///
/// It is the best seen, until only worse ones have come for a while: then the way of the packets
/// has changed, for example to a device that makes no stamps.
#[derive(Debug, Default)]
pub(crate) struct Standard {
    source: Option<RttSource>,
    /// Round trips from worse sources since the last one that met the standard, and the best of
    /// those sources.
    worse: Option<(u32, RttSource)>,
}

impl Standard {
    /// Whether a round trip from `source` may be observed; from then on only such as good.
    pub(crate) fn admits(&mut self, source: RttSource) -> bool {
        if self.source.is_none_or(|standard| standard <= source) {
            *self = Self {
                source: Some(source),
                worse: None,
            };
            return true;
        }
        let (count, best) = self.worse.unwrap_or((0, source));
        let (count, best) = (count + 1, best.max(source));
        self.worse = Some((count, best));
        if count == PATIENCE {
            *self = Self {
                source: Some(best),
                worse: None,
            };
        }
        false
    }
}

/// The values of the label `source`, from the worst to the best.
pub(crate) const LABELS: &[&str] = &["user", "kernel_receive", "kernel"];

/// The value of the label `source`.
pub(crate) fn label(source: RttSource) -> &'static str {
    LABELS[source as usize]
}

/// Worse round trips in a row after which no better ones are expected.
const PATIENCE: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    use RttSource::{Kernel, KernelReceive, User};

    /// Each source as often as said, with how many of those are observed.
    #[track_caller]
    fn check(samples: &[(RttSource, u32, u32)]) {
        let mut standard = Standard::default();
        for (source, times, observed) in samples {
            let admitted = (0..*times).filter(|_| standard.admits(*source)).count();
            assert_eq!(admitted, *observed as usize, "{source:?} in {samples:?}");
        }
    }

    #[test]
    fn a_source_has_its_label() {
        let labels = [User, KernelReceive, Kernel].map(label);
        assert_eq!(labels, LABELS);
    }

    #[test]
    fn what_is_worse_than_usual_is_kept_apart() {
        check(&[(Kernel, 5, 5), (User, 1, 0), (Kernel, 5, 5)]);
        check(&[(KernelReceive, 1, 1), (Kernel, 3, 3), (KernelReceive, 1, 0)]);
    }

    #[test]
    fn a_lasting_change_for_the_worse_is_accepted() {
        check(&[(Kernel, 1, 1), (User, 16, 0), (User, 9, 9), (Kernel, 1, 1)]);
        check(&[(Kernel, 1, 1), (User, 15, 0), (Kernel, 1, 1), (User, 15, 0)]);
    }

    #[test]
    fn the_standard_falls_to_the_best_of_what_came() {
        check(&[
            (Kernel, 1, 1),
            (User, 8, 0),
            (KernelReceive, 1, 0),
            (User, 7, 0),
            (User, 1, 0),
            (KernelReceive, 1, 1),
        ]);
    }
}
