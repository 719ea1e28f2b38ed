//! How are names, labels and numbers spelt on the wire?
//!
//! Both formats, for the series of targets and the program's own alike. Nothing here knows where a
//! value comes from.

use leadsman_core::metric::MetricKind;
use memchr::{memchr2, memchr3};

use crate::Format;

/// Appends the `HELP` and `TYPE` lines of a family.
pub(crate) fn push_head(
    out: &mut String,
    format: Format,
    name: &str,
    help: &str,
    kind: MetricKind,
) {
    let name = match format {
        Format::Text => name,
        Format::OpenMetrics => open_metrics_name(name, kind),
    };
    let kind = match (kind, format) {
        (MetricKind::Counter, _) => "counter",
        (MetricKind::Histogram, _) => "histogram",
        (MetricKind::Info, Format::OpenMetrics) => "info",
        (MetricKind::Gauge | MetricKind::Info, _) => "gauge",
    };
    for part in ["# HELP ", name, " "] {
        out.push_str(part);
    }
    match format {
        // The older format takes a quotation mark in a help text as it is.
        Format::Text => push_escaped(out, help, Special::OfHelp),
        Format::OpenMetrics => push_escaped(out, help, Special::OfLabels),
    }
    for part in ["\n# TYPE ", name, " ", kind, "\n"] {
        out.push_str(part);
    }
}

/// The name of a family in `OpenMetrics`, where `_total` and `_info` belong to the sample.
pub(crate) fn open_metrics_name(name: &str, kind: MetricKind) -> &str {
    let suffix = suffix(kind).unwrap_or_default();
    name.strip_suffix(suffix).unwrap_or(name)
}

/// What the names of a kind end in.
pub(crate) const fn suffix(kind: MetricKind) -> Option<&'static str> {
    match kind {
        MetricKind::Counter => Some("_total"),
        MetricKind::Info => Some("_info"),
        MetricKind::Gauge | MetricKind::Histogram => None,
    }
}

/// Appends one sample as a line; fit for where few are written.
pub(crate) fn push_sample<'a>(
    out: &mut String,
    name: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    value: f64,
) {
    out.push_str(name);
    let mut separator = '{';
    for (label, text) in labels {
        out.push(separator);
        push_label(out, label, text);
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    out.push(' ');
    push_number(out, value);
    out.push('\n');
}

/// Appends `name="value"`, whatever is in the value.
pub(crate) fn push_label(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    push_escaped(out, value, Special::OfLabels);
    out.push('"');
}

/// Whether a label of this name is among `labels`, which are as [`push_label`] writes them.
pub(crate) fn has_label(labels: &str, name: &str) -> bool {
    let mut rest = labels;
    while let Some((found, value)) = rest.split_once("=\"") {
        if found == name {
            return true;
        }
        let mut escaped = false;
        let end = value.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        rest = end.map_or("", |end| value[end + 1..].trim_start_matches(','));
    }
    false
}

/// Appends a sample's value: an integer without exponent, else the shortest digits that read back
/// as the same number.
pub(crate) fn push_number(out: &mut String, value: f64) {
    let integer = value as i64;
    if (integer as f64).to_bits() == value.to_bits() && integer.unsigned_abs() < EXACT {
        out.push_str(itoa::Buffer::new().format(integer));
    } else if value.is_finite() {
        out.push_str(zmij::Buffer::new().format_finite(value));
    } else if value.is_nan() {
        out.push_str("NaN");
    } else {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
}

/// Appends the upper bound of a bucket as Go would: other exporters' buckets then match ours to the
/// letter, and `OpenMetrics` calls this form canonical.
pub(crate) fn push_bound(out: &mut String, format: Format, bound: f64) {
    if bound.is_infinite() {
        out.push_str("+Inf");
        return;
    }
    let scientific = format!("{bound:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("this notation always has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a small integer");
    if (-4..6).contains(&exponent) {
        let plain = bound.to_string();
        out.push_str(&plain);
        if format == Format::OpenMetrics && !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        out.push_str(digits);
        out.push_str(if exponent < 0 { "e-" } else { "e+" });
        let exponent = exponent.unsigned_abs();
        if exponent < 10 {
            out.push('0');
        }
        out.push_str(itoa::Buffer::new().format(exponent));
    }
}

/// Which characters have a meaning of their own.
#[derive(Clone, Copy)]
enum Special {
    /// The backslash and the end of the line.
    OfHelp,
    /// The same and the quotation mark.
    OfLabels,
}

impl Special {
    /// The first of them. Looked for as bytes, many at once: no byte of a longer character is one of
    /// ASCII's.
    fn first_in(self, text: &str) -> Option<usize> {
        match self {
            Self::OfHelp => memchr2(b'\\', b'\n', text.as_bytes()),
            Self::OfLabels => memchr3(b'\\', b'\n', b'"', text.as_bytes()),
        }
    }
}

/// Appends a text with a backslash before each special character.
fn push_escaped(out: &mut String, mut text: &str, special: Special) {
    while let Some(at) = special.first_in(text) {
        out.push_str(&text[..at]);
        out.push_str(match text.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        text = &text[at + 1..];
    }
    out.push_str(text);
}

/// Integers below this are all representable in an f64.
const EXACT: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_read_back_as_the_same() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (1_234_567_890.0, "1234567890"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.000_123, "0.000123"),
            (1_763_827_200.25, "1763827200.25"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, expected);
        }
        for _ in 0..10_000 {
            let value = f64::from_bits(fastrand::u64(..));
            let mut out = String::new();
            push_number(&mut out, value);
            let back: f64 = out.parse().unwrap();
            assert!(back == value || back.is_nan() && value.is_nan(), "{out}");
        }
    }

    #[test]
    fn bounds_are_written_as_go_writes_them() {
        for (bound, text, open_metrics) in [
            (1e-5, "1e-05", "1e-05"),
            (2.5e-5, "2.5e-05", "2.5e-05"),
            (1e-4, "0.0001", "0.0001"),
            (0.25, "0.25", "0.25"),
            (0.0, "0", "0.0"),
            (1.0, "1", "1.0"),
            (30.0, "30", "30.0"),
            (100_000.0, "100000", "100000.0"),
            (1e6, "1e+06", "1e+06"),
            (1_048_576.0, "1.048576e+06", "1.048576e+06"),
            (1e100, "1e+100", "1e+100"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ] {
            for (format, expected) in [(Format::Text, text), (Format::OpenMetrics, open_metrics)] {
                let mut out = String::new();
                push_bound(&mut out, format, bound);
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn hostile_label_values_stay_inside_their_quotation_marks() {
        for (value, expected) in [
            ("", r#"l="""#),
            ("plain", r#"l="plain""#),
            ("a\"} 1\nfake{", r#"l="a\"} 1\nfake{""#),
            (r"\", r#"l="\\""#),
            (r"\n", r#"l="\\n""#),
            ("\0é\r", "l=\"\0é\r\""),
        ] {
            let mut out = String::new();
            push_label(&mut out, "l", value);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_label_is_found_by_its_name_alone() {
        let mut labels = String::new();
        for (name, value) in [("probe", "a,b=\"1\""), ("target", "\\"), ("site", "fra")] {
            push_label(&mut labels, name, value);
            labels.push(',');
        }
        let labels = labels.trim_end_matches(',');
        for (name, expected) in [
            ("probe", true),
            ("target", true),
            ("site", true),
            ("b", false),
            ("fra", false),
            ("", false),
        ] {
            assert_eq!(has_label(labels, name), expected, "{name}");
        }
        assert!(!has_label("", "a"));
    }

    #[test]
    fn a_help_text_is_one_line_in_either_format() {
        let help = "A \"b\" \\ c\nd";
        for (format, expected) in [
            (
                Format::Text,
                "# HELP x_total A \"b\" \\\\ c\\nd\n# TYPE x_total counter\n",
            ),
            (
                Format::OpenMetrics,
                "# HELP x A \\\"b\\\" \\\\ c\\nd\n# TYPE x counter\n",
            ),
        ] {
            let mut out = String::new();
            push_head(&mut out, format, "x_total", help, MetricKind::Counter);
            assert_eq!(out, expected);
        }
    }
}
