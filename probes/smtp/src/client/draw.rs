//! How is a run shown to a person?
//!
//! The dialogue line by line as swaks(1) shows it, each with the milliseconds since the run began:
//! `===` for what is done, `<-` for what the server says and `->` for what is said to it, `<~` and
//! `~>` within TLS, `***` for what went wrong. Then how long each phase took.

use std::fmt::Write as _;

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks};
use leadsman_dial::NotConnected;

use super::events::{Connected, Heard, Mx, Phases, Resolved, Said, Secured};

/// A drawing for as many targets as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, tell)
}

fn tell(stage: &Stage, event: &Event, text: &mut String) {
    match event.name {
        Mx::NAME => told(event, |mx| exchangers(&mx, text)),
        Resolved::NAME => told(event, |resolved| host(&resolved, text)),
        Connected::NAME => told(event, |Connected { host, peer, at }| {
            line(text, at, "===", &format!("Connected to {host} at {peer}."));
        }),
        Secured::NAME => told(event, |secured| tls(&secured, text)),
        Said::NAME => told(event, |said: Said| {
            let mark = if said.secure { " ~>" } else { " ->" };
            for words in &said.lines {
                line(text, said.at, mark, words);
            }
        }),
        Heard::NAME => told(event, |heard: Heard| {
            let mark = if heard.secure { "<~ " } else { "<- " };
            let last = heard.lines.len().saturating_sub(1);
            for (index, words) in heard.lines.iter().enumerate() {
                let between = if index == last { ' ' } else { '-' };
                let words = format!("{}{between}{words}", heard.code);
                line(text, heard.at, mark, &words);
            }
        }),
        NotConnected::NAME => told(event, |NotConnected { detail, .. }| {
            writeln!(text, "{:>10}  *** {detail}", "").expect(TAKES);
        }),
        Phases::NAME => told(event, |ended: Phases| {
            text.push('\n');
            text.push_str(&ended.seconds.bars(stage));
        }),
        _ => {}
    }
}

fn told<T: serde::de::DeserializeOwned>(event: &Event, show: impl FnOnce(T)) {
    if let Some(read) = event.read() {
        show(read);
    }
}

fn exchangers(mx: &Mx, text: &mut String) {
    let Mx {
        domain,
        exchangers,
        implicit,
        flaws,
        at,
    } = mx;
    if *implicit {
        let words = format!("{domain} has no mail exchangers, and so takes its mail itself.");
        line(text, *at, "===", &words);
    } else {
        let hosts = exchangers
            .iter()
            .map(|(preference, host)| format!("{host} ({preference})"));
        let hosts: Vec<_> = hosts.collect();
        let words = format!("Mail for {domain} is taken by {}.", hosts.join(", "));
        line(text, *at, "===", &words);
    }
    for (flaw, name) in flaws {
        let why = match &**flaw {
            "numeric" => "is an address where a name must stand",
            "null_among_others" => "means something only where it stands alone",
            other => other,
        };
        line(
            text,
            *at,
            "***",
            &format!("An MX record names {name}, which {why}."),
        );
    }
}

fn host(resolved: &Resolved, text: &mut String) {
    let at = resolved.at;
    let host = &resolved.host;
    if let Some(alias) = &resolved.alias {
        let words = format!("{host} is an alias of {alias}, which an exchanger must not be.");
        line(text, at, "***", &words);
    }
    if let Some(why) = &resolved.why {
        return line(text, at, "***", why);
    }
    let addresses: Vec<_> = resolved.addresses.iter().map(ToString::to_string).collect();
    let words = format!("{host} is at {}.", addresses.join(", "));
    line(text, at, "===", &words);
}

fn tls(secured: &Secured, text: &mut String) {
    let Secured {
        agreed,
        verified,
        distrust,
        at,
    } = secured;
    match agreed {
        Some(agreed) if *verified => {
            let words = format!("TLS is agreed on: {agreed}, the certificate is to be trusted.");
            line(text, *at, "===", &words);
        }
        Some(agreed) => line(text, *at, "===", &format!("TLS is agreed on: {agreed}.")),
        None => line(text, *at, "***", "TLS is not agreed on."),
    }
    if let Some(distrust) = distrust {
        line(
            text,
            *at,
            "***",
            &format!("The certificate is not to be trusted: {distrust}."),
        );
    }
}

fn line(text: &mut String, at: f64, mark: &str, words: &str) {
    let ms = at * 1e3;
    writeln!(text, "{ms:>8.1} ms {mark} {words}").expect(TAKES);
}

const TAKES: &str = "a String takes whatever is written to it";
