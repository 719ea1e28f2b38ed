//! How is a run shown to a person?
//!
//! Who was reached, what its certificate is, what was said with the time of each line, and a bar of
//! the phases to scale. Several targets take turns, each whole. Whatever the peer said is escaped.

use std::time::UNIX_EPOCH;

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks};
use leadsman_dial::{NotConnected, Phases};

use crate::events::{Connected, Heard, Secured, Sent};

/// A drawing for as many targets as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, |stage, event, text| {
        text.push_str(&told(stage, event).unwrap_or_default());
    })
}

/// What is shown of an event.
fn told(stage: &Stage, event: &Event) -> Option<String> {
    Some(match event.name {
        Connected::NAME => {
            let Connected { peer, took } = event.read()?;
            format!("connected to {peer} in {:.2} ms\n", took * 1e3)
        }
        NotConnected::NAME => format!("{}\n", event.read::<NotConnected>()?.detail),
        Secured::NAME => {
            let Secured {
                version,
                cipher,
                at,
            } = event.read()?;
            format!("{:>9.2} ms    {version} with {cipher}\n", at * 1e3)
        }
        "certificate" => certificate(event)?,
        Heard::NAME => {
            let Heard {
                step,
                text,
                matched,
                at,
            } = event.read()?;
            said(at, matched.then_some(step), '<', &text)
        }
        Sent::NAME => {
            let Sent { step, text, at } = event.read()?;
            said(at, Some(step), '>', &text)
        }
        Phases::NAME => {
            let Phases { seconds } = event.read()?;
            seconds.bars(stage)
        }
        _ => return None,
    })
}

/// A line of the dialogue, with the number of the step that sent it or waited for it.
fn said(at: f64, step: Option<usize>, sign: char, text: &str) -> String {
    let step = step.map_or_else(String::new, |step| step.to_string());
    let text = text.trim_end_matches('\n').trim_end_matches('\r');
    let text = text.escape_debug();
    format!("{:>9.2} ms {step:>2} {sign} {text}\n", at * 1e3)
}

fn certificate(event: &Event) -> Option<String> {
    let fields = event.fields();
    let field = |name: &str| fields.get(name)?.as_str();
    let escaped = |name: &str| Some(field(name)?.escape_debug().to_string());
    let (subject, issuer) = (escaped("subject")?, escaped("issuer")?);
    let names = escaped("dns_names")?.replace(',', ", ");
    let until = fields.get("not_after")?.as_i64()?;
    let now = event.at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let days = (until - now.cast_signed()) / (24 * 60 * 60);
    let valid = match days {
        ..0 => format!("which was over {} days ago", -days),
        0..=FOREVER => format!("for {days} days more"),
        _ => "without an end".to_owned(),
    };
    Some(format!(
        "  certificate   {subject}\n  for           {names}\n  signed by     {issuer}\n  \
         valid         {valid}\n"
    ))
}

/// Days that nobody lives to see.
const FOREVER: i64 = 365 * 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn check(name: &'static str, fields: &Value, expected: &str) {
        let at = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
        let stage = Stage {
            targets: Vec::new(),
            width: 60,
            color: false,
            utf8: true,
        };
        let event = Event::new(at, name, fields.clone());
        assert_eq!(told(&stage, &event).unwrap_or_default(), expected);
    }

    #[test]
    fn each_line_says_when_it_was_said_and_by_whom_and_cannot_steer_the_terminal() {
        let heard = json!({ "step": 2, "text": "220 \u{1b}[2J", "matched": true, "at": 0.0015 });
        check("heard", &heard, "     1.50 ms  2 < 220 \\u{1b}[2J\n");
        let other = json!({ "step": 2, "text": "x", "matched": false, "at": 0.0 });
        check("heard", &other, "     0.00 ms    < x\n");
        let sent = json!({ "step": 1, "text": "EHLO a\r\n", "at": 1.0 });
        check("sent", &sent, "  1000.00 ms  1 > EHLO a\n");
        check("resolved", &json!({}), "");
    }

    #[test]
    fn a_certificate_is_told_with_the_days_that_it_has_left() {
        for (until, valid) in [
            (1_780_000_000 + 864_000, "for 10 days more"),
            (1_780_000_000 - 864_000, "which was over 10 days ago"),
            (253_402_300_799_i64, "without an end"),
        ] {
            let shown = json!({
                "subject": "CN=a", "issuer": "CN=b", "dns_names": "a.test,b.test",
                "not_after": until,
            });
            let expected = format!(
                "  certificate   CN=a\n  for           a.test, b.test\n  signed by     CN=b\n  \
                 valid         {valid}\n"
            );
            check("certificate", &shown, &expected);
        }
    }
}
