//! Are good configurations read as meant, and broken ones told as the files in tests/broken say?

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use leadsman_core::metric::{Gauge, Histogram, RTT_BUCKETS};
use leadsman_core::options::{OptionsError, Period, Secret};
use leadsman_core::schemars::{self, JsonSchema};
use leadsman_core::{
    Context, Fault, Options, Plugin, Probe, Responder, ResponderOptions, ResponderPlugin, Target,
    async_trait,
};
use serde::{Deserialize, Serialize};

use super::*;

/// A plugin with every kind of option, which no protocol of this program has yet.
static SONAR: Plugin = Plugin::new::<Sonar>("sonar", "Depth").metrics(&[&DEPTH]);
static DEPTH: Gauge =
    Gauge::new("probe_sonar_depth_meters", "Depth.").by(&["side"], &["port", "starboard"]);
/// One with a histogram of round trips.
static RADAR: Plugin = Plugin::new::<Sonar>("radar", "Distance").metrics(&[&DISTANCE]);
static DISTANCE: Histogram = Histogram::new("probe_radar_rtt_seconds", "Time.", RTT_BUCKETS);
static BUOY: ResponderPlugin = ResponderPlugin::new::<Buoy>("buoy", "Answers");

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
struct Sonar {
    mode: Mode,
    wait: Option<Period>,
    password: Option<Secret>,
    source: Option<IpAddr>,
    echoes: Vec<Echo>,
    headers: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Ping,
    Chirp,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
struct Echo {
    after: u8,
    expect: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
struct Buoy {
    port: u16,
}

struct Ping;

#[async_trait]
impl Probe for Ping {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Options for Sonar {
    type Probe = Ping;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Ping, OptionsError> {
        if target.address.contains(' ') {
            return Err(OptionsError::new("a ship has no space in its name").help("remove it"));
        }
        match self.echoes.iter().position(|echo| echo.expect.is_empty()) {
            Some(at) => {
                let mut error = OptionsError::field("echoes", "an echo cannot be empty");
                error.path.push(leadsman_core::options::Step::Index(at));
                Err(error)
            }
            None => Ok(Ping),
        }
    }
}

#[async_trait]
impl ResponderOptions for Buoy {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        Err("a buoy does not float in a test".into())
    }
}

fn registry() -> Registry {
    let linked = Registry::linked().unwrap();
    let probes = linked.probes().iter().copied().chain([&SONAR, &RADAR]);
    let responders = linked.responders().iter().copied().chain([&BUOY]);
    Registry::of(probes, responders).unwrap()
}

fn parse(name: &str, text: &str) -> Result<(Config, Problems), Problems> {
    let variables = |name: &str| (name == "SITE").then(|| "fra".to_owned());
    Config::parse_with(name, text, &registry(), &variables)
}

fn parsed(text: &str) -> Config {
    match parse("test.yml", text) {
        Ok((config, _)) => config,
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

fn check_shown(text: &str, expected: &str) {
    let config = parsed(text);
    assert_eq!(config.shown(), expected);
    let again = config.shown().replace(Secret::MASK, "hunter2");
    assert_eq!(parsed(&again).shown(), expected, "shown again");
}

/// Each file in `tests/broken` says in its first line where its problems are; what is said about
/// them stands beside it. `UPDATE=1` writes the words anew, but never the places.
#[test]
fn every_broken_file_is_explained_at_the_right_place() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let entries = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .collect();
    files.sort();
    assert!(
        files.len() >= 30,
        "{} files in {}",
        files.len(),
        folder.display()
    );
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let Err(problems) = parse(&name, &text) else {
            panic!("{name} is not broken")
        };
        let places: Vec<_> = problems.lines().map(|line| place(&line, &name)).collect();
        let first = text.lines().next().unwrap();
        if first != format!("# error: {}", places.join(", ")) {
            wrong.push(format!("{name} says {first}, got {places:?}\n{problems}\n"));
        }
        let beside = file.with_extension("txt");
        let rendered = problems.render(false);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&beside, &rendered).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != rendered {
            wrong.push(format!("{name} is explained otherwise:\n{rendered}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The `LINE:COLUMN` of a line about `file`.
fn place(line: &str, file: &str) -> String {
    let rest = line.strip_prefix(file).unwrap().strip_prefix(':').unwrap();
    let numbers: Vec<_> = rest.splitn(3, ':').take(2).collect();
    if numbers.iter().all(|number| number.parse::<u32>().is_ok()) {
        numbers.join(":")
    } else {
        "the file".to_owned()
    }
}

#[test]
fn what_is_not_written_has_a_default() {
    let config = parsed("probes: [{ name: deep, sonar: , targets: [a] }]");
    assert_eq!(config.web, Web::default());
    let [probe] = config.probes.as_slice() else {
        panic!("{config:?}")
    };
    assert_eq!(probe.every.duration(), Duration::from_secs(15));
    assert_eq!(probe.timeout, Duration::from_secs(10));
    assert_eq!(*probe.targets[0], Target::new("a"));
}

#[test]
fn a_timeout_is_never_longer_than_the_interval() {
    for (written, expected) in [
        ("every: 60s", 10),
        ("every: 5s", 5),
        ("every: 5s, timeout: 2s", 2),
        ("every: 5s, timeout: 5s", 5),
        ("every: 60s, module: slow", 30),
        ("every: 5s, module: slow", 5),
        ("every: 60s, timeout: 2s, module: slow", 2),
    ] {
        let how = if written.contains("module") {
            ""
        } else {
            "sonar: {},"
        };
        let config = parsed(&format!(
            "probes: [{{ name: x, {how} {written}, targets: [a] }}]\n\
             modules: {{ slow: {{ prober: sonar, timeout: 30s }} }}\n"
        ));
        assert_eq!(
            config.probes[0].timeout,
            Duration::from_secs(expected),
            "{written}"
        );
    }
}

#[test]
fn the_configuration_in_force_is_shown_without_its_secrets() {
    check_shown(
        "
web: { listen: [127.0.0.1:9115, '[::1]:9115'] }
probes:
  - name: deep
    every: 1m
    sonar: { password: hunter2, headers: { X-Version: 1.10, X-Form: '$${env:SITE}' } }
    labels: { site: '${env:SITE}', rank: 1 }
    targets: [a, { address: b, hostname: c, labels: { rank: 2 } }]
  - { name: named, module: m, targets: [7] }
  - { name: near, radar: {}, buckets: [50us, 1.5ms, 2.3s], targets: [1] }
modules:
  m: { prober: sonar, timeout: 1m30s, sonar: { mode: chirp } }
responders:
  - buoy: { port: 4 }
",
        "modules:
  m:
    prober: sonar
    timeout: 90s
    sonar:
      mode: chirp
      wait: null
      password: null
      source: null
      echoes: []
      headers: {}
probes:
- name: deep
  every: 1m
  timeout: 10s
  sonar:
    mode: ping
    wait: null
    password: <secret>
    source: null
    echoes: []
    headers:
      X-Form: $${env:SITE}
      X-Version: \"1.10\"
  targets:
  - address: a
    labels:
      rank: \"1\"
      site: fra
  - address: b
    hostname: c
    labels:
      rank: \"2\"
      site: fra
- name: named
  every: 15s
  timeout: 15s
  sonar:
    mode: chirp
    wait: null
    password: null
    source: null
    echoes: []
    headers: {}
  targets:
  - \"7\"
- name: near
  every: 15s
  timeout: 10s
  radar:
    mode: ping
    wait: null
    password: null
    source: null
    echoes: []
    headers: {}
  targets:
  - \"1\"
  buckets:
  - 50us
  - 1500us
  - 2300ms
responders:
- buoy:
    port: 4
web:
  listen:
  - 127.0.0.1:9115
  - \"[::1]:9115\"
  timeout_offset: 500ms
  history: 100
  compatibility: none
  probe: {}
",
    );
}

#[test]
fn buckets_are_seconds_as_they_were_written() {
    let text = "probes: [{ name: near, radar: {}, buckets: [50us, 1.5ms, 2.3s], targets: [1] }]";
    let layout = parsed(text).probes[0].layout();
    let rtt = layout.places().last().unwrap();
    assert_eq!(rtt.buckets, [5e-5, 1.5e-3, 2.3]);
}

#[test]
fn a_file_for_blackbox_exporter_is_valid_as_it_is() {
    let (config, warnings) = parse(
        "test.yml",
        "
modules:
  web_2xx:
    prober: sonar
    timeout: 5s
    radar: {}
  deep: { prober: sonar }
",
    )
    .unwrap();
    let module = &config.modules["web_2xx"];
    assert_eq!(module.plugin.name(), "sonar");
    assert_eq!(module.timeout, Some(Duration::from_secs(5)));
    assert_eq!(warnings.into_iter().count(), 0);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leadsman.yml");
    let message = |path: &Path| Config::load(path, &registry()).unwrap_err().to_string();
    assert!(message(&path).starts_with(&format!("{}: the file cannot be read: ", path.display())));
    fs::write(&path, b"web:\n  listen: \xff\n").unwrap();
    assert_eq!(
        message(&path),
        format!("{}: line 2 is not UTF-8 text", path.display())
    );
    for irregular in ["/dev/null", "/"] {
        let told = message(Path::new(irregular));
        let expected = format!("{irregular}: this is not a regular file; ");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn a_link_to_a_file_is_as_good_as_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("leadsman.yml");
    fs::write(folder.path().join("real.yml"), "web: { history: 7 }\n").unwrap();
    std::os::unix::fs::symlink("real.yml", &link).unwrap();
    assert_eq!(Config::load(&link, &registry()).unwrap().0.web.history, 7);
}

#[test]
fn mistakes_without_end_are_counted_but_not_all_shown() {
    let targets = "a b, ".repeat(1000);
    let problems = parse(
        "test.yml",
        &format!("probes: [{{ name: x, sonar: {{}}, targets: [{targets}] }}]"),
    );
    let problems = problems.unwrap_err();
    assert_eq!(problems.lines().count(), 51);
    assert!(
        problems
            .render(false)
            .ends_with("… and 1949 more in test.yml\n")
    );
}

#[test]
fn the_schema_refers_only_to_what_it_defines() {
    let schema = schema(&registry());
    let mut references = Vec::new();
    collect(&schema, &mut references);
    assert!(references.contains(&"#/$defs/sonar.Echo"), "{references:?}");
    for reference in references {
        assert!(schema.pointer(&reference[1..]).is_some(), "{reference}");
    }
    let ways = &schema["$defs"]["probe"]["oneOf"];
    assert!(ways.to_string().contains("sonar"), "{ways}");
}

fn collect<'v>(value: &'v serde_json::Value, references: &mut Vec<&'v str>) {
    match value {
        serde_json::Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(|value| value.as_str()));
            for value in fields.values() {
                collect(value, references);
            }
        }
        serde_json::Value::Array(elements) => {
            for value in elements {
                collect(value, references);
            }
        }
        _ => {}
    }
}
