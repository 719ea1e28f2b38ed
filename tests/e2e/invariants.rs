//! Do the rules of README.md hold?
//!
//! Each rule is a function from the tree to the places that break it, so that a test can show it a
//! broken tree as well as this one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// Every manifest and Rust source of a tree, by its path from the root.
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        for folder in ["src", "probes", "metrics", "tests"] {
            gather(root, &root.join(folder), &mut files);
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("there is a manifest");
        files.insert("Cargo.toml".to_owned(), manifest);
        Self(files)
    }

    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(folder))
            .map(|(p, t)| (&**p, &**t))
    }

    /// The Rust sources.
    fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_rust = |path: &str| Path::new(path).extension().is_some_and(|e| e == "rs");
        self.below("").filter(move |(path, _)| is_rust(path))
    }

    /// The protocols: the folders in `probes/` that hold a probe.
    fn protocols(&self) -> Vec<&str> {
        let foundations = ["core", "dial", "wire"];
        let folders = self.0.keys().filter_map(|path| {
            let (folder, rest) = path.strip_prefix("probes/")?.split_once('/')?;
            (rest == "Cargo.toml" && !foundations.contains(&folder)).then_some(folder)
        });
        folders.collect()
    }
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            // What a compiler has made there is not ours.
            if !path.ends_with("target") {
                gather(root, &path, files);
            }
        } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") {
            let name = path
                .strip_prefix(root)
                .expect("it lies below")
                .display()
                .to_string();
            files.insert(name, fs::read_to_string(&path).expect("it is text"));
        }
    }
}

/// The names under `[dependencies]` of a manifest, development ones left out.
pub(crate) fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = manifest.lines().filter_map(|line| {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
            return None;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        (inside && !name.is_empty() && !name.starts_with('#')).then_some(name)
    });
    lines.collect()
}

/// The code of a source: without its tests at the end and without comments.
fn code(source: &str) -> String {
    let code = source
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Whether `word` stands in `text` with no letter or digit at its sides.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    })
}

/// Whether a line of code names a protocol's probe. The scheme of a URL and a module of that name
/// in a path are none. Nor are names that are `blackbox_exporter`'s, whatever is linked: the module
/// that `/probe` takes where none is asked for, the metric of the look-up of a target, and a section
/// of the file that says who is let in. Nor are functions of libraries that name a transport.
fn names(line: &str, protocol: &str) -> bool {
    let mut line = line.to_owned();
    for name in [
        "\"http_2xx\"",
        "\"probe_dns_lookup_time_seconds\"",
        "\"http_server_config\"",
        "take_tcp_listener",
        "udp_and_tcp",
    ] {
        line = line.replace(name, "");
    }
    for (before, after) in [("", "://"), ("", "::"), ("::", "")] {
        line = line.replace(&format!("{before}{protocol}{after}"), "");
    }
    has_word(&line, protocol)
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

fn edges(tree: &Tree) -> Vec<String> {
    let protocols = tree.protocols();
    let may = |folder: &str| -> Option<&[&str]> {
        Some(match folder {
            "probes/core" | "probes/wire" => &[],
            "metrics" => &["leadsman-core"],
            "probes/dial" => &["leadsman-core", "leadsman-wire"],
            "src/fuzz" => &["leadsman"],
            "tests/acme" => &["leadsman-core", "leadsman"],
            "" => return None,
            _ => &["leadsman-core", "leadsman-wire", "leadsman-dial"],
        })
    };
    let manifests = tree
        .0
        .iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml"));
    let mut broken = Vec::new();
    for (path, manifest) in manifests {
        let folder = path.trim_end_matches("Cargo.toml").trim_end_matches('/');
        for name in dependencies(manifest) {
            let ours = name == "leadsman" || name.starts_with("leadsman-");
            // A fuzzer is there for the crate that it lies in.
            let fuzzed = folder
                .strip_suffix("/fuzz")
                .and_then(|of| of.rsplit('/').next());
            let fuzzed = fuzzed.is_some_and(|of| name == format!("leadsman-{of}"));
            let allowed = fuzzed || may(folder).is_none_or(|allowed| allowed.contains(&name));
            if ours && !allowed {
                broken.push(format!("{path} depends on {name}"));
            }
            if name == "prometheus" && folder != "metrics" {
                broken.push(format!("{path} depends on prometheus"));
            }
        }
    }
    for (path, source) in tree.sources() {
        let inside = path.starts_with("metrics/");
        if !inside && !is_test(path) && code(source).contains("prometheus::") {
            broken.push(format!("{path} names the prometheus crate"));
        }
    }
    assert!(
        !protocols.is_empty(),
        "a tree without a probe proves nothing"
    );
    broken
}

fn protocols_named(tree: &Tree) -> Vec<String> {
    let protocols = tree.protocols();
    let mut broken = Vec::new();
    // The kit for tests has servers of its own, which speak by some protocol but are no probes.
    let is_kit = |path: &str| path.starts_with("probes/core/src/testing/");
    for folder in ["src/", "metrics/src/", "probes/core/src/"] {
        let sources = tree.below(folder);
        for (path, source) in sources.filter(|(path, _)| !is_test(path) && !is_kit(path)) {
            for (number, line) in code(source).lines().enumerate() {
                let linked = path == "src/lib.rs"
                    && (line.starts_with("use leadsman_") || line.starts_with("#[cfg(feature"));
                let named = protocols.iter().find(|protocol| names(line, protocol));
                if let (Some(protocol), false) = (named, linked) {
                    broken.push(format!("{path} names {protocol}: {line} ({number})"));
                }
            }
        }
    }
    broken
}

fn unsafety(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, source) in tree.sources() {
        let mut last = "";
        for line in source.lines() {
            let code = line.trim_start();
            let opens = has_word(code, "unsafe {") || code.starts_with("unsafe ");
            if opens && !code.starts_with("//") && !is_test(path) {
                if !path.starts_with("probes/wire/") {
                    broken.push(format!("{path}: {code}"));
                } else if !last.contains("SAFETY:") {
                    broken.push(format!("{path}: no SAFETY comment before {code}"));
                }
            }
            // A SAFETY comment may have several lines.
            if !(code.starts_with("//") && last.contains("SAFETY:")) {
                last = line;
            }
        }
    }
    let roots = ["src/lib.rs", "metrics/src/lib.rs"]
        .map(str::to_owned)
        .into_iter();
    let probes = tree.0.keys().filter(|path| path.starts_with("probes/"));
    let probes = probes.filter(|path| path.ends_with("/src/lib.rs")).cloned();
    for root in roots
        .chain(probes)
        .filter(|root| root != "probes/wire/src/lib.rs")
    {
        if !tree.0[&root].contains("#![forbid(unsafe_code)]") {
            broken.push(format!("{root} does not forbid unsafe code"));
        }
    }
    broken
}

fn sizes(tree: &Tree) -> Vec<String> {
    let sources = tree.sources().filter(|(path, _)| !is_test(path));
    let long = sources.filter_map(|(path, source)| {
        let code = source
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code.lines().count();
        (lines > 600).then(|| format!("{path} has {lines} lines without its tests"))
    });
    let silent = tree.sources();
    let silent = silent.filter(|(_, source)| !source.starts_with("//!"));
    long.chain(silent.map(|(path, _)| format!("{path} does not say what it is for")))
        .collect()
}

const RULES: [fn(&Tree) -> Vec<String>; 4] = [edges, protocols_named, unsafety, sizes];

#[test]
fn every_rule_holds() {
    let tree = Tree::read(env!("CARGO_MANIFEST_DIR").as_ref());
    for rule in RULES {
        assert_eq!(rule(&tree), [""; 0]);
    }
}

#[test]
fn a_broken_rule_is_noticed() {
    for (path, text, expected) in [
        (
            "probes/core/Cargo.toml",
            "[dependencies]\nleadsman-wire.workspace = true\n",
            "depends on leadsman-wire",
        ),
        (
            "probes/icmp/Cargo.toml",
            "[dependencies]\nprometheus = \"0\"\n",
            "depends on prometheus",
        ),
        (
            "src/web.rs",
            "//! .\nfn f(p: &str) -> bool { p == \"icmp\" }\n",
            "src/web.rs names icmp",
        ),
        (
            "src/web.rs",
            "//! .\nfn f() -> [&'static str; 2] { [\"icmp://\", \"my icmp\"] }\n",
            "src/web.rs names icmp",
        ),
        (
            "metrics/src/lib.rs",
            "//! .\n",
            "does not forbid unsafe code",
        ),
        (
            "src/log.rs",
            "//! .\nfn f() { unsafe { g() } }\n",
            "src/log.rs: fn f() { unsafe",
        ),
        (
            "probes/wire/src/sys.rs",
            "//! .\nlet x = unsafe { g() };\n",
            "no SAFETY comment",
        ),
        (
            "src/long.rs",
            &format!("//! .\n{}", "x\n".repeat(600)),
            "601 lines",
        ),
        (
            "src/silent.rs",
            "fn f() {}\n",
            "does not say what it is for",
        ),
    ] {
        let tree = sound(path, text);
        let broken: Vec<String> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
        assert!(
            broken.len() == 1 && broken[0].contains(expected),
            "{path}: {broken:?}"
        );
    }
}

/// A little tree in which every rule holds, with one file replaced.
fn sound(path: &str, text: &str) -> Tree {
    let root = TempDir::new().expect("there is room");
    let library = "//! .\n#![forbid(unsafe_code)]\n";
    let manifest = "[dependencies]\n";
    for (path, text) in [
        ("Cargo.toml", manifest),
        ("src/lib.rs", library),
        ("metrics/Cargo.toml", manifest),
        ("metrics/src/lib.rs", library),
        ("probes/core/Cargo.toml", manifest),
        ("probes/core/src/lib.rs", library),
        ("probes/wire/Cargo.toml", manifest),
        ("probes/wire/src/lib.rs", "//! .\n"),
        ("probes/icmp/Cargo.toml", manifest),
        ("probes/icmp/src/lib.rs", library),
        (path, text),
    ] {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("there is room");
        fs::write(file, text).expect("it can be written");
    }
    Tree::read(root.path())
}
