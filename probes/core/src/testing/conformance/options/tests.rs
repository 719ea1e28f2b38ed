//! One set of options that is right, and others with one thing wrong each.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Deserializer};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::*;
use crate::options::{Period, Secret};
use crate::testing::conformance::tests::idle::{Idle, Nothing};
use crate::{Options, Target};

/// Every shape that options can have.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Right {
    /// Wait.
    wait: Period,
    /// Source.
    source: Option<IpAddr>,
    /// Password.
    password: Secret,
    /// Labels.
    labels: BTreeMap<String, String>,
    /// Parts.
    parts: Vec<Part>,
    /// Choice.
    choice: Choice,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Part {
    /// Size.
    size: f64,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Choice {
    /// Left.
    #[default]
    Left,
    /// Right, so far.
    Right(u8),
}

/// Unknown keys pass.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Loose {
    /// Count.
    count: u8,
}

/// Unknown keys are refused without a word that helps.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, try_from = "BTreeMap<String, Value>")]
struct Curt {
    /// Count.
    count: u8,
}

impl TryFrom<BTreeMap<String, Value>> for Curt {
    type Error = &'static str;

    fn try_from(written: BTreeMap<String, Value>) -> Result<Self, Self::Error> {
        let known = written.keys().all(|key| key == "count");
        known.then_some(Self { count: 0 }).ok_or("no")
    }
}

/// Nobody says what these are.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Undescribed {
    count: u8,
    /// Parts.
    parts: Vec<UndescribedPart>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct UndescribedPart {
    size: f64,
}

/// What is shown cannot be read.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Unreadable {
    /// Wait.
    #[serde(serialize_with = "seconds")]
    wait: Period,
}

fn seconds<S: Serializer>(period: &Period, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(period.as_secs() + 5)
}

/// What is read is not what was shown.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Unstable {
    /// Count.
    #[serde(deserialize_with = "one_more")]
    count: u8,
}

impl Default for Unstable {
    fn default() -> Self {
        Self { count: 1 }
    }
}

fn one_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    u8::deserialize(deserializer).map(|count| count + 1)
}

/// Nothing can be shown.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Unshowable {
    /// Count.
    #[serde(serialize_with = "refuse")]
    count: u8,
}

fn refuse<T, S: Serializer>(_: &T, _: S) -> Result<S::Ok, S::Error> {
    Err(S::Error::custom("no"))
}

/// Nothing may be left out.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Demanding {
    /// Count.
    count: u8,
}

/// Marks options of a probe that does nothing with them.
trait Ignored {}

impl Ignored for Right {}
impl Ignored for Loose {}
impl Ignored for Curt {}
impl Ignored for Undescribed {}
impl Ignored for Unreadable {}
impl Ignored for Unstable {}
impl Ignored for Unshowable {}
impl Ignored for Demanding {}

impl<O> Options for O
where
    O: Ignored + DeserializeOwned + Serialize + JsonSchema + Default + Debug,
    O: Send + Sync + 'static,
{
    type Probe = Nothing;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Nothing, OptionsError> {
        Ok(Nothing)
    }
}

/// Expects these mistakes of `O`, in any check of this file.
fn check<O: Options>(expected: &[&str]) {
    let plugin: &'static Plugin = Box::leak(Box::new(Plugin::new::<O>("options", "Nothing")));
    let mistakes = [
        round_trip(&Bench::of(plugin)),
        unknown(plugin),
        described(plugin),
    ]
    .concat();
    assert_eq!(mistakes, expected);
}

#[test]
fn options_that_are_right_pass() {
    check::<Right>(&[]);
    check::<Idle>(&[]);
}

#[test]
fn what_does_not_round_trip_is_told() {
    check::<Unreadable>(&[
        "the defaults are shown as {\"wait\":5}, which is refused: wait: a duration needs a unit: \
         ms, s, m or h",
    ]);
    check::<Unstable>(&["the defaults are shown as {\"count\":1}, then as {\"count\":2}"]);
    check::<Unshowable>(&["the defaults cannot be shown: their `Serialize` fails"]);
    check::<Demanding>(&["the defaults are refused: the key `count` is missing"]);
}

#[test]
fn what_does_not_refuse_unknown_keys_is_told() {
    check::<Loose>(&[
        "the unknown key `countx` is accepted",
        "the unknown key `conformance_kit_unknown_key` is accepted",
        "the options: the schema allows unknown keys: add #[serde(deny_unknown_fields)]",
    ]);
    check::<Curt>(&[
        "`conformance_kit_unknown_key` is refused without naming `conformance_kit_unknown_key`: no",
        "the options: the schema allows unknown keys: add #[serde(deny_unknown_fields)]",
    ]);
}

#[test]
fn what_is_not_described_is_told() {
    check::<Undescribed>(&[
        "count has no description: give the field a doc comment",
        "UndescribedPart: the schema allows unknown keys: add #[serde(deny_unknown_fields)]",
        "UndescribedPart.size has no description: give the field a doc comment",
    ]);
}

#[test]
fn the_options_of_the_bench_are_tried_too() {
    static PLUGIN: Plugin = Plugin::new::<Right>("options", "Nothing");
    let bench = Bench::of(&PLUGIN)
        .option("wait", "20ms")
        .option("parts", [Part { size: 0.5 }]);
    assert_eq!(round_trip(&bench), Vec::<String>::new());
    let expected = "the kit's options are refused: wait: a duration needs a unit: ms, s, m or h";
    assert_eq!(round_trip(&bench.option("wait", "5")), [expected]);
}
