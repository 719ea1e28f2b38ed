//! Does every word of a YAML text end up in the tree with its own place?

use std::fmt::Write;

use super::*;
use crate::config::diagnose::Problems;

/// Writes a tree as one line: `{key: value}`, quoted text in quotes, and nothing as `~`.
fn line(node: &Node) -> String {
    let mut text = String::new();
    match &node.kind {
        Kind::Null => text += "~",
        Kind::Scalar {
            text: t,
            plain: true,
        } => text += t,
        Kind::Scalar {
            text: t,
            plain: false,
        } => write!(text, "{t:?}").unwrap(),
        Kind::Bytes(bytes) => {
            text.extend(bytes.iter().map(|byte| format!("<{byte:02x}>")));
        }
        Kind::List(elements) => {
            let elements: Vec<_> = elements.iter().map(line).collect();
            write!(text, "[{}]", elements.join(", ")).unwrap();
        }
        Kind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", line(key), line(value));
            let entries: Vec<_> = entries.iter().map(entry).collect();
            write!(text, "{{{}}}", entries.join(", ")).unwrap();
        }
    }
    text
}

fn parsed(text: &str) -> Result<Node, String> {
    let mut problems = Vec::new();
    let variables = |name: &str| (name == "SITE").then(|| "fra".to_owned());
    let node = parse(text, &variables, &mut problems);
    let node = node.map_err(|problem| problems.push(problem));
    match node {
        Ok(node) if problems.is_empty() => Ok(node),
        _ => Err(Problems::new("f", text, problems).to_string()),
    }
}

fn check(text: &str, expected: &str) {
    let got = parsed(text).map_or_else(|problems| problems, |node| line(&node));
    assert_eq!(got, expected, "{text:?}");
}

#[test]
fn scalars_keep_their_text_and_whether_they_were_quoted() {
    check("a: 1.10", "{a: 1.10}");
    check("a: '1.10'", "{a: \"1.10\"}");
    check("a: \"x\\ty\"", "{a: \"x\\ty\"}");
    check("a: |\n  x\n  y\n", "{a: \"x\\ny\\n\"}");
    check("a: >-\n  x\n  y\n", "{a: \"x y\"}");
    check("a: it's # not this", "{a: it's}");
    check("'a b': c", "{\"a b\": c}");
    check("a: ''", "{a: \"\"}");
}

#[test]
fn nothing_is_written_in_five_ways() {
    check(
        "{a: , b: ~, c: null, d: Null, e: NULL, f: 'null'}",
        "{a: ~, b: ~, c: ~, d: ~, e: ~, f: \"null\"}",
    );
}

#[test]
fn tags_of_yaml_decide_and_others_are_refused() {
    check(
        "{a: !!str 1, b: !!int '1', c: ! 1, d: !!seq [], e: !!map {}}",
        "{a: \"1\", b: 1, c: \"1\", d: [], e: {}}",
    );
    check("a: !!binary Zm9v", "{a: \"foo\"}");
    check("a: !!binary /wA=", "{a: <ff><00>}");
    check(
        "a: !!binary /w",
        "f:1:13: a `!!binary` value must be base64",
    );
    check(
        "a: !secret x",
        "f:1:4: the tag `!secret` means nothing here (remove it)",
    );
}

#[test]
fn aliases_and_merge_keys_repeat_what_was_written_once() {
    check("a: &x [1, 2]\nb: *x", "{a: [1, 2], b: [1, 2]}");
    check(
        "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}",
        "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}",
    );
    check(
        "- &x {p: 1}\n- &y {p: 2, q: 2}\n- <<: [*x, *y]\n  r: 3",
        "[{p: 1}, {p: 2, q: 2}, {r: 3, p: 1, q: 2}]",
    );
    check("a: &x word\n*x : c", "{a: word, word: c}");
}

#[test]
fn aliases_can_neither_fill_the_memory_nor_the_stack() {
    let mut wide = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    let mut deep = String::from("a0: &a0 [x]\n");
    for n in 1..20 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        writeln!(wide, "a{n}: &a{n} [{before}]").unwrap();
        let (open, close) = ("[".repeat(20), "]".repeat(20));
        writeln!(deep, "a{n}: &a{n} {open}*a{}{close}", n - 1).unwrap();
    }
    check(
        &wide,
        "f:6:45: the aliases up to here repeat more than 1000000 values \
         (aliases of aliases multiply: write fewer of them)",
    );
    check(&deep, "f:5:29: this alias nests deeper than 64 levels");
    let brackets = "[".repeat(5000);
    check(
        &brackets,
        "f:1:65: this nests too deeply (no configuration needs that many levels)",
    );
}

#[test]
fn positions_are_bytes_of_the_source_whatever_stands_before() {
    let text = "\u{feff}a: ü\r\nb:\r\n- 'ö'\r\n- {c: d}\r\ne:\r\n# end\r\n";
    let node = parsed(text).unwrap();
    let written = |node: &Node| {
        let span = node.span.unwrap();
        &text[span.start as usize..span.end as usize]
    };
    assert_eq!(written(node.field("a").unwrap()), "ü");
    let b = node.field("b").unwrap();
    let Kind::List(elements) = &b.kind else {
        panic!("{b:?}")
    };
    assert_eq!(
        elements.iter().map(written).collect::<Vec<_>>(),
        ["'ö'", "{c: d}"]
    );
    assert_eq!(written(b), "'ö'\r\n- {c: d}");
    assert_eq!(
        written(node.field("e").unwrap()),
        "e",
        "nothing written is shown at its key"
    );
}

#[test]
fn a_variable_is_text_in_its_place() {
    check(
        "{a: '${env:SITE}', b: '${env:SITE}-'}",
        "{a: fra, b: \"fra-\"}",
    );
    check(
        "a: ${env:SITE}-1\nb: '${env:NONE:-x y}.'",
        "{a: fra-1, b: \"x y.\"}",
    );
    check(
        "a: x ${env:NONE}",
        "f:1:6: the environment variable `NONE` is not set \
         (set it, or give a default: ${env:NONE:-text})",
    );
}
