//! Sends many messages to a sink on this host, to measure what one costs:
//!
//! ```text
//! cargo run --release -p leadsman-smtp --features load --example load -- 127.0.0.1:2525 5000 10 1000
//! ```
//!
//! The sink, and how many messages, connections at once, and octets of text.

use std::error::Error;

use leadsman_smtp::load::Load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [sink, count, parallel, size] = &given[..] else {
        return Err("give SINK COUNT PARALLEL SIZE, such as 127.0.0.1:2525 5000 10 1000".into());
    };
    let load = Load {
        sink: sink.parse()?,
        count: count.parse()?,
        parallel: parallel.parse()?,
        size: size.parse()?,
    };
    Ok(load.send().await?)
}
