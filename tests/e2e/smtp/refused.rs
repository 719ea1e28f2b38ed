//! What do servers do to those whom they do not like, and what do we say of it?

use std::time::Duration;

use super::asked::ask;
use super::servers::{exim, free, opensmtpd, postfix, smtp_sink};

const PROBE: &str = "probe@example.test";

#[test]
fn each_server_refuses_in_its_own_words() {
    const TEST: &str = "each_server_refuses_in_its_own_words";
    let check = |server: &str, to: &str, code: u16, enhanced: Option<&str>| {
        let told = ask(&[to, "--server", server]);
        assert_eq!(
            (told.status, told.outcome()),
            (1, "permfail"),
            "{server} {to}"
        );
        assert_eq!(told.code("rcpt"), code, "{to}");
        let status = &told.run()["metrics"]["probe_smtp_enhanced_status_info"]["status"];
        assert_eq!(status.as_str(), enhanced, "{to}");
        assert_eq!(told.run()["reason"], "rejected");
    };
    if let Some(postfix) = postfix(TEST) {
        let server = postfix.server.address.to_string();
        check(&server, "nobody@example.test", 550, Some("5.1.1"));
        check(&server, "probe@example.org", 554, Some("5.7.1"));
    }
    if let Some(exim) = exim(TEST) {
        let server = exim.address.to_string();
        check(&server, "nobody@example.test", 550, None);
    }
    if let Some(opensmtpd) = opensmtpd(TEST) {
        let server = opensmtpd.address.to_string();
        check(&server, "nobody@example.test", 524, Some("5.2.4"));
        check(&server, "probe@example.org", 550, None);
    }
}

#[test]
fn faults_of_a_server_are_told_apart() {
    const TEST: &str = "faults_of_a_server_are_told_apart";
    let check = |options: &[&str], arguments: &[&str], status: i32, outcome: &str| {
        let server = smtp_sink(TEST, free([127, 0, 0, 1]), options)?;
        let address = server.address.to_string();
        let told = ask(&[&[PROBE, "--server", &address], arguments].concat());
        assert_eq!(
            (told.status, told.outcome()),
            (status, outcome),
            "{options:?}"
        );
        Some(told)
    };
    let greylist = ["-r", "RCPT", "-b", "451 4.7.1 Greylisted"];
    let Some(told) = check(&greylist, &[], 1, "greylisted") else {
        return;
    };
    assert_eq!(told.code("rcpt"), 451);
    check(&greylist, &["--tempfail-is", "success"], 0, "greylisted");
    // A server of the last century, in two ways.
    for options in [["-f", "EHLO"].as_slice(), &["-e"]] {
        let told = check(options, &["--send"], 0, "ok").expect("it was there before");
        assert!(told.said().contains(&"HELO client.test".to_owned()));
    }
    check(&["-q", "DATA"], &["--send"], 1, "disconnected");
    let told = check(&["-Q", "MAIL"], &[], 1, "tempfail").expect("it was there before");
    assert_eq!(told.code("mail"), 421);
    check(&["-r", "."], &["--send"], 1, "tempfail");
    check(&["-f", "."], &["--send"], 1, "permfail");
    let lmtp = check(&["-L"], &["--lmtp", "--send"], 0, "ok").expect("it was there before");
    assert_eq!(lmtp.code("accept"), 250);
    // Who wants TLS does not go on without.
    check(&[], &["--starttls", "required", "--send"], 1, "tls_failed");
}

#[test]
fn delay_is_in_the_phase_in_which_it_is() {
    const TEST: &str = "delay_is_in_the_phase_in_which_it_is";
    for (command, phase) in [
        ("CONNECT", "banner"),
        ("EHLO", "ehlo"),
        ("RCPT", "rcpt"),
        (".", "accept"),
    ] {
        let delay = format!("{command}:1");
        let Some(server) = smtp_sink(TEST, free([127, 0, 0, 1]), &["-W", &delay]) else {
            return;
        };
        let told = ask(&[PROBE, "--server", &server.address.to_string(), "--send"]);
        assert_eq!(told.outcome(), "ok", "{command}");
        let delayed = Duration::from_secs_f64(told.seconds(phase));
        // It sleeps for whole seconds of its own clock.
        let expected = Duration::from_millis(990)..Duration::from_millis(2500);
        assert!(expected.contains(&delayed), "{phase}: {delayed:?}");
        let phases = told.run()["metrics"]["probe_smtp_duration_seconds"].clone();
        let phases = phases.as_object().expect("they are by name").clone();
        let others = phases.iter().filter(|(name, _)| *name != phase);
        for (name, seconds) in others {
            assert!(
                seconds.as_f64().expect("a number") < 0.9,
                "{name}: {seconds}"
            );
        }
    }
}
