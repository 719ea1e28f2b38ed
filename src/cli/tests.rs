//! Is what people type understood, and is what they read as checked in?

mod plugins;

use std::env;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use self::plugins::{BUOY, ECHO, LEAD, LOG, SONAR};
use super::run::DoorArgs;
use super::*;
use crate::by_hand::Shown;
use crate::config::Compatibility;
use crate::terminal::{Size, Terminal};
use crate::web::Prefix;

fn registry() -> Registry {
    Registry::of([&LEAD, &LOG, &ECHO, &SONAR], [&BUOY]).unwrap()
}

fn given(line: &str) -> Result<Ask, clap::Error> {
    given_before(Audience::Watching, line)
}

fn given_before(audience: Audience, line: &str) -> Result<Ask, clap::Error> {
    let words = std::iter::once("leadsman").chain(line.split(' ').filter(|word| !word.is_empty()));
    ask(&registry(), words.map(OsString::from), audience)
}

fn complaint(line: &str) -> String {
    complaint_before(Audience::Watching, line)
}

fn complaint_before(audience: Audience, line: &str) -> String {
    let error = given_before(audience, line).err();
    let error = error.unwrap_or_else(|| panic!("{line:?} was accepted"));
    assert_eq!(error.exit_code(), 2, "{line:?}");
    error.to_string()
}

fn run(line: &str) -> RunArgs {
    match given(line) {
        Ok(Ask::Run(args)) => args,
        other => panic!("{line:?}: {other:?}"),
    }
}

/// The options that a command line leads to, as JSON.
fn options(flags: &str) -> serde_json::Value {
    options_before(Audience::Watching, flags)
}

fn options_before(audience: Audience, flags: &str) -> serde_json::Value {
    let shown = complaint_before(audience, &format!("heave {flags} show"));
    let (_, json) = shown
        .split_once("show: ")
        .unwrap_or_else(|| panic!("{shown}"));
    serde_json::from_str(json.lines().next().unwrap()).unwrap()
}

/// Compares with a file in `tests/golden`; the environment variable `UPDATE` writes it anew.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        actual, expected,
        "{name} is out of date: run the tests with UPDATE=1 and look"
    );
}

#[test]
fn the_tree_is_sound() {
    tree(&registry()).debug_assert();
}

#[test]
fn the_command_of_a_plugin_reads_the_same_alone() {
    let registry = registry();
    let help = |tree: Command, verb: &str| {
        let tree = tree.term_width(80);
        let help = tree.try_get_matches_from(["leadsman", verb, "--help"]);
        help.expect_err("help is handed out as an error")
            .to_string()
    };
    for (_, offer) in offered(&registry) {
        let (plugin, offer) = wanted(&registry, Some(&offer.name.into())).expect("a plugin's");
        let alone = branch(
            plugin,
            offer,
            &Properties::new(plugin, offer),
            Wording::Full,
        );
        assert_eq!(alone.get_subcommands().count(), 1);
        assert_eq!(help(alone, offer.name), help(tree(&registry), offer.name));
    }
    assert!(wanted(&registry, Some(&"run".into())).is_none());
    assert!(wanted(&registry, None).is_none());
}

#[test]
fn flags_are_recognized_without_words() {
    let registry = registry();
    for (plugin, offer) in offered(&registry) {
        let properties = Properties::new(plugin, offer);
        let written = |wording| -> Vec<String> {
            let flags = properties.flags(wording).map(|flag| {
                let (short, long) = (flag.get_short(), flag.get_long());
                format!(
                    "{} {short:?} {long:?} {:?}",
                    flag.get_id(),
                    flag.get_action()
                )
            });
            flags.collect()
        };
        assert_eq!(written(Wording::Bare), written(Wording::Full));
        let bare = branch(plugin, offer, &properties, Wording::Bare);
        bare.debug_assert();
    }
}

#[test]
fn what_people_read_is_as_checked_in() {
    let help = |line: &str| {
        // The width of whatever terminal the tests run in must not matter.
        let tree = tree(&registry()).term_width(80);
        let words = std::iter::once("leadsman").chain(line.split(' '));
        let help = tree.try_get_matches_from(words);
        help.expect_err("help is handed out as an error")
            .to_string()
    };
    golden("help.txt", &help("--help"));
    golden("help-command.txt", &help("heave -h"));
    golden("help-command-long.txt", &help("heave --help"));
    golden("help-serve.txt", &help("moor -h"));
    golden("help-sweep.txt", &help("listen -h"));
    golden("list.txt", &list::table(&registry(), |_| false, 80));
    golden("list.json", &list::json(&registry(), |_| true));
    let file = Terminal::test(std::io::sink(), None::<fn() -> Size>);
    let screen = Terminal::test(
        std::io::sink(),
        Some(|| Size {
            columns: 80,
            rows: 24,
        }),
    );
    golden("explain.md", &explain::manual(&registry(), "heave", &file));
    golden("explain.txt", &explain::manual(&registry(), "log", &screen));
}

#[test]
fn argument_of_a_responder_is_one_of_its_options() {
    let Ok(Ask::Serve(wanted)) = given("moor 7 --links 30") else {
        panic!("it is a responder's command");
    };
    let expected = serde_json::json!({ "depth": 7, "links": 30 });
    assert_eq!(wanted.options.shown(), expected);
    assert!(complaint("moor").contains("<DEPTH>"));
    assert!(complaint("moor 7 --depth 8").contains("'--depth'"));
    assert!(complaint("moor 7 --links many").contains("--links: "));
    assert!(complaint("moor deep").contains("depth: "));
}

#[test]
fn without_a_command_it_runs() {
    let plain = RunArgs {
        config: None,
        listen: vec![],
        door: DoorArgs::default(),
        auto_reload: None,
        timeout_offset: None,
        history_limit: None,
        compatibility: None,
        log_level: LogLevel::Info,
        log_format: LogFormat::Logfmt,
        log_prober: None,
    };
    assert_eq!(run(""), plain);
    assert_eq!(run("run"), plain);
    let own = RunArgs {
        config: Some("a.yml".into()),
        listen: vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()],
        ..plain.clone()
    };
    assert_eq!(
        run("run -c a.yml --listen 127.0.0.1:1 --listen [::1]:2"),
        own
    );
    assert_eq!(
        run("--config=a.yml --listen=127.0.0.1:1 --listen=[::1]:2"),
        own
    );
}

#[test]
fn a_service_file_of_blackbox_exporter_is_understood() {
    let args = run(
        "--config.file=/etc/blackbox.yml --web.listen-address=:9115 --web.listen-address=[::1]:1 \
         --timeout-offset=0.25 --history.limit=7 --log.level=warn --log.format json \
         --web.config.file=web.yml --web.external-url=https://example.com/x --log.prober=info \
         --config.enable-auto-reload --config.auto-reload-interval=10s \
         --web.compatibility=blackbox",
    );
    let expected = RunArgs {
        config: Some("/etc/blackbox.yml".into()),
        listen: vec![":9115".parse().unwrap(), "[::1]:1".parse().unwrap()],
        door: DoorArgs {
            access: Some("web.yml".into()),
            prefix: Prefix::of("https://example.com/x", "").unwrap(),
            systemd: false,
        },
        auto_reload: Some(Duration::from_secs(10)),
        timeout_offset: Some(Duration::from_millis(250)),
        history_limit: Some(7),
        compatibility: Some(Compatibility::Blackbox),
        log_level: LogLevel::Warn,
        log_format: LogFormat::Json,
        log_prober: Some(LogLevel::Info),
    };
    assert_eq!(args, expected);
    let empty = run(
        "--web.config.file= --web.external-url= --web.route-prefix=/ \
                     --config.auto-reload-interval=30",
    );
    assert_eq!((empty.door, empty.auto_reload), (DoorArgs::default(), None));
    assert!(run("--web.systemd-socket").door.systemd);
    for (line, expected) in [
        ("--config.check", None),
        ("--config.file=x --config.check", Some("x")),
        ("check x", Some("x")),
        ("check --explain x", Some("x")),
        ("check", None),
    ] {
        match given(line) {
            Ok(Ask::Check(args)) => {
                assert_eq!(args.file.as_deref(), expected.map(Path::new), "{line}");
                assert_eq!(args.explain, line.contains("--explain"), "{line}");
            }
            other => panic!("{line:?}: {other:?}"),
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    for (line, expected) in [
        (
            "--web.external-url='http://x/y'",
            "is not a URL at which this program can be found",
        ),
        ("--config.auto-reload-interval=0", "longer than 0"),
        ("--config.auto-reload-interval=soon", "not a duration"),
        ("--web.systemd-socket --listen :1", "cannot be used with"),
        ("run --log.prober loud", "none, debug, info, warn, error"),
        ("--listen 9115", "write HOST:PORT, such as 127.0.0.1:9115"),
        (
            "--listen localhost:http",
            "`localhost:http` is not an address to serve on",
        ),
        ("--listen ::1:9115", "such as 127.0.0.1:9115 or [::1]:9115"),
        (
            "--timeout-offset=1s",
            "write a number of seconds, such as 0.5",
        ),
        ("-c a --config.file=b", "cannot be used with"),
        ("-c a list", "cannot be used with"),
        ("haeve x", "a similar subcommand exists: 'heave'"),
        ("explain laed", "a similar value exists: 'lead'"),
    ] {
        let complaint = complaint(line);
        assert!(complaint.contains(expected), "{line}: {complaint}");
    }
}

#[test]
fn what_nobody_watches_has_defaults_of_its_own() {
    for (flags, count) in [("", 3), ("-c 5", 5), ("-c 0", 0)] {
        let options = options_before(Audience::Absent, flags);
        assert_eq!(
            (&options["count"], &options["wait"]),
            (&count.into(), &"5s".into())
        );
    }
}

#[test]
fn flags_become_options_above_the_defaults_of_the_command() {
    let usual = serde_json::json!({
        "count": 0, "wait": "5s", "arming": "tallow", "call": true, "source": null,
        "preferred_ip_protocol": "ip6", "ip_protocol_fallback": true, "depth": 0.0,
        "timeout": "2s", "line": { "length": 0 }, "marks": [2, 3, 5],
    });
    assert_eq!(options(""), usual);
    for (flags, changes) in [
        ("-c 5 --wait=1m", &[("count", "5"), ("wait", "\"1m\"")][..]),
        (
            "--call=false --arming none",
            &[("call", "false"), ("arming", "\"none\"")],
        ),
        ("--unarmed", &[("arming", "\"none\"")]),
        ("-N", &[("arming", "\"none\"")]),
        ("-N -T", &[("arming", "\"tallow\"")]),
        ("-N --arming tallow", &[("arming", "\"tallow\"")]),
        ("--arming tallow -N", &[("arming", "\"none\"")]),
        ("--call --source ::1", &[("source", "\"::1\"")]),
        ("-M not", &[("call", "false")]),
        ("--call=false -M aloud", &[]),
        (
            "--depth -1.5 -W 3s",
            &[("depth", "-1.5"), ("timeout", "\"3s\"")],
        ),
        (
            "-4",
            &[
                ("preferred_ip_protocol", "\"ip4\""),
                ("ip_protocol_fallback", "false"),
            ],
        ),
        (
            "-4 -6",
            &[
                ("preferred_ip_protocol", "\"ip6\""),
                ("ip_protocol_fallback", "false"),
            ],
        ),
        (
            "--preferred-ip-protocol ip4",
            &[("preferred_ip_protocol", "\"ip4\"")],
        ),
        (
            "-o line.length=20 -o marks=[7]",
            &[("line", "{\"length\":20}"), ("marks", "[7]")],
        ),
    ] {
        let mut expected = usual.clone();
        for (name, value) in changes {
            expected[*name] = serde_json::from_str(value).unwrap();
        }
        assert_eq!(options(flags), expected, "{flags}");
    }
}

#[test]
fn mistakes_are_told_all_at_once_beside_the_flag() {
    for (line, expected) in [
        (
            "heave --count x a",
            &["--count: expected a whole number from 0 to "][..],
        ),
        ("heave -W 3x a", &["-W: unknown unit \"x\" in a duration"]),
        (
            "heave --source here -o line.lenght=1 a",
            &[
                "--source: ",
                "-o line: unknown key `lenght` (did you mean `length`?)",
            ],
        ),
        ("heave nowhere a", &["nowhere: there is no such water"]),
        ("heave -c 13 a b", &["--count: brings bad luck\n\nUsage"]),
        (
            "heave --arming talow a",
            &["a similar value exists: 'tallow'"],
        ),
        (
            "heave --timeout 3x a",
            &["unknown unit \"x\" in a duration"],
        ),
        ("stream --timeout 3 a", &["a duration needs a unit"]),
        ("heave", &["<WATER>..."]),
        ("heave -f hosts", &["unexpected argument '-f'"]),
        ("heave 192.0.2.0/24 -c 13", &["--count: brings bad luck"]),
        ("listen", &["<SHIP>..."]),
        ("listen -au a", &["cannot be used with"]),
        ("listen --rate 0 a", &["--rate"]),
        (
            "listen --sweep a/ 192.0.2.0/8 b",
            &[
                "a/: not the name or address of a host",
                "192.0.2.0/8: the range holds more than",
            ],
        ),
        (
            "listen --sweep --noise 1 a",
            &["--noise: must be more than 1\n\nUsage"],
        ),
        (
            "listen -a --passive a",
            &["these options leave no room for a sweep"],
        ),
    ] {
        let complaint = complaint(line);
        for part in expected {
            assert!(
                complaint.contains(part),
                "{line}: no {part:?} in {complaint}"
            );
        }
    }
}

#[test]
fn a_request_by_hand_is_ready_to_be_carried_out() {
    for (line, targets, timeout, json) in [
        ("heave a b", &["a", "b"][..], Duration::MAX, false),
        (
            "heave --timeout 3s --json a",
            &["a"],
            Duration::from_secs(3),
            true,
        ),
        ("stream 7 a", &["a"], Duration::from_secs(10), false),
        // As ping(8) has it.
        (
            "heave -w 1.5 -W 3 a",
            &["a"],
            Duration::from_millis(1500),
            false,
        ),
    ] {
        let Ok(Ask::ByHand(request)) = given(line) else {
            panic!("{line}");
        };
        let aimed: Vec<_> = request
            .aimed
            .iter()
            .map(|aimed| &*aimed.target.address)
            .collect();
        assert_eq!(
            (aimed.as_slice(), request.timeout, request.json),
            (targets, timeout, json)
        );
    }
}

#[test]
fn the_first_argument_may_be_an_option() {
    for (line, expected) in [
        ("stream 7", r#""depth":7.0"#),
        ("stream 8 a show", r#""depth":8.0"#),
        ("stream x", "expected a number"),
        ("stream", "<FATHOMS>"),
        ("stream 7 --depth 8", "unexpected argument '--depth'"),
    ] {
        let complaint = complaint(line);
        assert!(complaint.contains(expected), "{line}: {complaint}");
    }
    let mut tree = tree(&registry()).term_width(80);
    let help = tree.try_get_matches_from_mut(["leadsman", "stream", "-h"]);
    let help = help
        .expect_err("help is handed out as an error")
        .to_string();
    for expected in [
        "stream [OPTIONS] <FATHOMS> [SHIP]...",
        "<FATHOMS>  Depth in fathoms",
    ] {
        assert!(help.contains(expected), "{help}");
    }
}

#[test]
fn targets_are_swept_if_they_are_many_or_a_flag_asks_for_it() {
    let many = |count| format!("listen {}", vec!["a"; count].join(" "));
    for (line, swept) in [
        ("listen a b", None),
        ("listen --json --timeout 3s a", None),
        (&many(50), None),
        (&many(51), Some((51, Shown::All))),
        ("listen 192.0.2.0/29 a", Some((7, Shown::All))),
        ("listen ::1-::9", Some((9, Shown::All))),
        ("listen --sweep a", Some((1, Shown::All))),
        ("listen --rate 50 a", Some((1, Shown::All))),
        ("listen -f hosts", Some((0, Shown::All))),
        ("listen --file hosts a", Some((1, Shown::All))),
        ("listen -a a", Some((1, Shown::Answered))),
        ("listen -u a", Some((1, Shown::Unanswered))),
        ("listen --quiet a", None),
        ("listen --quiet --sweep a", Some((1, Shown::Nothing))),
        ("listen --quiet -a a", Some((1, Shown::Answered))),
    ] {
        let found = match given(line) {
            Ok(Ask::Sweep(sweep)) => Some((sweep.targets.len(), sweep.shown)),
            Ok(Ask::ByHand(_)) => None,
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(found, swept, "{line}");
    }
}

#[test]
fn a_sweep_is_ready_to_be_carried_out() {
    let line = "listen -4 -f hosts -f - --rate 500 --timeout 3s --json -r 7 192.0.2.1";
    let Ok(Ask::Sweep(sweep)) = given(line) else {
        panic!("{line}");
    };
    assert_eq!(sweep.files, [Path::new("hosts"), Path::new("-")]);
    assert_eq!(sweep.rate.map(NonZeroU32::get), Some(500));
    assert_eq!(sweep.timeout, Some(Duration::from_secs(3)));
    assert!(sweep.json);
    assert!(complaint("listen -4 ::/120").contains("the range is not of IPv4"));
}

#[test]
fn completions_and_manual_pages_know_the_plugins() {
    let directory = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::test(std::io::sink(), None::<fn() -> Size>);
    let pages = About::Man(Some(directory.path().to_owned()));
    pages.tell(&registry(), &mut terminal).unwrap();
    let page = fs::read_to_string(directory.path().join("leadsman-heave.1")).unwrap();
    assert!(page.contains("Depth of the water"), "{page}");
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut tree(&registry()), "leadsman", &mut script);
        assert!(
            String::from_utf8(script).unwrap().contains("arming"),
            "{shell}"
        );
    }
}
