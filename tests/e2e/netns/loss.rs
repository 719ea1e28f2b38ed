//! Is what the network drops what the program says is lost: no more, no less, at any moment?

use std::thread;
use std::time::Duration;

use super::echoes::{Echoes, Ping, TIMEOUT};
use super::lab::Lab;

#[test]
fn as_many_are_lost_as_the_network_has_dropped() {
    let Some(lab) = Lab::new("as_many_are_lost_as_the_network_has_dropped") else {
        return;
    };
    lab.lose(20);
    let targets = ["10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"];
    let options = ["-c", "1000", "-i", "1ms", "-W", "500ms"];
    let events = Ping::start(&lab.prober, &[&options[..], &targets].concat()).events();
    for (family, start) in [("v4", "10.77."), ("v6", "fd77:")] {
        let echoes = Echoes::told(&events, |target| target.starts_with(start));
        let dropped = lab.dropped(family);
        assert!((200..600).contains(&dropped), "{family}: {dropped}");
        echoes.check(&[("ok", 2_000 - dropped), (TIMEOUT, dropped)]);
    }
}

#[test]
fn every_scrape_adds_up() {
    let Some(lab) = Lab::new("every_scrape_adds_up") else {
        return;
    };
    lab.lose(30);
    let targets: Vec<String> = (1..=20)
        .flat_map(|host| [format!("10.77.0.{host}"), format!("fd77::{host}")])
        .collect();
    let program = lab.start(&format!(
        "probes:\n- name: lossy\n  every: 400ms\n  timeout: 400ms\n  \
         icmp: {{ count: 10, interval: 10ms, wait: 50ms }}\n  targets: ['{}']\n",
        targets.join("', '")
    ));
    let scrape = || lab.prober.within(|| program.get("/metrics"));
    let mut random = 1_u64;
    let mut seen = 0;
    for _ in 0..60 {
        // Anything but a grid, lest each scrape find the runs at the same point.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        thread::sleep(Duration::from_micros(random >> 49));
        let metrics = scrape();
        for target in &targets {
            let echoes = Echoes::scraped(&metrics, |of| of == target);
            let in_flight = echoes.sent.checked_sub(echoes.ended());
            assert!(
                in_flight.is_some_and(|count| count <= 10),
                "{target}: {echoes:?}"
            );
        }
        let all = Echoes::scraped(&metrics, |_| true);
        assert!(all.sent >= seen, "{} after {seen}", all.sent);
        seen = all.sent;
    }
    let all = Echoes::scraped(&scrape(), |_| true);
    assert!(all.of("ok") > 0 && all.of(TIMEOUT) > 0, "{all:?}");
    // A busy machine may be late to send, and then says so.
    let expected = ["ok", TIMEOUT, "local_suspect", "send_error"];
    let expected: u64 = expected.iter().map(|outcome| all.of(outcome)).sum();
    assert_eq!(all.ended(), expected, "{all:?}");
}
