//! How are runs shown that tell a story once, one target after the other?

use std::fmt::{self, Write as _};

use super::{Draw, Stage, milliseconds, red};
use crate::{Event, Run};

/// A drawing of a block for each target, shown once its run is over: what `tell` made of each event,
/// then how the run ended, after how long, and why. Targets take turns, each whole.
pub fn blocks(stage: Stage, tell: fn(&Stage, &Event, &mut String)) -> Box<dyn Draw> {
    let texts = vec![String::new(); stage.targets.len()];
    Box::new(Blocks { stage, tell, texts })
}

struct Blocks {
    stage: Stage,
    /// Adds to the block of its target, whole lines.
    tell: fn(&Stage, &Event, &mut String),
    texts: Vec<String>,
}

impl Draw for Blocks {
    fn event(&mut self, target: usize, event: &Event, _: &mut String) {
        (self.tell)(&self.stage, event, &mut self.texts[target]);
    }

    fn finished(&mut self, target: usize, run: &Run, page: &mut String) {
        if !page.is_empty() {
            page.push('\n');
        }
        let text = std::mem::take(&mut self.texts[target]);
        let why = run.result.as_ref().err().map(ToString::to_string);
        // A line that says no more than the last one will is left out.
        let lines = text
            .lines()
            .filter(|line| Some(line.trim_start()) != why.as_deref());
        for line in lines {
            page.push_str(line);
            page.push('\n');
        }
        let took = milliseconds(run.duration);
        let end = match &run.result {
            Ok(()) => format!("good, in {took} ms"),
            Err(fault) => {
                let end = format!("{}, after {took} ms: {fault}", fault.reason());
                red(&end, self.stage.color)
            }
        };
        let address = &self.stage.targets[target].address;
        writeln!(page, "{address}: {end}").expect("a String takes whatever is written to it");
    }

    fn summary(&mut self, _: &mut String) {}
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("stage", &self.stage)
            .field("texts", &self.texts)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::testing::Bench;
    use crate::{
        Cause, Context, Fault, Options, OptionsError, Plugin, Probe, Target, async_trait, schemars,
    };

    static QUIET: Plugin = Plugin::new::<Quiet>("quiet", "Fails");

    #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Quiet {}

    impl Options for Quiet {
        type Probe = Self;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Self, OptionsError> {
            Ok(Self {})
        }
    }

    #[async_trait]
    impl Probe for Quiet {
        async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
            Err(Fault::target(Cause::Refused, "nobody is here"))
        }
    }

    #[tokio::test]
    async fn a_block_is_shown_whole_and_says_why_only_once() {
        let targets = ["a.test", "b.test"].map(|name| Arc::new(Target::new(name)));
        let stage = Stage {
            targets: targets.to_vec(),
            width: 80,
            color: false,
            utf8: true,
        };
        let mut drawing = blocks(stage, |_, event, text| {
            text.push_str(event.name);
            text.push('\n');
        });
        let event = |name| Event::new(SystemTime::now(), name, ());
        let mut page = String::new();
        for (target, name) in [(1, "first"), (0, "other"), (1, "nobody is here")] {
            drawing.event(target, &event(name), &mut page);
        }
        assert_eq!(page, "");
        let mut run = Bench::of(&QUIET).run("b.test").await.run;
        run.duration = Duration::from_millis(2);
        drawing.finished(1, &run, &mut page);
        assert_eq!(
            page,
            "first\nb.test: refused, after 2.00 ms: nobody is here\n"
        );
        run.result = Ok(());
        drawing.finished(0, &run, &mut page);
        assert!(
            page.ends_with("\n\nother\na.test: good, in 2.00 ms\n"),
            "{page}"
        );
    }
}
