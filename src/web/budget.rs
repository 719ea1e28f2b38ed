//! How long may a run asked for over the web take?
//!
//! The scraper says how long it waits, the module how long its probe may take, and an offset is
//! kept for the way back. The rules are `blackbox_exporter`'s, so that its modules mean the same
//! here. Keeping the timeout is the affair of whoever carries out the run.

use std::time::Duration;

use hyper::HeaderMap;

/// Why the scraper's timeout cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number of seconds")]
pub(super) struct BudgetError(String);

/// The timeout of a run: the module's, unless the scraper gives up before it.
///
/// Without the scraper's header it waits two minutes. If the offset takes up all that it waits,
/// the module's timeout stands, however long. A result of zero fails the run at once.
pub(super) fn budget(
    headers: &HeaderMap,
    module: Option<Duration>,
    offset: Duration,
) -> Result<Duration, BudgetError> {
    let waits = headers
        .get(HEADER)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .filter(|text| !text.is_empty());
    let waits = match waits {
        Some(text) => match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => seconds,
            _ => return Err(BudgetError(text.into_owned())),
        },
        None => 0.0,
    };
    let waits = if waits == 0.0 { UNSAID } else { waits };
    let most = waits - offset.as_secs_f64();
    let module = module.unwrap_or_default();
    let seconds = module.as_secs_f64();
    if most < 0.0 || (seconds > 0.0 && seconds < most) {
        return Ok(module);
    }
    Ok(Duration::try_from_secs_f64(most).unwrap_or(Duration::MAX))
}

/// Prometheus sends its `scrape_timeout` in this header.
const HEADER: &str = "x-prometheus-scrape-timeout-seconds";
/// How long a scraper waits that does not say so, in seconds.
const UNSAID: f64 = 120.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn budget_of(header: &str, module: f64, offset: f64) -> Result<f64, BudgetError> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, header.parse().unwrap());
        let module = (module > 0.0).then(|| Duration::from_secs_f64(module));
        budget(&headers, module, Duration::from_secs_f64(offset)).map(|d| d.as_secs_f64())
    }

    #[test]
    fn budget_is_the_module_timeout_unless_the_scraper_gives_up_first() {
        fn check(module: f64, header: &str, offset: f64, expected: f64) {
            let budget = budget_of(header, module, offset);
            assert_eq!(budget, Ok(expected), "{module} {header:?} {offset}");
        }
        check(0.0, "15", 0.5, 14.5);
        check(0.0, "15", 0.0, 15.0);
        check(20.0, "15", 0.5, 14.5);
        check(20.0, "15", 0.0, 15.0);
        check(5.0, "15", 0.0, 5.0);
        check(5.0, "15", 0.5, 5.0);
        check(10.0, "", 0.5, 10.0);
        check(10.0, "10", 0.5, 9.5);
        check(9.5, "", 0.5, 9.5);
        check(9.5, "", 1.0, 9.5);
        check(0.0, "", 0.5, 119.5);
        check(0.0, "", 0.0, 120.0);
        check(0.0, "0", 0.5, 119.5);
        // The offset takes up all that the scraper waits.
        check(3.0, "0.3", 0.5, 3.0);
        check(0.0, "0.3", 0.5, 0.0);
        check(3.0, "-1", 0.5, 3.0);
        check(0.0, "0.5", 0.5, 0.0);
    }

    #[test]
    fn scraper_that_waits_no_number_of_seconds_is_refused() {
        for header in ["soon", "10s", "1,5", "NaN", "inf", "1 0"] {
            let expected = Err(BudgetError(header.to_owned()));
            assert_eq!(budget_of(header, 5.0, 0.5), expected);
        }
    }

    #[test]
    fn endless_wait_does_not_overflow() {
        assert!(budget_of("1e300", 0.0, 0.5).is_ok());
    }
}
