//! How does one target use the sockets that all share?
//!
//! A flow numbers its own requests and hears only what becomes of them. It holds no socket, task
//! or thread of its own, and never waits for the network to take a request.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::clock::Stamp;
use crate::engine::{Ask, PeerKey};
use crate::inbox::Inbox;
use crate::lane::Lane;
use crate::port::{self, Way};
use crate::{
    Family, Heard, Mode, OpenError, Protocol, Refusal, RequestOptions, SendError, Ttl, template,
};

/// One target's use of the sockets that go its way.
///
/// Cheap enough for 100,000 of them. Dropping it forgets its requests: what still comes for them
/// is ignored.
#[derive(Debug)]
pub struct Flow {
    lane: Arc<Lane>,
    peer: PeerKey,
    inbox: Arc<Inbox>,
    destination: IpAddr,
    options: RequestOptions,
    /// Where its requests come from, if that matters.
    source: Option<IpAddr>,
    next_sequence: AtomicU64,
    /// Whether requests wait for [`Flow::heard`] to have them sent.
    asks: AtomicBool,
}

impl Flow {
    /// Prepares to send requests to `destination`; sends nothing yet.
    ///
    /// The first flow with its source, interface and mark opens their sockets and starts their
    /// thread, which live until there was none for five minutes. An IPv4-mapped IPv6 address is
    /// taken for the IPv4 address it holds.
    pub fn open(destination: IpAddr, options: RequestOptions) -> Result<Self, OpenError> {
        Self::on(Lane::of, destination, options)
    }

    fn on(
        lane: impl FnOnce(Way) -> Result<Arc<Lane>, OpenError>,
        destination: IpAddr,
        options: RequestOptions,
    ) -> Result<Self, OpenError> {
        let destination = destination.to_canonical();
        let options = RequestOptions {
            source: options.source.map(|source| source.to_canonical()),
            ..options
        };
        options.fit(destination)?;
        let way = Way::new(Family::of(destination), &options);
        let lane = lane(way)?;
        let source = if needs_source(&options) {
            port::source(way, destination)?
        } else {
            options.source
        };
        let inbox = Arc::new(Inbox::default());
        let admitted = RequestOptions { source, ..options };
        Ok(Self {
            peer: lane.admit(destination, &admitted, Arc::clone(&inbox)),
            lane,
            inbox,
            destination,
            options,
            source,
            next_sequence: AtomicU64::new(0),
            asks: AtomicBool::new(false),
        })
    }

    /// Returns how this flow's sockets were opened.
    pub fn mode(&self) -> Mode {
        self.lane.mode()
    }

    /// Returns the identifier or source port of its requests; that of a datagram ICMP socket is in
    /// truth the kernel's choice. Flows of one mode to one address that have the same one differ
    /// otherwise, but in [`Mode::Udp`].
    pub fn source_id(&self) -> u16 {
        self.lane.source_id(self.peer)
    }

    /// Returns the length of its requests in bytes, with all headers after that of IP.
    pub fn bytes(&self) -> usize {
        template::bytes(&self.options)
    }

    /// Whether the routing table has requests leave from another address than when this flow was
    /// opened. Over IPv4, the checksum of UDP and TCP depends on that: open another.
    pub fn is_outdated(&self) -> bool {
        let way = Way::new(Family::of(self.destination), &self.options);
        let source = || port::source(way, self.destination);
        needs_source(&self.options) && source().is_ok_and(|source| source != self.source)
    }

    /// Has one echo request sent and waits for nothing; returns its number within the flow, from
    /// 0 on. Its end is heard in any case, at the latest some milliseconds after `wait`, which is
    /// at most 71 minutes.
    pub fn send(&self, wait: Duration) -> u64 {
        let sequence = self.enqueue(wait, None, 0);
        self.lane.hasten();
        sequence
    }

    /// As [`Flow::send`], but the request leaves when this flow is next waited for
    /// ([`Flow::heard`]) or settled, if not before: all that were asked of any flow on the same
    /// sockets by then leave together, on the caller's thread, and no other is woken for it.
    pub fn ask(&self, wait: Duration) -> u64 {
        let sequence = self.enqueue(wait, None, 0);
        self.asks.store(true, Ordering::Relaxed);
        sequence
    }

    /// As [`Flow::ask`], with a TTL of this request's own. All else is as in the flow's other
    /// requests, so that routers send it the same way.
    pub fn ask_hop(&self, ttl: Ttl, wait: Duration) -> u64 {
        let sequence = self.enqueue(wait, Some(ttl), 0);
        self.asks.store(true, Ordering::Relaxed);
        sequence
    }

    /// As [`Flow::ask_hop`], with a payload of this request's own size, and the same checksum: at
    /// least the flow's, which is extended by zeros, and at most
    /// [`RequestOptions::MAX_PAYLOAD_SIZE`].
    pub fn ask_hop_sized(&self, ttl: Ttl, payload_size: usize, wait: Duration) -> u64 {
        let size = payload_size.min(RequestOptions::MAX_PAYLOAD_SIZE);
        let padding = size.saturating_sub(self.options.payload_size) as u16;
        let sequence = self.enqueue(wait, Some(ttl), padding);
        self.asks.store(true, Ordering::Relaxed);
        sequence
    }

    fn enqueue(&self, wait: Duration, ttl: Option<Ttl>, padding: u16) -> u64 {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        self.lane.ask(Ask {
            peer: self.peer,
            sequence,
            wait,
            asked: Stamp::now(),
            ttl,
            padding,
        });
        sequence
    }

    /// Puts everything that has arrived before this call, and the end of every request whose time
    /// was over by then, where [`Flow::heard`] finds it.
    pub fn settle(&self) {
        self.lane.settle();
    }

    /// Waits for the next thing that becomes known about any request of this flow.
    ///
    /// Cancel safe: what was not returned is kept for the next call. One task at a time may wait.
    /// For a flow that nobody listens to, the end of every request is kept, and at most 1,024
    /// other answers.
    pub async fn heard(&self) -> Heard {
        if self.asks.load(Ordering::Relaxed) {
            others_first().await;
            self.asks.store(false, Ordering::Relaxed);
            self.lane.flush();
        }
        self.inbox.next().await
    }

    /// As [`Flow::heard`], of what is known already.
    pub fn heard_already(&self) -> Option<Heard> {
        self.inbox.take()
    }

    /// Tells what the refusal to send one of its requests means.
    pub fn explain(&self, refusal: Refusal) -> SendError {
        SendError::of(refusal, self.destination, &self.options)
    }
}

/// Whether it matters from which address requests leave.
fn needs_source(options: &RequestOptions) -> bool {
    options.remarks || options.protocol != Protocol::Icmp
}

/// Lets the other tasks go on that are ready to. Not tokio's: that one looks for events first.
async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.lane.forget(self.peer);
    }
}

#[cfg(test)]
mod tests;
