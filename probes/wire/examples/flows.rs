//! What does a lane cost, without a program around it?
//!
//! `flows FILE RATE SECONDS`: a flow to each address in FILE, asked in turn so that RATE requests a
//! second leave. Prints what became of them, and the processor time of the lane per request.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::engine::Stamp;
use leadsman_wire::{Flow, Heard, RequestOptions};

#[expect(clippy::print_stdout, reason = "its whole purpose")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rate, seconds] = &arguments[..] else {
        return Err("usage: flows FILE RATE SECONDS".into());
    };
    let (rate, seconds): (u64, u64) = (rate.parse()?, seconds.parse()?);
    let mut flows = Vec::new();
    for address in std::fs::read_to_string(file)?.lines() {
        flows.push(Flow::open(
            address.parse::<IpAddr>()?,
            RequestOptions::default(),
        )?);
    }
    let begin = Stamp::now();
    let (mut asked, mut answers, mut others) = (0, 0_u64, 0_u64);
    let mut hear = || {
        for flow in &flows {
            while let Some(heard) = flow.heard_already() {
                match heard {
                    Heard::Answer(_) => answers += 1,
                    _ => others += 1,
                }
            }
        }
    };
    while asked < rate * seconds {
        let due = Stamp::now().since(begin).as_micros() as u64 * rate / 1_000_000;
        while asked < due.min(rate * seconds) {
            flows[asked as usize % flows.len()].send(Duration::from_secs(1));
            asked += 1;
        }
        if asked % flows.len() as u64 == 0 {
            hear();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(1_200));
    hear();
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let name = std::fs::read_to_string(task.join("comm"))?;
        let spent = std::fs::read_to_string(task.join("schedstat"))?;
        let spent: u64 = spent.split(' ').next().unwrap_or_default().parse()?;
        println!("{}: {} ns per request", name.trim(), spent / asked);
    }
    println!("asked={asked} answers={answers} others={others}");
    Ok(())
}
