//! How is a run shown to a person?
//!
//! How the request was answered, the messages each way, and a bar of the phases to scale. Whatever
//! the server said is escaped.

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks};
use leadsman_dial::{NotConnected, Phases};

/// A drawing for as many targets as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, |stage, event, text| {
        text.push_str(&told(stage, event).unwrap_or_default());
    })
}

/// What is shown of an event.
fn told(stage: &Stage, event: &Event) -> Option<String> {
    let fields = event.fields();
    let field = |name: &str| fields.get(name)?.as_str();
    let message = |sign: char| Some(format!("  {sign} {}\n", field("message")?.escape_debug()));
    Some(match event.name {
        NotConnected::NAME => format!("  {}\n", event.read::<NotConnected>()?.detail),
        "response" => {
            let status = fields.get("status")?.as_u64()?;
            let over = field("tls").map_or_else(String::new, |tls| format!(" over {tls}"));
            format!("{status} from {}{over}\n", field("peer")?)
        }
        "received" => message('<')?,
        "sent" => message('>')?,
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
    fn what_is_said_goes_each_way_and_cannot_steer_the_terminal() {
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
        let response = json!({ "status": 101, "peer": "127.0.0.1:80", "tls": null });
        check("response", &response, "101 from 127.0.0.1:80\n");
        let message = json!({ "message": "a\u{1b}[2J", "bytes": 5 });
        check("received", &message, "  < a\\u{1b}[2J\n");
        check("sent", &message, "  > a\\u{1b}[2J\n");
        check("closed", &json!({ "politely": true }), "");
    }
}
