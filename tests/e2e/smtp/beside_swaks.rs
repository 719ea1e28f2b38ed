//! Do swaks and we see the same session?
//!
//! Both speak to the same server; what they show is compared line by line. Left out is what differs
//! by its nature: our times, what is not of the dialogue, the message itself, and the number that a
//! server gives it. What we say more is taken back to what swaks says: the size that `MAIL`
//! announces.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::asked::shown;
use super::servers::{exim, free, opensmtpd, postfix, program, smtp_sink};

/// Lines of the dialogue as both programs write them.
fn dialogue(shown: &str) -> Vec<String> {
    let marks = ["<-  ", " -> ", "<~  ", " ~> ", "<** ", "<~* "];
    let lines = shown.lines().filter_map(|line| {
        // Ours has the time before the mark, in a column of its own.
        let line = line.split_once(" ms ").map_or(line, |(_, line)| line);
        let mark = marks.iter().find(|mark| line.starts_with(**mark))?;
        Some((*mark, &line[mark.len()..]))
    });
    let mut in_message = false;
    let mut dialogue = Vec::new();
    for (mark, words) in lines {
        let is_ours = mark.contains('>');
        if is_ours && in_message {
            continue;
        }
        in_message = !is_ours && words.starts_with("354 ");
        // How swaks marks what it did not like to hear.
        let mark = mark.replace("<** ", "<-  ").replace("<~* ", "<~  ");
        let words = words.split(" SIZE=").next().unwrap_or_default();
        // The number of a message, by which a log would find it, and the time in a greeting.
        let is_number = |word: &str| word.len() == 8 && u32::from_str_radix(word, 16).is_ok();
        let is_time = |word: &str| word.matches(':').count() == 2;
        let words = words.split("queued as ").next().unwrap_or_default();
        let words = words.split("id=").next().unwrap_or_default();
        let words = words
            .split(' ')
            .filter(|word| !is_time(word) && !is_number(word));
        let words = words.collect::<Vec<_>>().join(" ");
        dialogue.push(format!("{mark}{words}").trim_end().to_owned());
    }
    dialogue
}

/// Speaks with a server twice and compares; `swaks` and `ours` say how beyond the usual.
fn check(swaks: &Path, server: SocketAddr, to: &str, options: [&[&str]; 2]) -> Vec<String> {
    let server = server.to_string();
    let output = Command::new(swaks)
        .args(["--server", &server, "--to", to, "--from", "a@client.test"])
        .args(["--helo", "client.test"])
        .args(options[0])
        .output()
        .expect("it was just there");
    let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let both = ["--notify", ""];
    let ours = shown(&[&[to, "--server", &server], both.as_slice(), options[1]].concat());
    let (theirs, ours) = (dialogue(&(theirs + &complaints)), dialogue(&ours));
    assert!(ours.len() > 5, "{ours:#?}");
    assert_eq!(ours, theirs);
    ours
}

#[test]
fn both_show_the_same_lines_of_four_servers() {
    const TEST: &str = "both_show_the_same_lines_of_four_servers";
    let Some(swaks) = program("swaks", TEST, "Debian's package swaks") else {
        return;
    };
    let both_ways = |server: SocketAddr, tls: [&[&str]; 2]| {
        let with = |way: usize, more: &[&'static str]| -> Vec<&str> {
            tls[way]
                .iter()
                .copied()
                .chain(more.iter().copied())
                .collect()
        };
        let to = "probe@example.test";
        let (theirs, ours) = (with(0, &[]), with(1, &["--send"]));
        check(&swaks, server, to, [&theirs, &ours]);
        let (theirs, ours) = (with(0, &["--quit-after", "RCPT"]), with(1, &[]));
        check(&swaks, server, to, [&theirs, &ours]);
    };
    let plain: [&[&str]; 2] = [&[], &["--starttls", "off"]];
    if let Some(postfix) = postfix(TEST) {
        both_ways(postfix.server.address, plain);
        both_ways(
            postfix.server.address,
            [&["-tls"], &["--starttls", "opportunistic"]],
        );
        let theirs = ["--quit-after", "RCPT"];
        let refused = check(
            &swaks,
            postfix.server.address,
            "nobody@example.test",
            [&theirs, plain[1]],
        );
        assert!(
            refused
                .iter()
                .any(|line| line.starts_with("<-  550 5.1.1 ")),
            "{refused:#?}"
        );
    }
    if let Some(exim) = exim(TEST) {
        both_ways(exim.address, plain);
    }
    if let Some(opensmtpd) = opensmtpd(TEST) {
        both_ways(opensmtpd.address, plain);
    }
    if let Some(sink) = smtp_sink(TEST, free([127, 0, 0, 1]), &[]) {
        both_ways(sink.address, plain);
    }
}
