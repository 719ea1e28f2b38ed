//! Whom may a run ask?
//!
//! Anybody, unless whoever orders it sets up a [`Fence`]: as the host does for runs that strangers
//! may ask for, so that they cannot have it look around in networks that they do not reach
//! themselves. Every address that a run comes to is held against it, be it the target's or that of a
//! redirect, a proxy or a mail exchanger; so a name may be permitted and what it leads to not. What is
//! permitted is the host's to decide: here is only where it is asked.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use crate::{Blocker, Fault};

/// Decides whom a run may ask.
pub trait Fence: fmt::Debug + Send + Sync {
    /// Whether a run that came to `address` by way of the name `host`, or was given it as it is if
    /// there is none, may ask it at `port`; without a port, whether it may at any. Port 0 stands for
    /// protocols that have no ports, such as ICMP. An IPv4 address is always told as one.
    fn admits(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool;

    /// Whether somebody else, such as a proxy, may be asked to ask `host` at `port`: nobody here
    /// knows then where the name leads.
    fn admits_name(&self, host: &str, port: u16) -> bool;

    /// Whether the socket at this path of the file system may be asked.
    fn admits_path(&self, path: &str) -> bool;

    /// Where a person changes what is permitted, such as the key of a configuration.
    fn place(&self) -> &str;
}

/// A fence, and what a run has found out about names behind it.
#[derive(Debug)]
pub(crate) struct Fenced<'a> {
    fence: &'a dyn Fence,
    /// Names, and the permitted addresses that they were found to lead to.
    led: Mutex<Vec<(String, Vec<IpAddr>)>>,
}

/// A run may not ask whom it came to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{whom} may not be probed from here: {place} does not permit it")]
pub(crate) struct Forbidden {
    whom: String,
    place: String,
}

impl<'a> Fenced<'a> {
    pub(crate) fn new(fence: &'a dyn Fence) -> Self {
        Self {
            fence,
            led: Mutex::default(),
        }
    }

    /// Of the addresses that were found for `host` those which may be asked at some port; they are
    /// remembered as the name's. An error if there is none.
    pub(crate) fn let_through(
        &self,
        host: &str,
        addresses: Vec<IpAddr>,
    ) -> Result<Vec<IpAddr>, Fault> {
        // An address in place of a name was not found by any.
        let name = host.parse::<IpAddr>().is_err().then_some(host);
        let admits = |address: &IpAddr| self.fence.admits(name, address.to_canonical(), None);
        let (through, kept_out): (Vec<_>, Vec<_>) = addresses.into_iter().partition(admits);
        if through.is_empty() {
            let kept_out: Vec<_> = kept_out.iter().map(ToString::to_string).collect();
            let kept_out = kept_out.join(", ");
            return Err(self.forbidden(match name {
                Some(name) => format!("{name}, which leads to {kept_out},"),
                None => kept_out,
            }));
        }
        if let Some(name) = name {
            let addresses = through.iter().map(IpAddr::to_canonical).collect();
            let mut led = self.led.lock().unwrap_or_else(PoisonError::into_inner);
            led.push((name.to_owned(), addresses));
        }
        Ok(through)
    }

    pub(crate) fn permits(&self, peer: SocketAddr) -> Result<(), Fault> {
        let (address, port) = (peer.ip().to_canonical(), peer.port());
        let admits = |name| self.fence.admits(name, address, Some(port));
        let led = self.led.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = led
            .iter()
            .filter(|(_, addresses)| addresses.contains(&address));
        if admits(None) || names.any(|(name, _)| admits(Some(name))) {
            return Ok(());
        }
        Err(self.forbidden(match port {
            0 => format!("{address} without a port"),
            port => format!("{address} at port {port}"),
        }))
    }

    pub(crate) fn permits_name(&self, host: &str, port: u16) -> Result<(), Fault> {
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if let Ok(address) = literal {
            return self.permits(SocketAddr::new(address, port));
        }
        let permitted = self.fence.admits_name(host, port);
        let forbidden = || self.forbidden(format!("{host} at port {port} by way of a proxy"));
        permitted.then_some(()).ok_or_else(forbidden)
    }

    pub(crate) fn permits_path(&self, path: &str) -> Result<(), Fault> {
        let permitted = self.fence.admits_path(path);
        let forbidden = || self.forbidden(format!("the socket {path}"));
        permitted.then_some(()).ok_or_else(forbidden)
    }

    fn forbidden(&self, whom: String) -> Fault {
        let place = self.fence.place().to_owned();
        Fault::Own(Blocker::Permission, Box::new(Forbidden { whom, place }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Permits what is named `good.test`, at port 80 and below 192.0.2.0/24, and 198.51.100.1.
    #[derive(Debug)]
    struct Narrow;

    impl Fence for Narrow {
        fn admits(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
            let named = host == Some("good.test") && address.to_string().starts_with("192.0.2.");
            let port_fits = port.is_none_or(|port| port == 80);
            (named && port_fits) || address == IpAddr::from([198, 51, 100, 1])
        }

        fn admits_name(&self, host: &str, port: u16) -> bool {
            (host, port) == ("good.test", 80)
        }

        fn admits_path(&self, path: &str) -> bool {
            path == "/run/good.sock"
        }

        fn place(&self) -> &'static str {
            "the list"
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_opens_the_way_only_to_addresses_that_it_was_found_to_lead_to() {
        let fenced = Fenced::new(&Narrow);
        let one: IpAddr = [192, 0, 2, 1].into();
        assert!(fenced.permits(at("192.0.2.1:80")).is_err());
        let found = fenced.let_through("good.test", vec![[127, 0, 0, 1].into(), one]);
        assert_eq!(found.unwrap(), [one]);
        for (peer, expected) in [
            ("192.0.2.1:80", true),
            ("[::ffff:192.0.2.1]:80", true),
            ("192.0.2.1:22", false),
            ("192.0.2.1:0", false),
            ("192.0.2.2:80", false),
            ("127.0.0.1:80", false),
            ("198.51.100.1:22", true),
            ("[::ffff:198.51.100.1]:22", true),
        ] {
            assert_eq!(fenced.permits(at(peer)).is_ok(), expected, "{peer}");
        }
    }

    #[test]
    fn who_is_kept_out_is_told_with_the_place_to_change_it() {
        let fenced = Fenced::new(&Narrow);
        let looked_up = |host: &str, address: [u8; 4]| {
            let found = fenced.let_through(host, vec![address.into()]);
            found.map(drop)
        };
        for (refused, expected) in [
            (
                looked_up("good.test", [127, 0, 0, 1]),
                "good.test, which leads to 127.0.0.1, may not be probed from here: the list does \
                 not permit it",
            ),
            (
                looked_up("192.0.2.1", [192, 0, 2, 1]),
                "192.0.2.1 may not be probed from here: the list does not permit it",
            ),
            (
                fenced.permits(at("192.0.2.9:25")),
                "192.0.2.9 at port 25 may not be probed from here: the list does not permit it",
            ),
            (
                fenced.permits_name("evil.test", 80),
                "evil.test at port 80 by way of a proxy may not be probed from here: the list does \
                 not permit it",
            ),
            (
                fenced.permits_name("[::1]", 80),
                "::1 at port 80 may not be probed from here: the list does not permit it",
            ),
            (
                fenced.permits_path("/run/other.sock"),
                "the socket /run/other.sock may not be probed from here: the list does not permit \
                 it",
            ),
        ] {
            let fault = refused.unwrap_err();
            assert_eq!(fault.reason(), "permission");
            assert_eq!(fault.to_string(), expected);
        }
        assert!(fenced.permits_name("good.test", 80).is_ok());
        assert!(fenced.permits_path("/run/good.sock").is_ok());
    }
}
