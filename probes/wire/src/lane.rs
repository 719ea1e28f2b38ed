//! How do all flows of an address family share its sockets?
//!
//! Sending is under one lock and never waits for the network. Receiving is on a plain thread, so
//! that an answer is stamped when it arrives, however busy the runtimes are, and whichever
//! runtime a flow is used from. A lane gives up on nothing: it keeps no timers.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use etherparse::IcmpEchoHeader;
use socket2::MsgHdr;
use tokio::time::Instant;

use crate::clock::{KernelStamp, Reading};
use crate::echo::Cookies;
use crate::inbox::Inbox;
use crate::receiver::{self, Receiver};
use crate::slots::{FlowKey, Outstanding, Ring, Slots};
use crate::socket::{self, Family, Sockets};
use crate::trip::Departure;
use crate::{Mode, OpenError, control, stamping};

/// An address family's sockets, and who waits for what on it.
pub(crate) struct Lane {
    pub(crate) mode: Mode,
    pub(crate) family: Family,
    pub(crate) sockets: Sockets,
    pub(crate) cookies: Cookies,
    /// Packets that found no room in the receive queue, as last seen.
    pub(crate) drops: AtomicU32,
    // Locked in this order.
    sender: Mutex<Sender>,
    pub(crate) receiver: Mutex<Receiver>,
    expected: Mutex<Expected>,
}

/// What sending needs to itself.
struct Sender {
    ring: Ring,
    packet: Vec<u8>,
    control: Vec<u8>,
    /// Departures since their stamps were last read from a raw socket.
    stamps: u16,
    /// How the IPv4 socket is set at present.
    dont_fragment: bool,
}

/// What answers are matched against.
struct Expected {
    slots: Slots,
    flows: HashMap<FlowKey, Arc<Inbox>>,
    last_key: NonZeroU64,
}

/// A request to send.
pub(crate) struct Request<'a> {
    pub(crate) flow: FlowKey,
    pub(crate) sequence: u64,
    pub(crate) destination: IpAddr,
    pub(crate) payload_size: usize,
    pub(crate) dont_fragment: bool,
    pub(crate) control: &'a [u8],
}

impl Lane {
    /// Returns the family's lane, opened by whoever comes first.
    pub(crate) fn of(family: Family) -> Result<&'static Self, OpenError> {
        static V4: Mutex<Option<&'static Lane>> = Mutex::new(None);
        static V6: Mutex<Option<&'static Lane>> = Mutex::new(None);
        let mut lane = lock(match family {
            Family::V4 => &V4,
            Family::V6 => &V6,
        });
        if let Some(lane) = *lane {
            return Ok(lane);
        }
        let (sockets, mode) = socket::open(family)?;
        Ok(lane.insert(Self::start(family, mode, sockets)?))
    }

    /// Puts sockets to use for as long as the process lives.
    pub(crate) fn start(
        family: Family,
        mode: Mode,
        sockets: Sockets,
    ) -> Result<&'static Self, OpenError> {
        let family_name = family.name();
        let Sockets {
            first, identifiers, ..
        } = sockets;
        tracing::debug!(
            family = family_name,
            ?mode,
            first,
            identifiers,
            "icmp sockets opened"
        );
        let lane: &'static Self = Box::leak(Box::new(Self {
            mode,
            family,
            sockets,
            cookies: Cookies::default(),
            drops: AtomicU32::new(0),
            sender: Mutex::new(Sender {
                ring: Ring::new(first, identifiers),
                packet: Vec::new(),
                control: Vec::new(),
                stamps: 0,
                dont_fragment: false,
            }),
            receiver: Mutex::new(Receiver::new()),
            expected: Mutex::new(Expected {
                slots: Slots::new(first, identifiers),
                flows: HashMap::new(),
                last_key: NonZeroU64::MIN,
            }),
        }));
        std::thread::Builder::new()
            .name(format!("icmp-{family_name}"))
            .spawn(|| receiver::run(lane))
            .map_err(|source| OpenError::Thread {
                family: family_name,
                source,
            })?;
        Ok(lane)
    }

    /// Takes a flow in: what is heard for its requests goes to its inbox.
    pub(crate) fn admit(&self, inbox: Arc<Inbox>) -> FlowKey {
        let mut expected = lock(&self.expected);
        expected.last_key = expected.last_key.saturating_add(1);
        let key = FlowKey(expected.last_key);
        expected.flows.insert(key, inbox);
        key
    }

    /// Lets a flow go: what still comes for its requests is nobody's.
    pub(crate) fn forget(&self, flow: FlowKey) {
        lock(&self.expected).flows.remove(&flow);
    }

    /// Returns the request that a message's identifier and sequence number stand for.
    pub(crate) fn find(&self, echo: IcmpEchoHeader) -> Option<(Outstanding, Arc<Inbox>)> {
        let expected = lock(&self.expected);
        let request = expected.slots.find(echo)?;
        let inbox = expected.flows.get(&request.flow)?;
        Some((request, Arc::clone(inbox)))
    }

    /// Returns what is in a request's slot by now.
    pub(crate) fn request(&self, echo: IcmpEchoHeader) -> Option<Outstanding> {
        lock(&self.expected).slots.find(echo)
    }

    /// Notes when a request left, by the kernel's stamp.
    pub(crate) fn departed(&self, echo: IcmpEchoHeader, stamp: KernelStamp) {
        lock(&self.expected).slots.departed(echo, stamp);
    }

    /// Sends a request; returns when, on tokio's clock.
    pub(crate) fn send(&self, request: &Request<'_>) -> io::Result<Instant> {
        let mut sender = lock(&self.sender);
        let sender = &mut *sender;
        if self.family == Family::V4 && sender.dont_fragment != request.dont_fragment {
            socket::set_dont_fragment_v4(&self.sockets.transmit, request.dont_fragment)?;
            sender.dont_fragment = request.dont_fragment;
        }
        let echo = sender.ring.advance(request.flow);
        let whose = (request.flow, request.sequence);
        self.cookies.write(
            &mut sender.packet,
            self.family,
            echo,
            request.payload_size,
            whose,
        );
        sender.control.clear();
        sender.control.extend(request.control);
        if self.sockets.stamped {
            control::append_stamp_key(&mut sender.control, stamping::key(echo));
        }
        let address = SocketAddr::new(request.destination, 0).into();
        let packet = [IoSlice::new(&sender.packet)];
        let message = MsgHdr::new()
            .with_addr(&address)
            .with_buffers(&packet)
            .with_control(&sender.control);
        let at = Instant::now();
        self.transmit(&message, echo, whose)
            .inspect_err(|_| lock(&self.expected).slots.clear(echo))?;
        sender.stamps = sender.stamps.saturating_add(1);
        if sender.stamps >= STAMPS && self.mode == Mode::Raw {
            sender.stamps = 0;
            lock(&self.receiver).clear_errors(self);
        }
        Ok(at)
    }

    fn transmit(
        &self,
        message: &MsgHdr<'_, '_, '_>,
        echo: IcmpEchoHeader,
        (flow, sequence): (FlowKey, u64),
    ) -> io::Result<()> {
        let attempt = || {
            // Stamped under the lock, so that waiting for it is not part of the round trip.
            lock(&self.expected).slots.put(
                echo,
                Outstanding {
                    flow,
                    sequence,
                    departure: Departure {
                        user: Reading::now(),
                        kernel: None,
                    },
                },
            );
            let transmit = &self.sockets.transmit;
            transmit.sendmsg(message, libc::MSG_DONTWAIT).map(|_| ())
        };
        let mut result = attempt();
        if self.mode == Mode::Ping && result.is_err() {
            // An ICMP error about an earlier request, whosever it was, makes the next call on a
            // ping socket fail in its stead, until the error queue is read empty.
            for _ in 0..RETRIES {
                lock(&self.receiver).clear_errors(self);
                result = attempt();
                if result.is_ok() {
                    break;
                }
            }
        }
        result
    }
}

/// More errors than can arrive between emptying the queue and sending, but for a flood.
const RETRIES: usize = 4;

/// Requests after which their stamps are read, answered or not, lest those of silent targets fill
/// the queue. It holds some 200 stamps.
const STAMPS: u16 = 64;

/// Without its slots, of which there may be a million.
impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("family", &self.family)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Locks even what a panicking thread left: each change under these locks is whole in itself, and
/// one flow's fault must not silence the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
