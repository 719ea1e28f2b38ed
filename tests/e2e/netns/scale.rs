//! Does it keep its accounts with very many requests in flight, and with very many targets?
//!
//! How late its runs start is no matter here, for a busy machine may be late; whether what it says
//! is true is.

use std::fs;
use std::thread;
use std::time::Duration;

use super::echoes::{Echoes, TIMEOUT};
use super::lab::Lab;
use super::responder::Responder;

#[test]
fn two_hundred_thousand_requests_in_flight_are_told_apart() {
    let Some(lab) = Lab::new("two_hundred_thousand_requests_in_flight_are_told_apart") else {
        return;
    };
    let responder = Responder::new(&lab.far);
    let targets: String = (0..400)
        .map(|host| format!("  - 10.77.{}.{}\n", host / 200, host % 200 + 1))
        .collect();
    let begin = tokio::time::Instant::now();
    let program = lab.start(&format!(
        "probes:\n- name: many\n  every: 120s\n  timeout: 120s\n  \
         icmp: {{ count: 500, interval: 10ms, wait: 60s }}\n  targets:\n{targets}"
    ));
    thread::sleep(Duration::from_secs(10));
    eprintln!("{:?} {}", begin.elapsed(), responder.heard());
    thread::sleep(Duration::from_secs(10));
    eprintln!("{:?} {}", begin.elapsed(), responder.heard());
    eprintln!("{}", fs::read_to_string(format!("/proc/{}/stat", program.process())).unwrap());
}
