//! What are the mean and the spread of many numbers?
//!
//! By B. P. Welford's method (Technometrics 4, 1962), so that nothing overflows and no digits are
//! lost however many there are and however large they all are.

/// Mean and deviation of the numbers added so far.
#[derive(Debug, Default)]
pub(super) struct Moments {
    count: u64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// The arithmetic mean; `None` of none.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The standard deviation of these numbers as a whole population; `None` of none.
    pub(super) fn population_deviation(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }

    /// The standard deviation of whatever these numbers are a sample of, which divides by one less;
    /// `None` of fewer than two.
    pub(super) fn sample_deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}
