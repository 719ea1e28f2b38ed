//! How is a run shown to a person?
//!
//! One block for each hop: what was asked, who answered what, and a bar of the phases to scale, so
//! that it is plain where the time went. Several targets take turns, each whole.

use std::fmt::Write as _;

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks};
use leadsman_dial::NotConnected;

use super::events::{Hop, Request, Response};

/// A drawing for as many URLs as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, tell)
}

fn tell(stage: &Stage, event: &Event, text: &mut String) {
    match event.name {
        Request::NAME => {
            if let Some(request) = event.read() {
                asked(&request, text);
            }
        }
        Response::NAME => {
            if let Some(response) = event.read() {
                answered(&response, text);
            }
        }
        Hop::NAME => {
            if let Some(Hop { seconds }) = event.read() {
                text.push_str(&seconds.bars(stage));
            }
        }
        NotConnected::NAME => {
            if let Some(NotConnected { detail, .. }) = event.read() {
                line(text, &format!("  {detail}"));
            }
        }
        _ => {}
    }
}

fn asked(request: &Request, text: &mut String) {
    let through = request
        .proxy
        .as_ref()
        .map(|proxy| format!(" through {proxy}"));
    let through = through.unwrap_or_default();
    line(
        text,
        &format!("{} {}{through}", request.method, request.url),
    );
}

fn answered(response: &Response, text: &mut String) {
    let Response {
        status,
        version,
        peer,
        tls,
        location,
    } = response;
    let tls = tls
        .as_ref()
        .map(|tls| format!(" over {tls}"))
        .unwrap_or_default();
    line(text, &format!("  {status} in {version} from {peer}{tls}"));
    if let Some(location) = location {
        // Escaped, for the server chose it.
        line(text, &format!("  to {location:?}"));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        let mut text = String::new();
        let response = Response {
            status: 302,
            version: "HTTP/1.1".into(),
            peer: ([127, 0, 0, 1], 80).into(),
            tls: None,
            location: Some("/\u{1b}[2J".to_owned()),
        };
        answered(&response, &mut text);
        assert_eq!(
            text,
            "  302 in HTTP/1.1 from 127.0.0.1:80\n  to \"/\\u{1b}[2J\"\n"
        );
    }
}
