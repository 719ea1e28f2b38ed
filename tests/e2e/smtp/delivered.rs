//! Is what was accepted seen where it arrives, and how long did that take?

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::asked::ask;
use super::servers::{Server, exim, free, opensmtpd, postfix, postfix_relaying};
use crate::ask::Answer;
use crate::program::Program;

/// What a probe has to be told to send as often as a test wants it to.
const OFTEN: &str = "from: a@client.test, hello: client.test, send: true, allow_private: true, \
                     allow_frequent: true, min_interval: 1s, most_per_minute: 1000";
const PATIENCE: Duration = Duration::from_secs(30);

/// The value of one of the probe's series.
fn value(metrics: &Answer, name: &str) -> Option<f64> {
    metrics.value(&format!(
        "{name}{{probe=\"mail\",target=\"probe@example.test\"}}"
    ))
}

/// Sends mail by a server until some was seen in its Maildir, which is empty again by then.
fn arrives(server: &Server, maildir: &Path) {
    let program = Program::configured(&format!(
        "probes:\n- name: mail\n  every: 2s\n  timeout: 2s\n  smtp: {{ {OFTEN}, server: '{}', \
         maildir: '{}', maildir_delete: true }}\n  targets: [probe@example.test]\n",
        server.address,
        maildir.display(),
    ));
    let metrics = program.wait(PATIENCE, |metrics| {
        value(metrics, "probe_smtp_delivery_success") == Some(1.0)
            // The last run has sent another.
            && value(metrics, "probe_smtp_delivery_pending") <= Some(1.0)
    });
    let took = value(&metrics, "probe_smtp_delivery_duration_seconds").expect("it has arrived");
    assert!((0.0..20.0).contains(&took), "{took}");
    assert_eq!(value(&metrics, "probe_smtp_late_messages_total"), Some(0.0));
    drop(program);
    // At most the one that was sent last is left.
    let left = fs::read_dir(maildir.join("new"))
        .expect("it was just there")
        .count();
    assert!(left <= 1, "{left}");
}

#[test]
fn mail_is_seen_in_the_mailbox_of_each_server() {
    const TEST: &str = "mail_is_seen_in_the_mailbox_of_each_server";
    if let Some(postfix) = postfix(TEST) {
        arrives(&postfix.server, &postfix.server.path("mail/probe"));
    }
    if let Some(exim) = exim(TEST) {
        arrives(&exim, &exim.path("mail"));
    }
    if let Some(opensmtpd) = opensmtpd(TEST) {
        arrives(&opensmtpd, &opensmtpd.path("spool/probe/Maildir"));
    }
}

/// Sends mail by a server until some was seen at a sink of the same program, in time or late; the
/// metrics of then.
fn reaches(server: SocketAddr, sink: SocketAddr, more: [&str; 2], in_time: bool) -> Answer {
    let [of_sink, of_probe] = more;
    let program = Program::configured(&format!(
        "responders:\n- smtp: {{ listen: '{sink}', recipients: [probe@example.test], \
         hostname: sink.test{of_sink} }}\n\
         probes:\n- name: mail\n  every: 2s\n  timeout: 2s\n  smtp: {{ {OFTEN}, \
         server: '{server}'{of_probe} }}\n  targets: [probe@example.test]\n"
    ));
    let expected = Some(f64::from(u8::from(in_time)));
    let metrics = program.wait(PATIENCE, |metrics| {
        value(metrics, "probe_smtp_delivery_success") == expected
            && (in_time || value(metrics, "probe_smtp_late_messages_total") >= Some(1.0))
    });
    for kind in ["in_time", "late", "unknown", "foreign"] {
        let series = format!(
            "leadsman_smtp_sink_messages_total\
             {{responder=\"smtp\",listen=\"{sink}\",kind=\"{kind}\"}}"
        );
        let is_expected = kind == if in_time { "in_time" } else { "late" };
        let taken = metrics.value(&series);
        assert_eq!(taken >= Some(1.0), is_expected, "{kind}: {taken:?}");
    }
    metrics
}

#[test]
fn mail_goes_to_the_sink_at_once_or_through_a_server_that_is_not_ours() {
    const TEST: &str = "mail_goes_to_the_sink_at_once_or_through_a_server_that_is_not_ours";
    let sink = free([127, 0, 0, 1]);
    reaches(sink, sink, ["", ""], true);
    // A server for each, for it may still hold what the program before has sent, and to the sink of
    // another program that is foreign.
    for in_time in [true, false] {
        let sink = free([127, 0, 0, 1]);
        let Some(postfix) = postfix_relaying(TEST, sink) else {
            continue;
        };
        // Nothing goes through another server as fast as this wants it.
        let timeout = if in_time {
            ""
        } else {
            ", delivery_timeout: 10us"
        };
        let more = [", protocol: lmtp", timeout];
        let metrics = reaches(postfix.server.address, sink, more, in_time);
        let took = value(&metrics, "probe_smtp_delivery_duration_seconds");
        assert_eq!(took.is_some(), in_time, "only what is in time has a time");
    }
}

#[test]
fn postfix_takes_a_message_in_every_way_that_it_offers() {
    const TEST: &str = "postfix_takes_a_message_in_every_way_that_it_offers";
    let Some(postfix) = postfix(TEST) else {
        return;
    };
    let (server, implicit) = (
        postfix.server.address.to_string(),
        postfix.implicit.to_string(),
    );
    let ca = format!(
        "tls_config.ca_file={}",
        postfix.server.path("cert.pem").display()
    );
    let trusted = ["-o", &ca, "-o", "tls_config.server_name=mx.test"];
    let required = ["--starttls", "required"];
    let check = |server: &str, more: &[&str], outcome: &str| {
        let told = ask(&[&["probe@example.test", "--server", server, "--send"], more].concat());
        assert_eq!(told.outcome(), outcome, "{more:?}: {}", told.run()["error"]);
        let metrics = told.run()["metrics"].clone();
        assert_eq!(
            metrics["probe_smtp_message_sent"],
            f64::from(u8::from(outcome == "ok"))
        );
        metrics
    };
    let sent = check(&server, &["--starttls", "off"], "ok");
    assert_eq!(sent["probe_smtp_tls"], 0.0);
    let sent = check(&server, &[], "ok");
    assert_eq!(
        (&sent["probe_smtp_tls"], &sent["probe_smtp_tls_verified"]),
        (&1.0.into(), &0.0.into())
    );
    let sent = check(&server, &[required.as_slice(), &trusted].concat(), "ok");
    assert_eq!(sent["probe_smtp_tls_verified"], 1.0);
    // Nobody vouches for it, and so nothing is sent.
    check(&server, &required, "tls_failed");
    let sent = check(&implicit, &[["--tls"].as_slice(), &trusted].concat(), "ok");
    assert_eq!(sent["probe_smtp_tls_verified"], 1.0);
    check(&implicit, &["--tls"], "tls_failed");
    check(&server, &["--starttls", "off", "--pipelining"], "ok");
    check(&server, &["--starttls", "off", "--chunking"], "ok");
    check(
        &server,
        &["--starttls", "off", "--pipelining", "--chunking"],
        "ok",
    );
    // Dots, bytes beyond ASCII and long lines arrive as they were.
    let text = format!(".\n..\nGrüße\n{}\n.", "a".repeat(2000));
    check(
        &server,
        &["--starttls", "off", "--subject", "Grüße", "--body", &text],
        "ok",
    );
    let mailbox = postfix.server.path("mail/probe/new");
    let end = tokio::time::Instant::now() + PATIENCE;
    let count = || fs::read_dir(&mailbox).map_or(0, Iterator::count);
    while count() < 8 && tokio::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(count(), 8);
    let files = fs::read_dir(&mailbox).expect("it was just there");
    let messages =
        files.map(|file| fs::read_to_string(file.expect("a file").path()).expect("text"));
    let subject = "\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\n";
    let message = messages
        .into_iter()
        .find(|message| message.contains(subject));
    let message = message.expect("it has arrived");
    let (_, body) = message.split_once("\n\n").expect("a header");
    let body = body
        .replace("=\n", "")
        .replace("=C3=BC", "ü")
        .replace("=C3=9F", "ß");
    assert_eq!(body, format!("{text}\n"));
}
