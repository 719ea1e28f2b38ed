//! Does a scrape tell what was recorded, at any moment and to any reader?

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use leadsman_core::metric::{Counter, Gauge, Info, RTT_BUCKETS};
use leadsman_core::{Cause, Fault, Recording};

use super::*;
use crate::fixture::{
    NoOptions, PACKETS, PEER, PHASE, PLUGIN, RTT, SENT, WAIT, failure, run, scraped, store,
};
use crate::parse::{Parsed, parse, read_series};
use crate::series_per_target;

fn target(address: &str, labels: &[(&str, &str)]) -> Target {
    let labels = labels
        .iter()
        .map(|&(name, value)| (name.into(), value.into()));
    Target {
        labels: labels.collect(),
        ..Target::new(address)
    }
}

/// The samples of one target, or of all that carry `labels`.
fn lines(store: &Store, labels: &str) -> Vec<String> {
    let text = scraped(store, Format::Text);
    let lines = text.lines().filter(|line| line.contains(labels));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_scrape_reads_like_this() {
    let store = store();
    let series = store.track(
        "edge",
        &PLUGIN,
        PLUGIN.layout(),
        &target("192.0.2.1", &[("site", "fra")]),
    );
    let _unused = store.track("edge", &PLUGIN, PLUGIN.layout(), &target("192.0.2.2", &[]));
    series.finished(&run(failure(Cause::Timeout), |recording| {
        recording.add(&SENT, None, 2.0);
        recording.add(&PACKETS, Some("ok"), 1.0);
        recording.set(&PHASE, Some("rtt"), f64::NAN);
        recording.observe(&RTT, 0.25);
        recording.inform(&PEER, &["192.0.2.1", "b"]);
    }));
    for (format, file) in [
        (Format::Text, "scrape.txt"),
        (Format::OpenMetrics, "scrape.openmetrics"),
    ] {
        let text = scraped(&store, format);
        parse(format, &text);
        let mut is_target = false;
        // The program's own families come and go with the machine.
        let shown = text.split_inclusive('\n').filter(|line| {
            if line.starts_with("# HELP ") {
                is_target = line.starts_with("# HELP probe_");
            }
            is_target || *line == "# EOF\n"
        });
        let shown: String = shown.collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/store")
            .join(file);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &shown).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert_eq!(
            shown, expected,
            "{file}: run this test with UPDATE=1 to rewrite it"
        );
    }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let store = store();
    let series = store.track(
        "edge",
        &PLUGIN,
        PLUGIN.layout(),
        &target("192.0.2.1", &[("site", "a\"\\\n")]),
    );
    series.finished(&run(Ok(()), |recording| {
        recording.inform(&PEER, &["\0", "\r\u{7f}"]);
    }));
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let must_not = env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_some();
        assert!(
            !must_not,
            "there is no promtool, and nothing may be skipped"
        );
        println!("SKIPPED: there is no promtool");
        return;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(scraped(&store, Format::Text).as_bytes())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn families_are_sorted_and_stand_in_one_piece_over_many_chunks() {
    let store = store();
    let all: Vec<Series> = (0..500)
        .map(|n| {
            store.track(
                "edge",
                &PLUGIN,
                PLUGIN.layout(),
                &target(&format!("192.0.2.{n}"), &[]),
            )
        })
        .collect();
    assert!(store.scrape(Format::Text).count() > 10);
    let parsed = parse(Format::Text, &scraped(&store, Format::Text));
    assert!(parsed.families.is_sorted(), "{:?}", parsed.families);
    let of_targets = parsed
        .samples
        .keys()
        .filter(|series| series.contains("target="));
    // Three gauges of every probe, the look-up's three, two phases and two infos are absent.
    let absent = 3 + 3 + 2 + 2;
    assert_eq!(
        of_targets.count(),
        all.len() * (series_per_target(&PLUGIN, PLUGIN.layout(), |_| None) - absent)
    );
    assert_eq!(
        parsed.samples["leadsman_series"],
        (all.len() * series_per_target(&PLUGIN, PLUGIN.layout(), |_| None)) as f64
    );
}

#[test]
fn hostile_labels_come_back_as_they_were() {
    let hostile = [
        "",
        "\"} 1\nfake 1",
        "\\",
        "\\n",
        "a,b=\"c\"",
        "{}",
        "é\u{202e}",
        "# EOF\n",
        "\0\r",
    ];
    for value in hostile {
        let store = store();
        let series = store.track(
            value,
            &PLUGIN,
            PLUGIN.layout(),
            &target(value, &[("site", value)]),
        );
        series.finished(&run(Ok(()), |recording| {
            recording.inform(&PEER, &[value, value]);
        }));
        for format in [Format::Text, Format::OpenMetrics] {
            let parsed = parse(format, &scraped(&store, format));
            let info = parsed.samples.keys().find(|s| s.contains("peer_info"));
            let (_, labels) = read_series(info.unwrap());
            let expected = ["probe", "target", "site", "address", "name"];
            assert_eq!(
                labels,
                expected.map(|name| (name.to_owned(), value.to_owned()))
            );
        }
    }
}

#[test]
fn series_live_as_long_as_someone_holds_them() {
    let store = store();
    let site = |value| target("192.0.2.1", &[("site", value)]);
    let runs = |labels| {
        let lines = lines(&store, labels);
        let runs = lines
            .iter()
            .find_map(|line| line.strip_prefix("probe_runs_total{"));
        runs.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
    };
    let first = store.track("edge", &PLUGIN, PLUGIN.layout(), &site("fra"));
    first.finished(&run(Ok(()), |_| {}));
    let again = store.track("edge", &PLUGIN, PLUGIN.layout(), &site("fra"));
    again.finished(&run(Ok(()), |_| {}));
    drop(first);
    assert_eq!(runs("fra").as_deref(), Some("2"));

    let other = store.track("edge", &PLUGIN, PLUGIN.layout(), &site("ams"));
    assert_eq!(runs("ams").as_deref(), Some("0"));
    drop(again);
    assert_eq!(runs("fra"), None);
    assert_eq!(runs("ams").as_deref(), Some("0"));
    drop(other);
    assert_eq!(lines(&store, "target="), Vec::<String>::new());

    let anew = store.track("edge", &PLUGIN, PLUGIN.layout(), &site("fra"));
    assert_eq!(runs("fra").as_deref(), Some("0"));
    drop(anew);
}

#[test]
fn with_other_buckets_the_histogram_starts_anew_and_all_else_goes_on() {
    let store = store();
    let host = target("192.0.2.1", &[]);
    let record = |layout, wait| {
        let mut recording = Recording::new(layout);
        recording.add(&SENT, None, 1.0);
        recording.observe(&WAIT, wait);
        Run {
            recording,
            ..run(Ok(()), |_| {})
        }
    };
    let shown = || {
        let lines = lines(&store, "192.0.2.1");
        let of = |name: &str| {
            let lines = lines.iter().filter(|line| line.starts_with(name));
            lines
                .map(|l| l.replace("probe=\"edge\",target=\"192.0.2.1\"", ""))
                .collect::<Vec<_>>()
        };
        (of("probe_test_sent_total").concat(), of("probe_test_wait"))
    };
    let before = store.track("edge", &PLUGIN, PLUGIN.layout(), &host);
    before.finished(&record(PLUGIN.layout(), 0.2));
    assert_eq!(shown().1.len(), RTT_BUCKETS.len() + 3);

    let layout = PLUGIN.layout_with(&[0.05, 0.3]);
    let after = store.track("edge", &PLUGIN, layout, &host);
    after.finished(&record(layout, 0.1));
    // A run that was in flight: there is no series any more that it could count in.
    before.finished(&record(PLUGIN.layout(), 0.2));
    let (sent, wait) = shown();
    assert_eq!(sent, "probe_test_sent_total{} 2");
    let expected = [
        "probe_test_wait_seconds_bucket{,le=\"0.05\"} 0",
        "probe_test_wait_seconds_bucket{,le=\"0.3\"} 1",
        "probe_test_wait_seconds_bucket{,le=\"+Inf\"} 1",
        "probe_test_wait_seconds_sum{} 0.1",
        "probe_test_wait_seconds_count{} 1",
    ];
    assert_eq!(wait, expected);
    for format in [Format::Text, Format::OpenMetrics] {
        parse(format, &scraped(&store, format));
    }
    assert_eq!(series_per_target(&PLUGIN, layout, |_| Some(0)), 0);
    assert!(
        series_per_target(&PLUGIN, layout, |_| None)
            < series_per_target(&PLUGIN, PLUGIN.layout(), |_| None)
    );
}

#[test]
fn series_that_nobody_holds_do_not_pile_up_without_a_scrape() {
    let store = store();
    let held: Vec<_> = (0..10)
        .map(|n| {
            store.track(
                "edge",
                &PLUGIN,
                PLUGIN.layout(),
                &target(&format!("held-{n}"), &[]),
            )
        })
        .collect();
    for n in 0..1000 {
        drop(store.track(
            "edge",
            &PLUGIN,
            PLUGIN.layout(),
            &target(&format!("gone-{n}"), &[]),
        ));
    }
    let known = store.lock().by_labels.len();
    assert!(known <= 2 * held.len() + 1, "{known}");
}

#[test]
fn an_undeclared_cause_appears_once_it_has_counted() {
    let store = store();
    let series = store.track("edge", &PLUGIN, PLUGIN.layout(), &target("192.0.2.1", &[]));
    let failures = || -> Vec<String> {
        let lines = lines(&store, "target=").into_iter();
        let failures = lines.filter_map(|line| {
            let (_, reason) = line
                .strip_prefix("probe_failures_total")?
                .split_once("reason=")?;
            Some(reason.to_owned())
        });
        failures.collect()
    };
    assert_eq!(failures(), [r#""refused"} 0"#, r#""timeout"} 0"#]);
    series.finished(&run(failure(Cause::Tls), |_| {}));
    assert_eq!(
        failures(),
        [r#""refused"} 0"#, r#""timeout"} 0"#, r#""tls"} 1"#]
    );
}

#[test]
fn gauges_are_of_the_last_run_and_absent_if_it_did_not_set_them() {
    let store = store();
    let series = store.track("edge", &PLUGIN, PLUGIN.layout(), &target("192.0.2.1", &[]));
    let present = |name: &str| {
        lines(&store, "target=")
            .iter()
            .any(|line| line.starts_with(name))
    };
    let own = || Err(Fault::own(std::io::Error::from_raw_os_error(1)));
    let measured = |recording: &mut Recording| {
        recording.set(&PHASE, Some("rtt"), 0.1);
        recording.inform(&PEER, &["a", "b"]);
    };
    series.finished(&run(Ok(()), measured));
    for name in [
        "probe_success{",
        "probe_test_duration_seconds{",
        "probe_test_peer_info{",
    ] {
        assert!(present(name), "{name}");
    }
    series.finished(&run(own(), |_| {}));
    for name in [
        "probe_success{",
        "probe_test_duration_seconds{",
        "probe_test_peer_info{",
    ] {
        assert!(!present(name), "{name}");
    }
    assert!(present("probe_duration_seconds{") && present("probe_last_run_timestamp_seconds{"));
}

#[test]
fn a_scrape_shows_the_moment_it_was_taken_however_slowly_it_is_read() {
    let store = store();
    let series = store.track("edge", &PLUGIN, PLUGIN.layout(), &target("192.0.2.1", &[]));
    let mut stalled = store.scrape(Format::Text);
    let begin = stalled.next().unwrap();
    for _ in 0..3 {
        series.finished(&run(Ok(()), |_| {}));
    }
    drop(series);
    let rest = stalled.flatten();
    let text = String::from_utf8(begin.into_iter().chain(rest).collect()).unwrap();
    let parsed = parse(Format::Text, &text);
    assert_eq!(
        parsed.samples[r#"probe_runs_total{probe="edge",target="192.0.2.1"}"#],
        0.0
    );
    assert_eq!(lines(&store, "target="), Vec::<String>::new());
}

#[test]
fn every_scrape_adds_up_while_runs_are_recorded() {
    let store = store();
    let all: Vec<Series> = (0..40)
        .map(|n| {
            store.track(
                "edge",
                &PLUGIN,
                PLUGIN.layout(),
                &target(&format!("192.0.2.{n}"), &[]),
            )
        })
        .collect();
    thread::scope(|scope| {
        let recorders: Vec<_> = all
            .chunks(20)
            .map(|mine| {
                scope.spawn(move || {
                    for _ in 0..5000 {
                        let series = &mine[fastrand::usize(..mine.len())];
                        series.finished(&random_run());
                    }
                })
            })
            .collect();
        // Some readers stall, so that several snapshots are held at once.
        let mut stalled = Vec::new();
        while recorders.iter().any(|recorder| !recorder.is_finished()) {
            let mut scrape = store.scrape(Format::Text);
            let begin = scrape.next().unwrap();
            stalled.push((begin, scrape));
            if stalled.len() > 3 {
                let (begin, rest) = stalled.swap_remove(fastrand::usize(..stalled.len()));
                let text: Vec<u8> = begin.into_iter().chain(rest.flatten()).collect();
                assert_adds_up(&parse(Format::Text, &String::from_utf8(text).unwrap()));
            }
        }
    });
    let parsed = parse(Format::Text, &scraped(&store, Format::Text));
    assert_eq!(assert_adds_up(&parsed), 10_000.0);
}

fn random_run() -> Run {
    let result = match fastrand::u8(..3) {
        0 => Ok(()),
        1 => failure(Cause::Timeout),
        _ => Err(Fault::own(std::io::Error::from_raw_os_error(1))),
    };
    run(result, |recording| {
        for _ in 0..fastrand::u8(..5) {
            let lost = fastrand::bool();
            recording.add(&SENT, None, 1.0);
            recording.add(&PACKETS, Some(if lost { "lost" } else { "ok" }), 1.0);
            if !lost {
                recording.observe(&RTT, fastrand::f64());
            }
        }
    })
}

/// Checks each target's numbers against each other, and returns how many runs there were.
fn assert_adds_up(parsed: &Parsed) -> f64 {
    let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
    for (series, value) in &parsed.samples {
        let (name, labels) = read_series(series);
        let mut labels = labels.into_iter();
        if let Some((_, target)) = labels.find(|(name, _)| name == "target") {
            let fate = labels
                .find(|(name, _)| name == "fate")
                .map(|(_, fate)| fate);
            let name = format!("{name}{}", fate.unwrap_or_default());
            *sums.entry((target, name)).or_default() += value;
        }
    }
    let of = |target: &String, name: &str| {
        let sum = sums.get(&(target.clone(), name.to_owned()));
        sum.copied().unwrap_or_default()
    };
    let targets: Vec<_> = sums.keys().map(|(target, _)| target).collect();
    for target in targets {
        let of = |name| of(target, name);
        let answered = of("probe_test_packets_totalok");
        assert_eq!(
            of("probe_test_sent_total"),
            answered + of("probe_test_packets_totallost")
        );
        assert_eq!(answered, of("probe_test_rtt_seconds_count"));
        let failed = of("probe_failures_total") + of("probe_internal_errors_total");
        assert_eq!(
            of("probe_runs_total"),
            of("probe_run_duration_seconds_count")
        );
        assert!(failed <= of("probe_runs_total"));
    }
    let runs = sums
        .iter()
        .filter(|((_, name), _)| name == "probe_runs_total");
    runs.map(|(_, value)| value).sum()
}

#[test]
fn plugins_share_a_family_only_if_it_means_the_same() {
    static SAME: Counter = Counter::new("probe_test_sent_total", "Packets sent.");
    static HELP: Counter = Counter::new("probe_test_sent_total", "Packages sent.");
    static LABELS: Counter =
        Counter::new("probe_test_sent_total", "Packets sent.").by(&["fate"], &["ok"]);
    static CORE: Gauge = Gauge::new("probe_success", "Mine.");
    static OURS: Gauge = Gauge::new("leadsman_targets", "Mine.");
    static MALFORMED: Gauge = Gauge::new("probe-rtt", "Mine.");
    static BUCKET: Gauge = Gauge::new("probe_test_rtt_seconds_bucket", "Mine.");
    static TARGET: Gauge = Gauge::new("probe_hop", "Mine.").by(&["target"], &["a"]);
    static SUFFIX: Counter = Counter::new("probe_packets", "Mine.");

    static PLUGINS: [(Plugin, Option<&str>); 9] = [
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&SAME]),
            None,
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&HELP]),
            Some("of the probes test and other: give both the same kind"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&LABELS]),
            Some("of the probes test and other: give both the same kind"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&CORE]),
            Some("probe_success of the probe other: it has a metric of that name"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&OURS]),
            Some("leadsman_targets of the probe other: choose another name"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&MALFORMED]),
            Some("probe-rtt of the probe other: choose another name"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&BUCKET]),
            Some("probe_test_rtt_seconds_bucket of the probe other: choose another name"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&TARGET]),
            Some("probe_hop of the probe other: choose another name or other labels"),
        ),
        (
            Plugin::new::<NoOptions>("other", "").metrics(&[&SUFFIX]),
            Some("probe_packets of the probe other: the name must end in _total"),
        ),
    ];
    for (plugin, expected) in &PLUGINS {
        let outcome = Store::new([&PLUGIN, plugin], Own::new("1")).map_err(|e| e.to_string());
        match (outcome, expected) {
            (Ok(store), None) => {
                let _one = store.track("a", &PLUGIN, PLUGIN.layout(), &target("192.0.2.1", &[]));
                let _other = store.track("b", plugin, plugin.layout(), &target("192.0.2.1", &[]));
                parse(Format::Text, &scraped(&store, Format::Text));
                assert_eq!(
                    lines(&store, "192.0.2.1")
                        .iter()
                        .filter(|l| l.starts_with("probe_test_sent"))
                        .count(),
                    2
                );
            }
            (Err(why), Some(expected)) => assert!(why.contains(expected), "{why}"),
            (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn labels_that_the_configuration_names_stand_behind_those_of_the_target() {
    static SAID: Info = Info::open("probe_test_said_info", "What was said.");
    static OPEN: Plugin = Plugin::new::<NoOptions>("open", "Nothing").metrics(&[&SAID]);
    let store = Store::new([&OPEN], Own::new("1")).unwrap();
    let series = store.track(
        "edge",
        &OPEN,
        OPEN.layout(),
        &target("a", &[("site", "fra")]),
    );
    for (labels, expected) in [
        (&[("version", "1\"")][..], ",version=\"1\\\"\""),
        (&[("probe", "x"), ("site", "x"), ("b", "2")], ",b=\"2\""),
        (&[], ""),
    ] {
        let mut recording = Recording::new(OPEN.layout());
        recording.inform_as(&SAID, labels);
        series.finished(&Run {
            plugin: &OPEN,
            recording,
            ..run(Ok(()), |_| {})
        });
        let own = "probe=\"edge\",target=\"a\",site=\"fra\"";
        let expected = format!("probe_test_said_info{{{own}{expected}}} 1");
        assert!(lines(&store, own).contains(&expected), "{expected}");
        parse(Format::Text, &scraped(&store, Format::Text));
    }
}
