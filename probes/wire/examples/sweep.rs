//! What does asking many addresses cost, without a program around it?
//!
//! `sweep FILE COUNT [--no-stamps]`: FILE has one address a line. Prints what became of the requests.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::{Heard, Plan, RequestOptions, Stamps, Sweep};

#[expect(clippy::print_stdout, reason = "its whole purpose")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, count, rest @ ..] = &arguments[..] else {
        return Err("usage: sweep FILE COUNT [--no-stamps]".into());
    };
    let addresses: Result<Vec<IpAddr>, _> = std::fs::read_to_string(file)?
        .lines()
        .map(str::parse)
        .collect();
    let stamps = match rest {
        [] => Stamps::Both,
        _ => Stamps::Arrivals,
    };
    let options = RequestOptions {
        stamps,
        ..RequestOptions::default()
    };
    let plan = Plan {
        count: count.parse()?,
        until_answered: false,
        interval: Duration::from_millis(1),
        wait: Duration::from_secs(1),
        rate: None,
    };
    let (mut answers, mut silent, mut unsent, mut sum) = (0_u32, 0_u32, 0_u32, Duration::ZERO);
    Sweep::new(options).run(&addresses?, &plan, || false, &mut |_, heard| match heard {
        Heard::Answer(answer) => {
            answers += 1;
            sum += answer.rtt;
        }
        Heard::Silence(_) => silent += 1,
        Heard::NotSent(_) => unsent += 1,
    })?;
    let mean = sum.checked_div(answers).unwrap_or_default();
    println!("answers={answers} silent={silent} unsent={unsent} mean={mean:?}");
    Ok(())
}
