//! Is this answer really ours, and what does it come to?
//!
//! The identifier and sequence number have already led to one request of one flow; what remains is
//! to tell its answers from a stranger's who uses the same numbers. An inbox only collects; it does
//! not know which requests were answered before.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::echo::{Content, Cookies};
use crate::lane::lock;
use crate::packet::Message;
use crate::slots::FlowKey;
use crate::{Heard, What};

/// Where a flow's answers are put, and what tells them from others'.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) destination: IpAddr,
    pub(crate) payload_size: usize,
    /// Whether the kernel stamped the departure of the last request that was answered.
    stamped: AtomicBool,
    heard: Mutex<VecDeque<Heard>>,
    ready: Notify,
}

impl Inbox {
    pub(crate) fn new(destination: IpAddr, payload_size: usize) -> Self {
        Self {
            destination,
            payload_size,
            stamped: AtomicBool::new(true),
            heard: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// Says what a message means for the request it names, or nothing if it is about another's.
    pub(crate) fn judge(
        &self,
        cookies: &Cookies,
        whose: (FlowKey, u64),
        from: IpAddr,
        message: &Message<'_>,
    ) -> Option<What> {
        let expected_source = from == self.destination;
        match *message {
            Message::Reply { intact: false, .. } => expected_source.then_some(What::Corrupt),
            Message::Reply { echo, payload, .. } => {
                match cookies.check_reply(echo.seq, payload, self.payload_size, whose) {
                    Content::Foreign => None,
                    Content::Same if expected_source || self.is_group() => Some(What::Reply {
                        bytes: crate::echo::HEADER + payload.len(),
                    }),
                    Content::Same => Some(What::WrongSource),
                    Content::Altered => expected_source.then_some(What::Corrupt),
                }
            }
            Message::Error { what, quote } => {
                let content =
                    cookies.check_start(quote.echo.seq, quote.payload, self.payload_size, whose);
                let ours = quote.destination == self.destination && content != Content::Foreign;
                ours.then_some(what)
            }
        }
    }

    /// Whether a stamp that is not there yet may still come: some devices make none.
    pub(crate) fn expects_stamps(&self) -> bool {
        self.stamped.load(Ordering::Relaxed)
    }

    /// Notes whether there was a stamp.
    pub(crate) fn saw_stamp(&self, stamped: bool) {
        self.stamped.store(stamped, Ordering::Relaxed);
    }

    /// Keeps an answer for [`Inbox::next`], unless too many wait already.
    pub(crate) fn put(&self, heard: Heard) {
        let mut queue = lock(&self.heard);
        if queue.len() < UNHEARD {
            queue.push_back(heard);
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// Waits for the next answer. Cancel safe.
    pub(crate) async fn next(&self) -> Heard {
        loop {
            if let Some(heard) = lock(&self.heard).pop_front() {
                return heard;
            }
            self.ready.notified().await;
        }
    }

    /// Whether many hosts may answer. A subnet's own broadcast address looks like a host's.
    fn is_group(&self) -> bool {
        match self.destination {
            IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_multicast(),
        }
    }
}

/// Answers kept for a flow that does not listen: a flood must not fill the memory.
const UNHEARD: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use etherparse::IcmpEchoHeader;

    use super::*;
    use crate::RttSource;
    use crate::packet::Quote;
    use crate::socket::Family;

    const ECHO: IcmpEchoHeader = IcmpEchoHeader { id: 1, seq: 2 };
    const WHOSE: (FlowKey, u64) = (FlowKey(NonZeroU64::MIN), 0);
    const TARGET: &str = "192.0.2.1";
    const OTHER: &str = "192.0.2.2";

    #[test]
    fn a_reply_is_judged_by_checksum_then_cookie_then_source() {
        let cookies = Cookies::default();
        let payload = payload(&cookies, WHOSE);
        let cut = &payload[..40];
        let foreign = self::payload(&cookies, (WHOSE.0, 1));
        let good = Some(What::Reply { bytes: 64 });
        check_reply(&cookies, TARGET, TARGET, &payload, true, good);
        check_reply(
            &cookies,
            TARGET,
            TARGET,
            &payload,
            false,
            Some(What::Corrupt),
        );
        check_reply(&cookies, TARGET, TARGET, cut, true, Some(What::Corrupt));
        check_reply(&cookies, TARGET, TARGET, &foreign, true, None);
        check_reply(
            &cookies,
            TARGET,
            OTHER,
            &payload,
            true,
            Some(What::WrongSource),
        );
        check_reply(&cookies, TARGET, OTHER, &payload, false, None);
        check_reply(&cookies, TARGET, OTHER, cut, true, None);
        check_reply(&cookies, "224.0.0.1", OTHER, &payload, true, good);
        check_reply(&cookies, "255.255.255.255", OTHER, &payload, true, good);
    }

    fn check_reply(
        cookies: &Cookies,
        destination: &str,
        from: &str,
        payload: &[u8],
        intact: bool,
        expected: Option<What>,
    ) {
        let inbox = Inbox::new(destination.parse().unwrap(), 56);
        let message = Message::Reply {
            echo: ECHO,
            payload,
            intact,
        };
        let what = inbox.judge(cookies, WHOSE, from.parse().unwrap(), &message);
        assert_eq!(what, expected, "{destination} answered by {from}");
    }

    #[test]
    fn an_error_must_quote_our_destination_and_as_much_of_our_cookie_as_it_returns() {
        let cookies = Cookies::default();
        let ours = payload(&cookies, WHOSE);
        let foreign = payload(&cookies, (WHOSE.0, 1));
        check_error(&cookies, TARGET, &ours, true);
        check_error(&cookies, TARGET, &[], true);
        check_error(&cookies, TARGET, &foreign[..11], true);
        check_error(&cookies, TARGET, &foreign, false);
        check_error(&cookies, OTHER, &ours, false);
    }

    fn check_error(cookies: &Cookies, destination: &str, payload: &[u8], expected: bool) {
        let inbox = Inbox::new(TARGET.parse().unwrap(), 56);
        let quote = Quote {
            destination: destination.parse().unwrap(),
            echo: ECHO,
            payload,
        };
        let message = Message::Error {
            what: What::TimeExceeded { code: 0 },
            quote,
        };
        let what = inbox.judge(cookies, WHOSE, "198.51.100.1".parse().unwrap(), &message);
        assert_eq!(
            what.is_some(),
            expected,
            "{} bytes to {destination}",
            payload.len()
        );
    }

    fn payload(cookies: &Cookies, whose: (FlowKey, u64)) -> Vec<u8> {
        let mut packet = Vec::new();
        cookies.write(&mut packet, Family::V4, ECHO, 56, whose);
        packet.split_off(crate::echo::HEADER)
    }

    #[tokio::test]
    async fn answers_are_heard_in_order_and_a_flood_is_cut() {
        let inbox = Inbox::new(TARGET.parse().unwrap(), 56);
        for sequence in 0..2_000 {
            inbox.put(Heard {
                sequence,
                rtt: Duration::ZERO,
                rtt_source: RttSource::User,
                from: inbox.destination,
                hop_limit: None,
                what: What::Corrupt,
            });
        }
        for sequence in 0..UNHEARD as u64 {
            assert_eq!(inbox.next().await.sequence, sequence);
        }
        assert!(lock(&inbox.heard).is_empty());
    }
}
