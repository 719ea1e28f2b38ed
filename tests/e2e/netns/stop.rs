//! What does a program that was stopped for a while say of the time in between?

use std::thread;
use std::time::Duration;

use super::echoes::Echoes;
use super::lab::Lab;
use super::responder::Responder;

#[test]
fn a_program_that_was_stopped_invents_no_loss() {
    let Some(lab) = Lab::new("a_program_that_was_stopped_invents_no_loss") else {
        return;
    };
    // At any moment some thirty replies are under way, and each has 700 ms left.
    let answering = Responder::new(&lab.far).after(Duration::from_millis(300));
    let targets = (1..=100).map(|host| format!("10.77.0.{host}, "));
    let program = lab.start(&format!(
        "probes:\n- name: stopped\n  every: 1s\n  timeout: 1s\n  icmp: {{}}\n  targets: [{}]\n",
        targets.collect::<String>()
    ));
    let until = |ok| {
        lab.prober.within(|| {
            program.wait(Duration::from_secs(30), |metrics| {
                Echoes::scraped(metrics, |_| true).of("ok") >= ok
            })
        })
    };
    let before = until(150);
    program.signal("STOP");
    thread::sleep(Duration::from_secs(3));
    program.signal("CONT");
    let ok = Echoes::scraped(&before, |_| true).of("ok");
    let after = until(ok + 200);

    let echoes = Echoes::scraped(&after, |_| true);
    assert_eq!(echoes.of("ok"), echoes.ended(), "{echoes:?}");
    assert!(echoes.sent - echoes.ended() <= 100, "{echoes:?}");
    let failed = "probe_failures_total{probe=\"stopped\",target=\"10.77.0.1\",reason=\"timeout\"}";
    assert_eq!(after.value(failed), Some(0.0), "{}", after.body);
    let missed = ["overrun", "overload"].map(|reason| {
        let series = format!("leadsman_schedule_missed_total{{reason=\"{reason}\"}}");
        after.value(&series).expect("it is always there")
    });
    // Three seconds without runs, less the ones that were due just before and just after.
    assert!(missed.iter().sum::<f64>() >= 100.0, "{missed:?}");
    answering.end();
}
