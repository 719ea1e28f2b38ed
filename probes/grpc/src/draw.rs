//! How is a run shown to a person?
//!
//! What the server says of its health, and a bar of the phases to scale.

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks};
use leadsman_dial::{NotConnected, Phases};

/// A drawing for as many servers as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, |stage, event, text| {
        text.push_str(&told(stage, event).unwrap_or_default());
    })
}

/// What is shown of an event.
fn told(stage: &Stage, event: &Event) -> Option<String> {
    let fields = event.fields();
    let field = |name: &str| fields.get(name)?.as_str();
    Some(match event.name {
        NotConnected::NAME => format!("  {}\n", event.read::<NotConnected>()?.detail),
        "answer" => {
            let over = field("tls").map_or_else(String::new, |tls| format!(" over {tls}"));
            let said = field("serving").unwrap_or("nothing of its health");
            format!(
                "{} from {}{over}: {said}\n",
                field("status")?,
                field("peer")?
            )
        }
        Phases::NAME => event.read::<Phases>()?.seconds.bars(stage),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_health_is_told_with_who_says_so() {
        fn check(name: &'static str, fields: &Value, expected: &str) {
            let stage = Stage {
                targets: Vec::new(),
                width: 40,
                color: false,
                utf8: true,
            };
            let event = Event::new(SystemTime::UNIX_EPOCH, name, fields.clone());
            assert_eq!(told(&stage, &event).unwrap_or_default(), expected);
        }
        let peer = "127.0.0.1:50051";
        let answer =
            json!({ "peer": peer, "status": "OK", "serving": "SERVING", "tls": "TLS 1.3" });
        check(
            "answer",
            &answer,
            "OK from 127.0.0.1:50051 over TLS 1.3: SERVING\n",
        );
        let refused = json!({ "peer": peer, "status": "NOT_FOUND", "serving": null, "tls": null });
        let expected = "NOT_FOUND from 127.0.0.1:50051: nothing of its health\n";
        check("answer", &refused, expected);
        let phases = json!({ "seconds": { "connect": 0.001 } });
        check(
            "phases",
            &phases,
            "  connect            1.00 ms  ━━━━━━━━━━\n",
        );
        check("resolved", &json!({}), "");
    }
}
