//! How do real sockets get into the simulated network?
//!
//! A thread carries packets between a TUN device, in a namespace of its own, and a [`Network`].
//! Its timer is late, as any is, so that nothing may be held against the delays of the scenario:
//! what counts is the network's record, which has the moments when a packet was read from the
//! device and when the answer was written to it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use leadsman_wire::laboratory;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::time::{ClockId, clock_gettime};

use crate::{Namespace, NamespaceError, Network};

/// A simulated network at work, with a namespace where probers live.
#[derive(Debug)]
pub struct Tunnel {
    namespace: Namespace,
    stop: OwnedFd,
    carrier: Option<JoinHandle<Network>>,
}

impl Tunnel {
    /// IPv4 address of the prober.
    pub const V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    /// IPv6 address of the prober.
    pub const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);

    /// Sets a network to work; its time begins now.
    pub fn open(network: Network) -> Result<Self, NamespaceError> {
        let tun_error = |source| NamespaceError::Tun { source };
        let namespace = Namespace::new()?;
        let tun = namespace
            .run(|| laboratory::open_tun(c"lab"))
            .map_err(tun_error)?;
        namespace.set(&[
            ("ipv6/conf/lab/accept_dad", "0"),
            ("ipv6/conf/lab/router_solicitations", "0"),
        ])?;
        namespace.ip(&format!(
            "address add {}/32 dev lab\n\
             address add {}/128 dev lab nodad\n\
             link set lab mtu 65535 txqueuelen 20000 up\n\
             route add default dev lab\n\
             route add ::/0 dev lab\n",
            Self::V4,
            Self::V6
        ))?;
        namespace.await_address(Self::V6)?;
        let stop = eventfd(0, EventfdFlags::empty()).map_err(|error| tun_error(error.into()))?;
        let stopped = stop.try_clone().map_err(tun_error)?;
        let carry = move || carry(&tun, network, &stopped);
        Ok(Self {
            namespace,
            stop,
            carrier: Some(std::thread::spawn(carry)),
        })
    }

    /// Where the probers live.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Ends it, and returns the network with its record.
    ///
    /// # Panics
    ///
    /// If the device failed.
    pub fn close(mut self) -> Network {
        self.stop();
        let carrier = self.carrier.take().expect("only this takes it, once");
        carrier.join().expect("the device works")
    }

    fn stop(&self) {
        let written = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        written.expect("a counter at zero takes a one");
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if self.carrier.is_some() {
            self.stop();
        }
    }
}

/// Carries packets until `stop` can be read.
fn carry(mut tun: &File, mut network: Network, stop: &OwnedFd) -> Network {
    let began = monotonic();
    let now = || monotonic().saturating_sub(began);
    let mut packet = vec![0; 65_536];
    loop {
        let mut polls = [
            PollFd::from_borrowed_fd(tun.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        let rest = network.next().map(|at| at.saturating_sub(now()));
        let rest = rest.map(|rest| Timespec::try_from(rest).expect("it is short"));
        poll(&mut polls, rest.as_ref()).expect("both descriptors are open");
        let is_over = !polls[1].revents().is_empty();
        // A few at a time, lest answers wait for a flood of requests. In the end all: they were sent.
        let most = if is_over { usize::MAX } else { 16 };
        for _ in 0..most {
            match tun.read(&mut packet) {
                Ok(length) => {
                    network.inject(now(), &packet[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot read from the TUN device: {error}"),
            }
        }
        if is_over {
            return network;
        }
        while let Some(delivery) = network.due(now()) {
            let written = tun.write(&delivery.packet);
            written.unwrap_or_else(|error| panic!("cannot write to the TUN device: {error}"));
            network.arrived(&delivery, now());
        }
    }
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).expect("time since the start of the machine is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{Raw, echo, udp};
    use crate::{Ending, Why, or_skip};

    #[test]
    fn real_packets_travel_through_the_simulated_network_and_are_recorded() {
        let scenario = "
            about = 'three hops, one of them silent'
            [[node]]
            out.delay.constant = '5ms'
            [[node]]
            silent = true
            [[node]]
            serves = ['10.9.0.1', 'fd00:9::1']
        ";
        let network = Network::new(&scenario.parse().unwrap()).unwrap();
        let Some(tunnel) = or_skip(Tunnel::open(network)) else {
            return;
        };
        let raw = Raw::open(tunnel.namespace());
        for [from, to] in [["10.0.0.1", "10.9.0.1"], ["fd00::1", "fd00:9::1"]] {
            let (_, reply) = raw.ask(&echo(from, to, 64, 7, 2_000)).unwrap();
            assert_eq!(reply.len(), 2_008);
            let (hop, error) = raw.ask(&echo(from, to, 1, 7, 56)).unwrap();
            assert!(
                ["10.0.1.1", "fd00:0:1::1"].contains(&&*hop.to_string()),
                "{hop}"
            );
            assert!(matches!(error[..2], [11 | 3, 0]), "{error:?}");
            let (target, _) = raw.ask(&udp(from, to, 64, 33_000)).unwrap();
            assert_eq!(target.to_string(), to);
        }
        raw.send(&echo("10.0.0.1", "10.9.0.1", 2, 7, 56));
        assert_eq!(raw.next(true), None);
        let network = tunnel.close();
        let records = network.records();
        assert_eq!(records.len(), 7);
        for record in &records[..6] {
            let answer = record.heard()[0];
            assert!(
                record.round_trip(&answer) >= Duration::from_millis(5),
                "{record:?}"
            );
        }
        let [Ending::Vanished { why, .. }] = records[6].endings[..] else {
            panic!("{records:?}");
        };
        assert_eq!(why, Why::Silent);
    }
}
