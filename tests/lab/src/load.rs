//! What is sent into a network, when and to whom?
//!
//! Echo requests on a plain grid: what is special about a scenario is its network.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::options::Period;
use serde::Deserialize;

use crate::Prefix;

/// Echo requests to send.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Whom to ask: the first `hosts` addresses of each range.
    pub targets: Vec<Prefix>,
    /// How many addresses of each range; one by default.
    #[serde(default = "one")]
    pub hosts: u32,
    /// How many requests to each address.
    pub count: u32,
    /// How long between requests to one address; those to different ones are spread over it.
    pub every: Period,
    /// How long to wait for each answer.
    pub wait: Period,
    /// TTL or hop limit of the requests; 64 by default.
    #[serde(default = "usual_ttl")]
    pub ttl: u8,
    /// Bytes after the ICMP header; 56 by default.
    #[serde(default = "usual_size")]
    pub size: usize,
}

/// One request to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Duration,
    /// Which address: its place in [`Load::addresses`].
    pub host: usize,
    /// Which request to that address, from 0.
    pub sequence: u64,
}

impl Load {
    /// Returns all addresses to ask.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let hosts = |prefix: &Prefix| {
            let prefix = *prefix;
            (0..u128::from(self.hosts)).map(move |n| prefix.nth(n))
        };
        self.targets.iter().flat_map(hosts).collect()
    }

    /// Returns all requests in the order of their times.
    pub fn requests(&self) -> impl Iterator<Item = Asked> {
        let hosts = self.targets.len() as u32 * self.hosts;
        let every = *self.every;
        (0..self.count).flat_map(move |sequence| {
            (0..hosts).map(move |host| Asked {
                at: every * sequence + every * host / hosts,
                host: host as usize,
                sequence: sequence.into(),
            })
        })
    }
}

fn one() -> u32 {
    1
}

fn usual_ttl() -> u8 {
    64
}

fn usual_size() -> usize {
    56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spread_over_the_interval() {
        let load = Load {
            targets: vec![
                "10.9.0.0/16".parse().unwrap(),
                "fd00:9::/64".parse().unwrap(),
            ],
            hosts: 2,
            count: 2,
            every: Period(Duration::from_millis(100)),
            wait: Period(Duration::from_secs(1)),
            ttl: 64,
            size: 56,
        };
        let addresses = load.addresses();
        assert_eq!(addresses[3].to_string(), "fd00:9::1");
        let times = load.requests().map(|asked| asked.at.as_millis());
        let times: Vec<u128> = times.collect();
        assert_eq!(times, [0, 25, 50, 75, 100, 125, 150, 175]);
        let last = load.requests().last().unwrap();
        assert_eq!((last.host, last.sequence), (3, 1));
    }
}
