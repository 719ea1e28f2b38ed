//! How does a received packet find the flow that waits for it?
//!
//! One thread per address family waits for packets; it runs outside any runtime and as long as the
//! process. It waits for nobody: inboxes are bounded. An answer may be read before the stamp of its
//! request's departure; then it is held for a moment, and those after it with it, so that a flow
//! hears its answers in the order of their arrival.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use etherparse::IcmpEchoHeader;
use socket2::Socket;

use crate::clock::{Reading, Stamp};
use crate::control::{self, Reported, Told};
use crate::inbox::Inbox;
use crate::lane::{Lane, lock};
use crate::packet::{self, Message, Quote};
use crate::slots::Outstanding;
use crate::socket::Family;
use crate::sys::{self, Buffers, Received};
use crate::trip::{Arrival, round_trip};
use crate::{Heard, Mode, What, stamping};

/// Receives for a lane, forever.
pub(crate) fn run(lane: &Lane) -> ! {
    loop {
        let most = lock(&lane.receiver).rest();
        // A stamp is looked for when an answer needs it, and wakes nobody before.
        let stamps = most.map(|_| &lane.sockets.transmit);
        if let Err(error) = sys::wait(&lane.sockets.receive, stamps, most) {
            // The kernel is short of memory, which does not last.
            tracing::debug!(%error, family = lane.family.name(), "cannot wait for icmp");
            std::thread::yield_now();
        }
        lock(&lane.receiver).drain(lane);
    }
}

/// What receiving needs to itself.
pub(crate) struct Receiver {
    buffers: Buffers,
    /// Answers in the order of arrival; the first lacks a stamp.
    held: VecDeque<Answer>,
}

/// An answer to a request of ours.
struct Answer {
    echo: IcmpEchoHeader,
    request: Outstanding,
    inbox: Arc<Inbox>,
    arrival: Arrival,
    from: IpAddr,
    hop_limit: Option<u8>,
    what: What,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            buffers: Buffers::new(),
            held: VecDeque::new(),
        }
    }

    /// Hands over all that has arrived until now, on behalf of a flow, and holds nothing: the
    /// receiving thread may be waiting already, and for something else.
    pub(crate) fn settle(&mut self, lane: &Lane) {
        self.drain(lane);
        self.hand_all_over();
    }

    /// Hands over all that has arrived until now, but for what lacks a stamp.
    fn drain(&mut self, lane: &Lane) {
        // What was dropped until now was so because the queue has not been read.
        if let Ok(drops) = sys::drops(&lane.sockets.receive) {
            lane.drops.store(drops, Ordering::Release);
        }
        if lane.mode == Mode::Ping {
            self.drain_errors(lane);
        }
        for _ in 0..MORE_THAN_THERE_IS {
            match self.receive(lane, &lane.sockets.receive, libc::MSG_DONTWAIT) {
                Ok(()) => self.release(lane),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A ping socket repeats once what its error queue has told already.
                Err(error) => {
                    tracing::debug!(%error, family = lane.family.name(), "cannot receive icmp");
                }
            }
        }
        self.release(lane);
    }

    /// Reads the sending socket's error queue empty on behalf of a sender, and holds nothing that
    /// was in there.
    pub(crate) fn clear_errors(&mut self, lane: &Lane) {
        self.drain_errors(lane);
        // A raw socket has only stamps there.
        if lane.mode == Mode::Ping {
            self.hand_all_over();
        }
    }

    fn drain_errors(&mut self, lane: &Lane) {
        for _ in 0..MORE_THAN_THERE_IS {
            if self.receive_error(lane).is_err() {
                break;
            }
        }
    }

    fn receive_error(&mut self, lane: &Lane) -> io::Result<()> {
        self.receive(lane, &lane.sockets.transmit, libc::MSG_ERRQUEUE)
    }

    fn receive(&mut self, lane: &Lane, socket: &Socket, flags: i32) -> io::Result<()> {
        let unspecified = lane.family.unspecified();
        let received = self.buffers.receive(socket, unspecified, flags)?;
        let user = Reading::now();
        let told = control::read(received.control);
        if let Some(key) = told.departed {
            if let Some(stamp) = told.stamp {
                lane.departed(stamping::request(key), stamp);
            }
            return Ok(());
        }
        let arrival = Arrival {
            user,
            kernel: told.stamp,
        };
        let answer = read(lane.family, lane.mode, told, &received)
            .and_then(|arrived| recognise(lane, arrival, &arrived));
        self.held.extend(answer);
        Ok(())
    }

    /// Hands over the answers held, up to the first that has to wait for a stamp.
    fn release(&mut self, lane: &Lane) {
        while let Some(answer) = self.held.front_mut() {
            if answer.lacks_stamp(lane) {
                if self.receive_error(lane).is_ok() {
                    continue;
                }
                if self.rest().is_some_and(|rest| !rest.is_zero()) {
                    break;
                }
            }
            if let Some(answer) = self.held.pop_front() {
                answer.hand_over();
            }
        }
    }

    fn hand_all_over(&mut self) {
        self.held.drain(..).for_each(Answer::hand_over);
    }

    /// How much longer the first of the answers held waits for its stamp.
    fn rest(&self) -> Option<Duration> {
        let first = self.held.front()?;
        if !first.inbox.expects_stamps() {
            return Some(Duration::ZERO);
        }
        let held = Stamp::now().since(first.arrival.user.at);
        Some(STAMP_WAIT.saturating_sub(held))
    }
}

impl Answer {
    /// Whether the stamp of the request's departure is still to come.
    fn lacks_stamp(&mut self, lane: &Lane) -> bool {
        let known = |answer: &Self| answer.request.departure.kernel.is_some();
        if known(self) || !lane.sockets.stamped {
            return false;
        }
        // Unless another request has taken the slot.
        if let Some(request) = lane.request(self.echo)
            && (request.flow, request.sequence) == (self.request.flow, self.request.sequence)
        {
            self.request = request;
        }
        !known(self)
    }

    fn hand_over(self) {
        let departure = self.request.departure;
        self.inbox.saw_stamp(departure.kernel.is_some());
        let (rtt, rtt_source) = round_trip(departure, self.arrival);
        self.inbox.put(Heard {
            sequence: self.request.sequence,
            rtt,
            rtt_source,
            from: self.from,
            hop_limit: self.hop_limit,
            what: self.what,
        });
    }
}

/// A message with who sent it.
struct Arrived<'a> {
    from: IpAddr,
    hop_limit: Option<u8>,
    message: Message<'a>,
}

fn read<'a>(
    family: Family,
    mode: Mode,
    told: Told,
    received: &Received<'a>,
) -> Option<Arrived<'a>> {
    let hop_limit = told.hop_limit;
    if let Some(Reported { what, from }) = told.error {
        let (echo, payload) = packet::read_request(family, received.bytes)?;
        let quote = Quote {
            destination: received.named,
            echo,
            payload,
        };
        return Some(Arrived {
            from,
            hop_limit,
            message: Message::Error { what, quote },
        });
    }
    let from = received.named;
    Some(match (family, mode) {
        (Family::V4, Mode::Raw) => {
            let datagram = packet::read_datagram_v4(received.bytes)?;
            let (from, hop_limit) = (datagram.from.into(), Some(datagram.ttl));
            Arrived {
                from,
                hop_limit,
                message: datagram.message,
            }
        }
        (Family::V4, Mode::Ping) => Arrived {
            from,
            hop_limit,
            message: packet::read_message_v4(received.bytes)?,
        },
        (Family::V6, _) => Arrived {
            from,
            hop_limit,
            message: packet::read_message_v6(received.bytes)?,
        },
    })
}

/// Says which request a message answers, if it is one of ours.
fn recognise(lane: &Lane, arrival: Arrival, arrived: &Arrived<'_>) -> Option<Answer> {
    let &Arrived {
        from,
        hop_limit,
        ref message,
    } = arrived;
    let echo = message.echo();
    let (request, inbox) = lane.find(echo)?;
    let whose = (request.flow, request.sequence);
    let what = inbox.judge(&lane.cookies, whose, from, message)?;
    Some(Answer {
        echo,
        request,
        inbox,
        arrival,
        from,
        hop_limit,
        what,
    })
}

/// How long an answer is held for the stamp of its request's departure. The device makes it before
/// it sends, so that it is only ever late by the time to queue it.
const STAMP_WAIT: Duration = Duration::from_millis(2);

/// No receive buffer holds as many packets, so reading this many ends even in a flood.
const MORE_THAN_THERE_IS: usize = 1 << 15;
