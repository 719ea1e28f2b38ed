//! Does a bench run a probe as told, and show what the run left?

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Bench;
use crate::metric::{Counter, Gauge, Histogram, Info, common};
use crate::options::{OptionsError, Period};
use crate::{Context, Fault, Options, Plugin, Preference, Probe, Stopper, Target, async_trait};

static RUNS: Counter =
    Counter::new("probe_echo_runs_total", "Runs.").by(&["parity"], &["odd", "even"]);
static WAIT: Gauge = Gauge::new("probe_echo_wait_seconds", "Time to wait.");
static TIMES: Histogram = Histogram::new("probe_echo_seconds", "Times.", &[1.0]);
static WORD: Info = Info::new("probe_echo_word_info", "The word.", &["word"]);

static ECHO: Plugin =
    Plugin::new::<EchoOptions>("echo", "A word").metrics(&[&RUNS, &WAIT, &TIMES, &WORD]);

/// Options.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct EchoOptions {
    /// Words to say, the first one recorded as well.
    words: Vec<String>,
    /// How long to wait, or until it is stopped.
    wait: Period,
}

struct Echo {
    options: Arc<EchoOptions>,
    runs: u32,
}

impl Options for EchoOptions {
    type Probe = Echo;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Echo, OptionsError> {
        Ok(Echo {
            options: Arc::clone(self),
            runs: 0,
        })
    }
}

#[async_trait]
impl Probe for Echo {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        self.runs += 1;
        cx.add_for(&RUNS, if self.runs % 2 == 1 { "odd" } else { "even" }, 1);
        cx.resolve(&cx.target().address, Preference::new("ip6", true))
            .await?;
        for word in &self.options.words {
            cx.event("word", || json!({ "word": word }));
            cx.observe(&TIMES, Duration::from_secs(2));
        }
        if let Some(first) = self.options.words.first() {
            cx.inform(&WORD, &[first]);
        }
        tokio::select! {
            () = tokio::time::sleep(*self.options.wait) => {}
            () = cx.stopped() => {}
        }
        cx.set(&WAIT, self.options.wait.as_secs_f64());
        Ok(())
    }
}

#[tokio::test]
async fn a_finished_run_shows_all_that_was_recorded_and_said() {
    let bench = Bench::of(&ECHO)
        .option("words", ["never"])
        .option("words", ["a", "b"])
        .host("v4.test", [IpAddr::from([192, 0, 2, 1])])
        .host(
            "both.test",
            [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()],
        );
    for (host, address) in [("v4.test", "192.0.2.1"), ("both.test", "2001:db8::1")] {
        let finished = bench.run(host).await;
        assert!(finished.succeeded() && finished.reason().is_none());
        assert_eq!(finished.counter(&RUNS, Some("odd")), 1);
        assert_eq!(finished.gauge(&WAIT, None), Some(0.0));
        assert_eq!(finished.observations(&TIMES), 2);
        assert_eq!(finished.text(&WORD).unwrap(), ["a"]);
        assert_eq!(finished.text(&common::TARGET_INFO).unwrap(), [address]);
        let words = finished
            .said("word")
            .map(|event| event.fields()["word"].clone());
        assert_eq!(words.collect::<Vec<_>>(), [json!("a"), json!("b")]);
    }
    let finished = bench.run("none.test").await;
    assert_eq!(finished.reason(), Some("resolve"));
    assert_eq!(finished.gauge(&WAIT, None), None);
    assert_eq!(finished.text(&WORD), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_its_timeout_or_when_it_is_stopped() {
    let bench = Bench::of(&ECHO)
        .option("wait", "1h")
        .timeout(Duration::from_secs(1));
    assert_eq!(bench.run("192.0.2.1").await.reason(), Some("timeout"));
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    assert!(bench.stop(stop).run("192.0.2.1").await.succeeded());
}

#[tokio::test]
async fn a_probe_that_is_run_again_has_kept_its_state() {
    let (bench, target) = (Bench::of(&ECHO), Arc::new(Target::new("192.0.2.1")));
    let mut probe = bench.aim(&target).ok().unwrap();
    for parity in ["odd", "even"] {
        let finished = bench.measure(&mut *probe, &target).await;
        assert_eq!(finished.counter(&RUNS, Some(parity)), 1);
    }
}

#[test]
fn a_mistake_in_the_options_is_for_the_test_to_see() {
    let bench = Bench::of(&ECHO).option("wait", "5").option("word", "a");
    let mistakes = bench.aim(&Target::new("192.0.2.1")).err().unwrap();
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    let expected = [
        "wait: a duration needs a unit: ms, s, m or h",
        "unknown key `word` (did you mean `words`?)",
    ];
    assert_eq!(mistakes, expected);
}

#[test]
#[should_panic(expected = "no plugin called \"nobody\" is linked")]
fn a_plugin_that_is_not_linked_is_named() {
    inventory::submit! { Plugin::new::<EchoOptions>("echo", "A word") }
    assert_eq!(Bench::linked("echo").plugin().name(), "echo");
    Bench::linked("nobody");
}
