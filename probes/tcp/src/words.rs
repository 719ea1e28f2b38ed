//! How is it told what a dialogue waits for, and what has come instead?
//!
//! Whatever the peer said is escaped and cut short: it must not steer a terminal, nor fill a log.

use leadsman_dial::Peer;

use crate::dialogue::{Dialogue, Stage};

/// What the step that is under way is about to do: `step 1 of 2 waits for a line …`.
pub(crate) fn doing(dialogue: &Dialogue<'_>, peer: Peer<'_>) -> String {
    let steps = dialogue.steps();
    let which = format!("step {} of {}", dialogue.at() + 1, steps.len());
    let Some(step) = steps.get(dialogue.at()) else {
        return format!("the dialogue with {peer} is over");
    };
    match dialogue.stage() {
        Stage::Wait => match (step.expect(), step.expect_bytes()) {
            (Some(pattern), _) => {
                let pattern = shown(pattern.as_str().as_bytes());
                format!("{which} waited for a line from {peer} that matches {pattern}")
            }
            (None, Some(bytes)) => {
                let count = counted(bytes.len(), "byte");
                format!("{which} waited for {count} {} from {peer}", shown(bytes))
            }
            (None, None) => which,
        },
        Stage::Send | Stage::Upgrade => {
            let sent = dialogue.heard().sent.as_deref().unwrap_or_default();
            format!("{which} cannot send {} to {peer}", shown(sent))
        }
        Stage::End => format!("{which} cannot agree on TLS with {peer}"),
    }
}

/// What has come while the step waited, and what may help.
pub(crate) fn came(dialogue: &Dialogue<'_>) -> String {
    let (heard, rest) = (dialogue.heard(), dialogue.rest());
    let step = dialogue.steps().get(dialogue.at());
    let pattern = step.and_then(|step| step.expect());
    let lines = match heard.lines {
        0 if rest.is_empty() => "nothing came".to_owned(),
        0 => String::new(),
        1 => format!("only {} came", shown(&heard.last)),
        lines => format!(
            "{lines} other lines came, the last one {}",
            shown(&heard.last)
        ),
    };
    if rest.is_empty() {
        let ended = heard
            .sent
            .as_deref()
            .and_then(|sent| sent.strip_suffix(b"\n"));
        let bare = ended.filter(|sent| heard.lines == 0 && !sent.ends_with(b"\r"));
        let hint = bare.map(|sent| {
            let sent = shown(sent);
            format!("; what was sent before, {sent}, has no \\r before its \\n, for which many servers wait")
        });
        return lines + &hint.unwrap_or_default();
    }
    let and = if lines.is_empty() { "" } else { ", and " };
    let count = counted(rest.len(), "byte");
    let no_line = pattern.map_or("", |_| " without an end of line");
    let hint = if pattern.is_some_and(|pattern| pattern.is_in(rest)) {
        "; a prompt that no line end follows is for `expect_bytes`"
    } else {
        ""
    };
    format!("{lines}{and}{count}{no_line} came, {}{hint}", shown(rest))
}

/// Bytes in quotes, escaped, and cut where they are long.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = readable(bytes);
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut:?}…")
}

/// Bytes as text; those that are none are written as `\xff`.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(4 * LONGEST)].utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Characters that are shown at most.
const LONGEST: usize = 80;
