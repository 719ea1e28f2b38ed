//! Is what was written read as meant, and every mistake told at its place?

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Deserialize;

use super::super::Period;
use super::super::Span;
use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ping {
    count: u8,
    ttl: Option<u8>,
    interval: Period,
    source: String,
    fragment: bool,
    ratio: f64,
    family: Family,
    codes: Vec<u16>,
    labels: BTreeMap<String, String>,
    expect: Vec<Expect>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    #[default]
    Ip4,
    Ip6,
    Fixed(u8),
    Range {
        least: u8,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    line: String,
    after: u8,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "Bounds")]
struct Range(u8, u8);

#[derive(Deserialize)]
struct Bounds {
    least: u8,
    most: u8,
}

impl TryFrom<Bounds> for Range {
    type Error = String;

    fn try_from(bounds: Bounds) -> Result<Self, String> {
        if bounds.least > bounds.most {
            return Err(format!(
                "`least` {} is above `most` {}",
                bounds.least, bounds.most
            ));
        }
        Ok(Self(bounds.least, bounds.most))
    }
}

fn plain(text: &str) -> Node {
    Node::word(text)
}

fn quoted(text: &str) -> Node {
    Node::new(Kind::Scalar {
        text: text.to_owned(),
        plain: false,
    })
}

fn list(elements: impl IntoIterator<Item = Node>) -> Node {
    Node::new(Kind::List(elements.into_iter().collect()))
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
    Node::new(Kind::Map(
        entries.into_iter().map(|(k, v)| (plain(k), v)).collect(),
    ))
}

fn null() -> Node {
    Node::new(Kind::Null)
}

fn check<T: DeserializeOwned + PartialEq + Debug>(node: &Node, expected: Result<T, &[&str]>) {
    let expected = expected.map_err(|lines| lines.iter().map(|l| (*l).to_owned()).collect());
    let got: Result<T, Vec<String>> =
        read(node).map_err(|errors| errors.iter().map(ToString::to_string).collect());
    assert_eq!(got, expected, "{node:?}");
}

#[test]
fn what_is_asked_for_decides_how_a_word_is_read() {
    check(&plain("1.10"), Ok("1.10".to_owned()));
    check(&plain("0755"), Ok("0755".to_owned()));
    check(&plain("true"), Ok("true".to_owned()));
    check(&plain("0755"), Ok(755_u16));
    check(&plain("0x1F"), Ok(31_u8));
    check(&plain("0o17"), Ok(15_i64));
    check(&plain("+5"), Ok(5_i8));
    check(&plain("-5"), Ok(-5_i32));
    check(&plain("1e3"), Ok(1000.0));
    check(&plain("-.inf"), Ok(f64::NEG_INFINITY));
    check(&plain("7"), Ok(7.0));
    check(&plain("yes"), Ok(true));
    check(&plain("Off"), Ok(false));
    check(&plain("x"), Ok('x'));
    check(
        &plain("1s"),
        Ok(Some(Period("1s".parse::<Period>().unwrap().0))),
    );
    check(&null(), Ok(None::<u8>));
}

#[test]
fn a_wrong_word_is_told_what_was_expected_and_its_range() {
    check::<u8>(
        &plain("300"),
        Err(&["expected a whole number from 0 to 255, got `300`"]),
    );
    check::<u8>(
        &plain("1_0"),
        Err(&["expected a whole number from 0 to 255, got `1_0`"]),
    );
    check::<u8>(
        &plain("1.0"),
        Err(&["expected a whole number from 0 to 255, got `1.0`"]),
    );
    check::<u64>(
        &plain("-1"),
        Err(&["expected a whole number, 0 or greater, got `-1`"]),
    );
    check::<f64>(&plain("nan"), Err(&["expected a number, got `nan`"]));
    check::<bool>(
        &plain("maybe"),
        Err(&["expected `true` or `false`, got `maybe`"]),
    );
    check::<u8>(
        &quoted("5"),
        Err(&["expected a whole number from 0 to 255, got the text \"5\" (remove the quotes)"]),
    );
    check::<u8>(
        &list([]),
        Err(&["expected a whole number from 0 to 255, got a list"]),
    );
    check::<String>(&map([]), Err(&["expected text, got keys with values"]));
    check::<String>(&null(), Err(&["the value is missing: expected text"]));
    check::<Vec<u8>>(
        &plain("5"),
        Err(&["expected a list, got `5` (put it in brackets: [ ])"]),
    );
    check::<Ping>(
        &plain("5"),
        Err(&["expected keys with values, got `5` (write { key: value }, or {} for all defaults)"]),
    );
    check::<Period>(
        &plain("5"),
        Err(&["a duration needs a unit: ms, s, m or h"]),
    );
    check::<u8>(
        &plain(&"9".repeat(50)),
        Err(&[&format!(
            "expected a whole number from 0 to 255, got `{}…`",
            "9".repeat(40)
        )]),
    );
}

#[test]
fn nothing_written_is_an_empty_struct_list_or_map() {
    check(&null(), Ok(Ping::default()));
    check(&null(), Ok(Vec::<u8>::new()));
    check(
        &map([("labels", null()), ("codes", null())]),
        Ok(Ping::default()),
    );
}

#[test]
fn where_anything_goes_the_core_schema_decides_and_quotes_mean_text() {
    let node = list(["1", "-1", "1.5", "true", "yes", "1.1.1", "0x10"].map(plain));
    check(
        &node,
        Ok(serde_json::json!([1, -1, 1.5, true, "yes", "1.1.1", 16])),
    );
    let node = map([("a", quoted("1")), ("b", quoted("true")), ("c", null())]);
    check(
        &node,
        Ok(serde_json::json!({"a": "1", "b": "true", "c": null})),
    );
}

#[test]
fn an_enum_is_a_word_or_one_key_with_its_value() {
    check(&plain("ip6"), Ok(Family::Ip6));
    check(&quoted("ip6"), Ok(Family::Ip6));
    check(&map([("ip6", null())]), Ok(Family::Ip6));
    check(&map([("fixed", plain("4"))]), Ok(Family::Fixed(4)));
    check(
        &map([("range", map([("least", plain("4"))]))]),
        Ok(Family::Range { least: 4 }),
    );
    let accepted = "expected `ip4`, `ip6`, `fixed` or `range`";
    check::<Family>(
        &plain("ipv6"),
        Err(&[&format!("{accepted}, got `ipv6` (did you mean `ip6`?)")]),
    );
    check::<Family>(&plain("x25"), Err(&[&format!("{accepted}, got `x25`")]));
    check::<Family>(&list([]), Err(&[&format!("{accepted}, got a list")]));
    check::<Family>(
        &map([("fixed", plain("999"))]),
        Err(&["fixed: expected a whole number from 0 to 255, got `999`"]),
    );
    check::<Family>(
        &map([("ip6", plain("1"))]),
        Err(&["ip6: expected nothing under it, got `1`"]),
    );
}

#[test]
fn every_mistake_is_reported_with_its_path() {
    let node = map([
        ("cuont", plain("3")),
        ("ttl", plain("999")),
        ("interval", plain("5")),
        ("source", plain("::1")),
        ("zzz", plain("1")),
        ("codes", list(["200", "many", "300", "-1"].map(plain))),
        ("family", plain("ip66")),
        ("labels", map([("site", list([]))])),
    ]);
    let accepted = "`count`, `ttl`, `interval`, `source`, `fragment`, `ratio`, `family`, `codes`, \
                    `labels`, `expect`";
    check::<Ping>(
        &node,
        Err(&[
            "unknown key `cuont` (did you mean `count`?)",
            "ttl: expected a whole number from 0 to 255, got `999`",
            "interval: a duration needs a unit: ms, s, m or h",
            &format!("unknown key `zzz` (accepted here: {accepted})"),
            "codes[1]: expected a whole number from 0 to 65535, got `many`",
            "codes[3]: expected a whole number from 0 to 65535, got `-1`",
            "family: expected `ip4`, `ip6`, `fixed` or `range`, got `ip66` (did you mean `ip6`?)",
            "labels.site: expected text, got a list",
        ]),
    );
}

#[test]
fn a_missing_key_is_reported_once_and_only_if_it_is_missing() {
    let after = "expect[0]: the key `after` is missing";
    let line = |entries| map([("expect", list([map(entries)]))]);
    check::<Ping>(&line(vec![("line", plain("220"))]), Err(&[after]));
    check::<Ping>(
        &line(vec![("line", plain("220")), ("after", plain("soon"))]),
        Err(&["expect[0].after: expected a whole number from 0 to 255, got `soon`"]),
    );
    check::<Ping>(
        &line(vec![("line", plain("220")), ("aftr", plain("1"))]),
        Err(&["expect[0]: unknown key `aftr` (did you mean `after`?)"]),
    );
}

#[test]
fn what_follows_from_a_mistake_is_not_another_one() {
    let range = |least, most| map([("least", plain(least)), ("most", plain(most))]);
    check(&range("1", "2"), Ok(Range(1, 2)));
    check::<Range>(&range("3", "2"), Err(&["`least` 3 is above `most` 2"]));
    check::<Vec<Range>>(
        &list([range("3", "x"), range("3", "2")]),
        Err(&[
            "[0].most: expected a whole number from 0 to 255, got `x`",
            "[1]: `least` 3 is above `most` 2",
        ]),
    );
    check::<(u8, u8)>(
        &list(["x", "1"].map(plain)),
        Err(&["[0]: expected a whole number from 0 to 255, got `x`"]),
    );
}

#[test]
fn a_key_given_twice_is_a_mistake_at_the_second() {
    let at = |start| {
        Some(Span {
            source: 0,
            start,
            end: start + 3,
        })
    };
    let key = |start| Node {
        span: at(start),
        ..plain("ttl")
    };
    let value = |start, text| Node {
        span: at(start),
        ..plain(text)
    };
    let node = Node::new(Kind::Map(vec![
        (key(0), value(10, "1")),
        (key(20), value(30, "2")),
        (
            Node {
                span: at(40),
                ..plain("tll")
            },
            value(50, "2"),
        ),
        (
            Node {
                span: at(60),
                ..plain("count")
            },
            value(70, "x"),
        ),
    ]));
    let errors = read::<Ping>(&node).unwrap_err();
    let spans: Vec<_> = errors.iter().map(|error| error.span).collect();
    assert_eq!(spans, [at(20), at(40), at(70)], "{errors:?}");
    assert_eq!(errors[0].message, "the key `ttl` is given twice");
}

#[test]
fn mistakes_without_end_are_cut_off() {
    let node = list((0..1000).map(|_| plain("x")));
    assert_eq!(read::<Vec<u8>>(&node).unwrap_err().len(), MOST_ERRORS);
}
