//! How does one target use the socket that all share?
//!
//! A flow numbers its own requests and hears only their answers. It does not wait for anything it
//! was not asked to wait for, and holds no socket, task or thread of its own.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::inbox::Inbox;
use crate::lane::{Lane, Request, lock};
use crate::slots::FlowKey;
use crate::socket::{Family, is_local, path_mtu};
use crate::{EchoOptions, Heard, OpenError, SendError, control, echo};

/// One target's use of its address family's socket.
///
/// Cheap enough for 100,000 of them. Dropping it forgets its outstanding requests: what still
/// comes for them is ignored.
#[derive(Debug)]
pub struct Flow {
    lane: &'static Lane,
    key: FlowKey,
    inbox: Arc<Inbox>,
    /// What to tell the kernel with each packet.
    control: Box<[u8]>,
    source: Option<IpAddr>,
    dont_fragment: bool,
    next_sequence: Mutex<u64>,
}

impl Flow {
    /// Prepares to send echo requests to `destination`; sends nothing yet.
    ///
    /// The first flow of an address family opens that family's socket and starts its receiving
    /// thread, both of which then live as long as the process. An IPv4-mapped IPv6 address is
    /// taken for the IPv4 address it holds.
    pub fn open(destination: IpAddr, options: EchoOptions) -> Result<Self, OpenError> {
        Self::on(Lane::of, destination, options)
    }

    fn on(
        lane: impl FnOnce(Family) -> Result<&'static Lane, OpenError>,
        destination: IpAddr,
        options: EchoOptions,
    ) -> Result<Self, OpenError> {
        let destination = destination.to_canonical();
        let source = options.source.map(|source| source.to_canonical());
        let options = EchoOptions { source, ..options };
        if options.payload_size > EchoOptions::MAX_PAYLOAD_SIZE {
            return Err(OpenError::PayloadTooLarge {
                size: options.payload_size,
            });
        }
        if let Some(source_address) = source
            && source_address.is_ipv4() != destination.is_ipv4()
        {
            return Err(OpenError::SourceFamily {
                destination,
                source_address,
            });
        }
        let lane = lane(Family::of(destination))?;
        let inbox = Arc::new(Inbox::new(destination, options.payload_size));
        Ok(Self {
            lane,
            key: lane.admit(Arc::clone(&inbox)),
            inbox,
            control: control::for_packets(destination, &options),
            source,
            dont_fragment: options.dont_fragment,
            next_sequence: Mutex::new(0),
        })
    }

    /// Returns how this flow's socket was opened.
    pub fn mode(&self) -> Mode {
        self.lane.mode
    }

    /// Sends one echo request, without waiting for room in the socket's buffer.
    ///
    /// A request that could not be sent uses up no sequence number.
    pub fn send(&self) -> Result<Sent, SendError> {
        let mut next_sequence = lock(&self.next_sequence);
        let sequence = *next_sequence;
        let request = Request {
            flow: self.key,
            sequence,
            destination: self.inbox.destination,
            payload_size: self.inbox.payload_size,
            dont_fragment: self.dont_fragment,
            control: &self.control,
        };
        let drops = self.drops();
        let at = self
            .lane
            .send(&request)
            .map_err(|error| self.explain(error))?;
        *next_sequence += 1;
        Ok(Sent {
            sequence,
            at,
            bytes: self.bytes(),
            drops,
        })
    }

    /// Puts everything that has arrived before this call where [`Flow::heard`] finds it.
    ///
    /// Whoever gives a request up asks this first, after its time was over: then what has arrived
    /// is heard, however long this process or its receiving thread was stopped.
    pub fn settle(&self) {
        lock(&self.lane.receiver).settle(self.lane);
    }

    /// Returns what this host had dropped before it last read what had arrived.
    ///
    /// If that is not the same as [`Sent::drops`], the reply to that request may have been dropped
    /// here, and that there was none says nothing about the path.
    pub fn drops(&self) -> Drops {
        Drops(self.lane.drops.load(Ordering::Acquire))
    }

    /// Waits for the next thing heard for any request of this flow, in order of arrival.
    ///
    /// Cancel safe: what was not returned is kept for the next call. At most 1,024 answers are
    /// kept for a flow that nobody listens to; further ones are dropped.
    pub async fn heard(&self) -> Heard {
        self.inbox.next().await
    }

    fn bytes(&self) -> usize {
        echo::HEADER + self.inbox.payload_size
    }

    /// Tells what the kernel's refusal to send means.
    fn explain(&self, source: io::Error) -> SendError {
        let destination = self.inbox.destination;
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => SendError::Forbidden {
                destination,
                source,
            },
            // EINVAL is a blackhole route; EADDRNOTAVAIL is IPv6 without an address to send from.
            // Which of them a wrong source address gets depends on the kernel and the family.
            Some(
                libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::ENETDOWN
                | libc::EINVAL
                | libc::EADDRNOTAVAIL,
            ) => match self.source {
                Some(source_address) if !is_local(source_address) => SendError::NoSuchSource {
                    destination,
                    source_address,
                },
                _ => SendError::NoRoute {
                    destination,
                    source,
                },
            },
            Some(libc::EMSGSIZE) => SendError::TooLong {
                destination,
                size: self.bytes(),
                mtu: path_mtu(destination),
            },
            Some(libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM) => SendError::NoBuffers {
                destination,
                source,
            },
            _ => SendError::Other {
                destination,
                source,
            },
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.lane.forget(self.key);
    }
}

/// How an address family's socket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A raw socket, which needs `CAP_NET_RAW`. Sees every ICMP message that this host receives.
    Raw,
    /// A datagram ICMP socket, which `net.ipv4.ping_group_range` allows to unprivileged groups.
    /// The kernel chooses its one identifier and keeps corrupted messages to itself.
    Ping,
}

/// One echo request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Number of the request within its flow, from 0; what is heard for it bears the same.
    pub sequence: u64,
    /// When it was handed to the kernel, on the clock that the caller's timers use.
    pub at: Instant,
    /// Length of the ICMP message, header included.
    pub bytes: usize,
    /// What this host had dropped when it was last looked, before the request left.
    pub drops: Drops,
}

/// How often a packet found no room in the receive queue of this host. To be compared, not to be
/// counted with: the kernel counts packets of others too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops(u32);

#[cfg(test)]
mod tests;
