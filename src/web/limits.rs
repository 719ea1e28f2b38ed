//! Who asks too often, and are too many runs under way?
//!
//! For `/probe`, which makes this host send packets, and for all there is; and only where the
//! configuration says how much is too much. A client is the address that the connection comes from, of IPv6 its /64, for
//! that much is everybody's own. Behind a reverse proxy all are one client: no header is believed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// What is under way, and who asked when.
#[derive(Debug, Default)]
pub(super) struct Limits {
    running: AtomicUsize,
    /// When all together will have made up for what they have asked.
    all: Mutex<Option<Instant>>,
    /// When each client will have made up for what it has asked, if it asks for nothing more.
    clients: Mutex<HashMap<IpAddr, Instant>>,
}

/// A run's place among those under way.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Limits {
    /// Takes a place for one more run; `None` if `most` are taken.
    pub(super) fn begin(&self, most: usize) -> Option<Place<'_>> {
        let order = Ordering::Relaxed;
        let free = |running: usize| (running < most).then(|| running + 1);
        let begun = self.running.fetch_update(order, order, free);
        begun.ok().map(|_| Place(&self.running))
    }

    /// Counts a request of `client`, or says after how long it may come again.
    pub(super) fn ask(&self, client: IpAddr, rate: Rate, now: Instant) -> Result<(), Duration> {
        let (interval, client) = (rate.interval(), own(client));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(&client) {
            clients.retain(|_, even| *even > now);
            if clients.len() >= MOST_CLIENTS {
                // So many at once are one with many addresses, and no list of them keeps it back.
                clients.clear();
            }
        }
        let even = clients.get(&client).copied().unwrap_or(now);
        clients.insert(client, paced(even, now, interval, rate.count.get())?);
        Ok(())
    }

    /// Counts a request of anybody, of which one may come in each `interval` and so many at once.
    pub(super) fn ask_all(
        &self,
        interval: Duration,
        at_once: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        *all = Some(paced(all.unwrap_or(now), now, interval, at_once)?);
        Ok(())
    }
}

/// Whole seconds that are not over before `wait` is.
pub(super) fn whole(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// When somebody will have made up for one more request who has for those before at `even`; or how
/// long until that request may come.
fn paced(
    even: Instant,
    now: Instant,
    interval: Duration,
    at_once: u32,
) -> Result<Instant, Duration> {
    let even = even.max(now);
    let too_far = (even - now).saturating_sub(interval * (at_once - 1));
    if too_far.is_zero() {
        Ok(even + interval)
    } else {
        Err(too_far)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The part of an address that tells clients apart.
fn own(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Clients that are remembered at once, a few megabytes.
const MOST_CLIENTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_client_has_its_own_rate() {
        let limits = Limits::default();
        let rate: Rate = "2/m".parse().unwrap();
        let now = Instant::now();
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        for (client, seconds, expected) in [
            ("192.0.2.1", 0, Ok(())),
            ("192.0.2.1", 0, Ok(())),
            ("192.0.2.1", 0, Err(30)),
            ("::ffff:192.0.2.1", 10, Err(20)),
            ("192.0.2.2", 10, Ok(())),
            ("192.0.2.1", 30, Ok(())),
            ("192.0.2.1", 30, Err(30)),
            ("2001:db8::1", 30, Ok(())),
            ("2001:db8::2", 30, Ok(())),
            ("2001:db8::3", 30, Err(30)),
            ("2001:db8:0:1::", 30, Ok(())),
            ("192.0.2.1", 3600, Ok(())),
            ("192.0.2.1", 3600, Ok(())),
            ("192.0.2.1", 3600, Err(30)),
        ] {
            let asked = limits.ask(client.parse().unwrap(), rate, at(seconds));
            let expected = expected.map_err(Duration::from_secs);
            assert_eq!(asked, expected, "{client} at {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_are_forgotten_once_they_are_even() {
        let limits = Limits::default();
        let rate: Rate = "1/s".parse().unwrap();
        let now = Instant::now();
        for number in 0..MOST_CLIENTS as u32 {
            let client = IpAddr::from(number.to_be_bytes());
            limits.ask(client, rate, now).unwrap();
        }
        let later = now + Duration::from_secs(2);
        limits.ask([192, 0, 2, 1].into(), rate, later).unwrap();
        assert_eq!(limits.clients.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_place_is_free_again_when_its_run_ends() {
        let limits = Limits::default();
        let (first, second) = (limits.begin(2), limits.begin(2));
        assert!(first.is_some() && second.is_some() && limits.begin(2).is_none());
        drop(first);
        assert!(limits.begin(2).is_some());
    }
}
