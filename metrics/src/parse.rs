//! Can a strict reader read what we write?
//!
//! For tests only, and stricter than Prometheus: a family stands in one piece behind its head, a
//! series occurs once, buckets add up. It panics with the offending line.

use std::collections::{BTreeMap, BTreeSet};

use crate::Format;

/// What an exposition says.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Name and kind, in the order written.
    pub(crate) families: Vec<(String, String)>,
    /// Value of each series, by its name and labels as written.
    pub(crate) samples: BTreeMap<String, f64>,
}

/// Reads an exposition, or panics.
pub(crate) fn parse(format: Format, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut names = BTreeSet::new();
    let mut bucket = 0.0;
    let text = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("it ends with # EOF"),
    };
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line has an end"
    );
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect(line);
            assert!(!help.is_empty(), "{line}");
            let kind = lines.next().and_then(|l| l.strip_prefix("# TYPE "));
            let kind = kind.and_then(|l| l.strip_prefix(name)).expect(line);
            assert!(names.insert(name.to_owned()), "{name} stands in two pieces");
            assert!(
                lines.peek().is_some_and(|l| !l.starts_with('#')),
                "{name} is empty"
            );
            parsed
                .families
                .push((name.to_owned(), kind.trim().to_owned()));
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let (name, _) = read_series(series);
        let (family, kind) = parsed.families.last().expect("a head comes first");
        assert!(
            suffixes(format, kind)
                .iter()
                .any(|s| name == format!("{family}{s}")),
            "{line}"
        );
        match kind.as_str() {
            "counter" => assert!(value >= 0.0, "{line}"),
            "histogram" if name.ends_with("_bucket") => {
                assert!(value >= bucket, "{line}");
                bucket = value;
            }
            "histogram" if name.ends_with("_count") => {
                assert_eq!(value, bucket, "{line}");
                bucket = 0.0;
            }
            _ => {}
        }
        let before = parsed.samples.insert(series.to_owned(), value);
        assert_eq!(before, None, "{line}");
    }
    parsed
}

/// Name and labels of a series as written.
pub(crate) fn read_series(series: &str) -> (&str, Vec<(String, String)>) {
    let Some((name, rest)) = series.split_once('{') else {
        return (series, Vec::new());
    };
    let mut rest = rest.strip_suffix('}').expect(series);
    let mut labels = Vec::new();
    loop {
        let (label, text) = rest.split_once("=\"").expect(series);
        assert!(
            label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            "{series}"
        );
        assert!(labels.iter().all(|(other, _)| other != label), "{series}");
        let mut value = String::new();
        let mut letters = text.chars();
        loop {
            match letters.next().expect(series) {
                '"' => break,
                '\\' => value.push(match letters.next().expect(series) {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    _ => panic!("{series}"),
                }),
                c => value.push(c),
            }
        }
        labels.push((label.to_owned(), value));
        match letters.as_str() {
            "" => return (name, labels),
            more => rest = more.strip_prefix(',').expect(series),
        }
    }
}

fn suffixes(format: Format, kind: &str) -> &'static [&'static str] {
    match (kind, format) {
        ("counter", Format::OpenMetrics) => &["_total"],
        ("info", Format::OpenMetrics) => &["_info"],
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        ("counter", Format::Text) | ("gauge", _) => &[""],
        _ => panic!("unknown kind {kind}"),
    }
}
