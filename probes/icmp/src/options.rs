//! What may be chosen about a ping?
//!
//! The keys that `blackbox_exporter` has too bear its names, defaults and meaning. Whether a source
//! address exists on this host shows only when a request is sent.

mod words;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{OptionsError, Period};
use leadsman_core::{Blocker, Fault, Options, Preference, Sweep, Target};
use leadsman_wire::{RequestOptions, Ttl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ping::Ping;
use crate::sweep::PingSweep;

use words::{HexPattern, InterfaceName, Label, PayloadSize, Timestamps};

/// Options of the ICMP echo probe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PingOptions {
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Address to send from, of this host and of the target's family; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Interface to send from and to hear replies on; the routing table chooses if none is given.
    #[schemars(with = "Option<String>")]
    pub(crate) interface: Option<InterfaceName>,
    /// Firewall mark of the requests, by which `ip rule` may route them; takes the capability to administer networks.
    pub(crate) mark: Option<u32>,
    /// Bytes of payload after the ICMP header; 0 stands for 28.
    #[schemars(with = "u32", range(max = 65_507))]
    pub(crate) payload_size: PayloadSize,
    /// Forbid fragmentation, so that too large a request is reported rather than split.
    pub(crate) dont_fragment: bool,
    /// Hops that a request may travel; 0 is the system's default.
    pub(crate) ttl: u8,
    /// Type of service (IPv4) or traffic class (IPv6) byte: DSCP in the upper six bits.
    pub(crate) tos: u8,
    /// IPv6 flow label, 1 to 1048575; the system chooses if none is given. IPv4 has none.
    #[schemars(with = "Option<u32>", range(min = 1, max = 0xf_ffff))]
    pub(crate) flow_label: Option<Label>,
    /// Bytes that fill the payload behind what leadsman keeps there, 1 to 16 in hexadecimal digits.
    #[schemars(with = "Option<String>")]
    pub(crate) pattern: Option<HexPattern>,
    /// Which packets the kernel stamps: both, replies or neither. The fewer, the cheaper and the less exact.
    pub(crate) timestamps: Timestamps,
    /// Requests in a run; 0 keeps asking until the run's deadline, or by hand until you stop it.
    pub(crate) count: u32,
    /// Time between the requests of a run, at least 1ms; answers are not waited for in between.
    pub(crate) interval: Period,
    /// How long to wait for each reply before it counts as lost; until the run's deadline if none is given.
    pub(crate) wait: Option<Period>,
}

impl Default for PingOptions {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            interface: None,
            mark: None,
            payload_size: PayloadSize::default(),
            dont_fragment: false,
            ttl: 64,
            tos: 0,
            flow_label: None,
            pattern: None,
            timestamps: Timestamps::Both,
            count: 1,
            interval: Period(Duration::from_secs(1)),
            wait: None,
        }
    }
}

impl Options for PingOptions {
    type Probe = Ping;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Ping, OptionsError> {
        target.host()?;
        if *self.interval < SHORTEST_INTERVAL {
            return Err(OptionsError::field("interval", "must be at least 1ms"));
        }
        if self.wait.is_some_and(|wait| wait.is_zero()) {
            return Err(OptionsError::field("wait", "must be longer than 0s")
                .help("leave it out to wait until the run's deadline"));
        }
        Ok(Ping::new(Arc::clone(self)))
    }

    fn sweep(self: &Arc<Self>) -> Option<Box<dyn Sweep>> {
        Some(Box::new(PingSweep(Arc::clone(self))))
    }

    fn packets(&self, timeout: Duration) -> Option<u64> {
        let room = 1 + timeout
            .as_nanos()
            .div_ceil(self.interval.as_nanos())
            .saturating_sub(1);
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        Some(match self.count {
            0 => room,
            count => room.min(count.into()),
        })
    }
}

impl PingOptions {
    /// What these options mean for the packets.
    pub(crate) fn echo(&self) -> RequestOptions {
        RequestOptions {
            source: self.source_ip_address,
            interface: self.interface.map(|interface| interface.0),
            mark: self.mark,
            ttl: Ttl::new(self.ttl),
            tos: self.tos,
            flow_label: self.flow_label.map(|label| label.0),
            dont_fragment: self.dont_fragment,
            payload_size: match self.payload_size {
                PayloadSize(0) => DEFAULT_PAYLOAD_SIZE,
                PayloadSize(size) => size,
            },
            pattern: self.pattern.map(|pattern| pattern.0),
            stamps: self.timestamps.into(),
            ..RequestOptions::default()
        }
    }

    /// Refuses what cannot be asked of an address.
    pub(crate) fn fit(&self, address: IpAddr) -> Result<(), Fault> {
        if self.flow_label.is_some() && address.to_canonical().is_ipv4() {
            let why = format!("IPv4 has no flow label, so that none can be sent to {address}");
            return Err(Fault::Own(Blocker::Network, why.into()));
        }
        Ok(())
    }

    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
    }
}

/// As many bytes as `blackbox_exporter` sends when none are asked for.
const DEFAULT_PAYLOAD_SIZE: usize = 28;

/// The resolution of the runtime's timers: a shorter interval could not be kept.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use leadsman_core::options::{Kind, Node, read};

    use super::*;

    #[test]
    fn options_are_refused_with_words_that_help() {
        for (key, value, expected) in [
            (
                "ttl",
                "-1",
                "ttl: expected a whole number from 0 to 255, got `-1`",
            ),
            (
                "ttl",
                "256",
                "ttl: expected a whole number from 0 to 255, got `256`",
            ),
            ("ttl", "0", ""),
            ("ttl", "255", ""),
            ("payload_size", "65507", ""),
            (
                "payload_size",
                "65508",
                "payload_size: an echo request holds at most 65507 bytes",
            ),
            (
                "payload_size",
                "70000",
                "payload_size: an echo request holds at most 65507 bytes",
            ),
            (
                "source_ip_address",
                "eth0",
                "source_ip_address: invalid IP address syntax",
            ),
            ("interval", "500us", "interval: must be at least 1ms"),
            ("interval", "1ms", ""),
            (
                "wait",
                "0s",
                "wait: must be longer than 0s (leave it out to wait until the run's deadline)",
            ),
            ("wait", "250ms", ""),
            ("count", "0", ""),
        ] {
            check("192.0.2.1", &[(key, value)], expected);
        }
    }

    #[test]
    fn a_target_is_the_name_or_address_of_a_host() {
        for (address, expected) in [
            ("192.0.2.1", ""),
            ("2001:db8::1", ""),
            ("example.com", ""),
            (
                "http://example.com/",
                "not the name or address of a host (write a name or an \
                 address, such as example.com, 192.0.2.1 or 2001:db8::1)",
            ),
        ] {
            check(address, &[], expected);
        }
    }

    #[test]
    fn a_run_sends_no_more_than_it_has_time_for() {
        for (count, interval, timeout, expected) in [
            (1, 1000, 1000, 1),
            (10, 1000, 1000, 1),
            (5, 1000, 5000, 5),
            (0, 1000, 4500, 5),
            (3, 1, 0, 1),
        ] {
            let options = PingOptions {
                count,
                interval: Period(Duration::from_millis(interval)),
                ..PingOptions::default()
            };
            assert_eq!(
                options.packets(Duration::from_millis(timeout)),
                Some(expected)
            );
        }
    }

    /// Reads and aims; `expected` is the complaint, or empty for none.
    fn check(address: &str, options: &[(&str, &str)], expected: &str) {
        let entries = options
            .iter()
            .map(|(k, v)| (Node::word(*k), Node::word(*v)));
        let said = match read::<PingOptions>(&Node::new(Kind::Map(entries.collect()))) {
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
            Ok(options) => match Arc::new(options).aim(&Target::new(address)) {
                Err(error) => error.to_string(),
                Ok(_) => String::new(),
            },
        };
        assert_eq!(said, expected, "{address:?} {options:?}");
    }

    #[test]
    fn only_ipv6_has_flow_labels() {
        let labelled = PingOptions {
            flow_label: Some(Label::try_from(1).unwrap()),
            ..PingOptions::default()
        };
        for (address, expected) in [
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("::1", true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(labelled.fit(address).is_ok(), expected, "{address}");
            assert!(PingOptions::default().fit(address).is_ok());
        }
    }

    #[test]
    fn no_payload_size_means_that_of_blackbox_exporter() {
        let options = PingOptions {
            payload_size: PayloadSize::default(),
            ttl: 0,
            ..PingOptions::default()
        };
        assert_eq!(
            options.echo(),
            RequestOptions {
                payload_size: 28,
                ..RequestOptions::default()
            }
        );
    }
}
