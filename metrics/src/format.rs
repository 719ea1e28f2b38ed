//! Which format and which coding does a reader want?
//!
//! Pure functions of the headers `Accept` and `Accept-Encoding` (RFC 9110, section 12.5). A reader
//! that accepts nothing we have is given the text format all the same: a scrape that can perhaps
//! be read is worth more than a refusal.

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses by the value of `Accept`. A wildcard is read as a wish for plain text, so that a
    /// browser is shown something it can display.
    pub fn accepted(accept: &str) -> Self {
        let open_metrics = quality(accept, |range| match range.name {
            "application/openmetrics-text" if range.is_version("1.0.0") => Some(2),
            "application/*" => Some(1),
            _ => None,
        });
        let text = quality(accept, |range| match range.name {
            "text/plain" if range.is_version("0.0.4") => Some(2),
            "text/*" => Some(1),
            "*/*" => Some(0),
            _ => None,
        });
        let open_metrics = open_metrics.unwrap_or(0.0);
        if open_metrics > 0.0 && open_metrics >= text.unwrap_or(0.0) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Whether a reader with this `Accept-Encoding` wants gzip rather than the plain bytes.
pub fn gzip_accepted(accept_encoding: &str) -> bool {
    let coding = |wanted: [&'static str; 2]| {
        quality(accept_encoding, move |range| {
            if wanted.contains(&range.name) {
                Some(1)
            } else {
                (range.name == "*").then_some(0)
            }
        })
    };
    let gzip = coding(["gzip", "x-gzip"]).unwrap_or(0.0);
    if gzip <= 0.0 {
        return false;
    }
    let plain = quality(accept_encoding, |range| {
        (range.name == "identity").then_some(0)
    });
    gzip >= plain.unwrap_or(0.0)
}

/// One element of the header: `text/plain;version=0.0.4;q=0.5`.
struct Range<'a> {
    name: &'a str,
    parameters: &'a str,
}

impl<'a> Range<'a> {
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Whether it names this version, or none.
    fn is_version(&self, version: &str) -> bool {
        self.parameter("version").is_none_or(|v| v == version)
    }

    /// Its weight from 0 to 1; one that cannot be read counts as absent, which is 1.
    fn weight(&self) -> f64 {
        self.parameter("q")
            .and_then(|q| q.parse().ok())
            .filter(|q| (0.0..=1.0).contains(q))
            .unwrap_or(1.0)
    }
}

/// The weight of the most specific range that fits; `fits` tells how specific a range is.
fn quality(header: &str, fits: impl Fn(&Range<'_>) -> Option<u8>) -> Option<f64> {
    let header = header.to_ascii_lowercase();
    let ranges = header.split(',').filter_map(|element| {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        let range = Range {
            name: name.trim(),
            parameters,
        };
        Some((fits(&range)?, range.weight()))
    });
    // Of equally specific ranges the weightier one counts.
    let best = ranges.max_by(|a, b| a.partial_cmp(b).expect("weights are never NaN"));
    best.map(|(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_accept() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("image/png", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text; Version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "application/openmetrics-text;q=0.4,text/plain;q=0.5",
                Format::Text,
            ),
            ("application/openmetrics-text;q=0.5,*/*;q=0.9", Format::Text),
            (
                "application/openmetrics-text,text/plain;q=0,*/*",
                Format::OpenMetrics,
            ),
            ("application/*;q=0.8,*/*;q=0.1", Format::OpenMetrics),
            // A browser.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Format::Text,
            ),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            // Prometheus 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            ("text/plain;q=nan, ;;=,q", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_follows_accept_encoding() {
        for (accept, expected) in [
            ("", false),
            ("gzip", true),
            ("GZIP;q=0.5", true),
            ("x-gzip", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*;q=0", false),
            ("identity", false),
            ("gzip;q=0.5, identity", false),
            ("br, zstd", false),
        ] {
            assert_eq!(gzip_accepted(accept), expected, "{accept}");
        }
    }
}
