//! How does a received packet find the flow that waits for it?
//!
//! One thread per address family reads, stamps and hands over; it runs outside any runtime and as
//! long as the process. It waits for nobody: inboxes are bounded.

use std::io;
use std::net::IpAddr;

use crate::clock::Stamp;
use crate::control::{self, Reported};
use crate::lane::Lane;
use crate::packet::{self, Message, Quote};
use crate::socket::Family;
use crate::sys::{Buffers, Received, wait_readable};
use crate::{Heard, Mode};

/// Receives for a lane, forever.
pub(crate) fn run(lane: &Lane) -> ! {
    let mut buffers = Buffers::new();
    loop {
        let received = match lane.mode {
            Mode::Raw => receive(lane, &mut buffers, 0),
            Mode::Ping => wait_readable(&lane.socket).and_then(|()| {
                drain_errors(lane, &mut buffers);
                receive(lane, &mut buffers, libc::MSG_DONTWAIT)
            }),
        };
        match received {
            Ok(()) => {}
            // A ping socket had nothing but errors.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                // The kernel is short of memory, or a ping socket repeats what its error queue
                // has told already. Neither lasts.
                tracing::debug!(%error, family = lane.family.name(), "cannot receive icmp");
                std::thread::yield_now();
            }
        }
    }
}

/// Hands over all that a ping socket's error queue holds.
pub(crate) fn drain_errors(lane: &Lane, buffers: &mut Buffers) {
    while receive(lane, buffers, libc::MSG_ERRQUEUE).is_ok() {}
}

fn receive(lane: &Lane, buffers: &mut Buffers, flags: i32) -> io::Result<()> {
    let received = buffers.receive(&lane.socket, lane.family.unspecified(), flags)?;
    let arrival = Stamp::now();
    if let Some(arrived) = read(lane.family, lane.mode, &received) {
        deliver(lane, arrival, &arrived);
    }
    Ok(())
}

/// A message with who sent it.
struct Arrived<'a> {
    from: IpAddr,
    hop_limit: Option<u8>,
    message: Message<'a>,
}

fn read<'a>(family: Family, mode: Mode, received: &Received<'a>) -> Option<Arrived<'a>> {
    let control::Told { hop_limit, error } = control::read(received.control);
    if let Some(Reported { what, from }) = error {
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

fn deliver(lane: &Lane, arrival: Stamp, arrived: &Arrived<'_>) {
    let &Arrived {
        from,
        hop_limit,
        ref message,
    } = arrived;
    let Some((request, inbox)) = lane.find(message.echo()) else {
        return;
    };
    let sequence = request.sequence;
    if let Some(what) = inbox.judge(&lane.cookies, (request.flow, sequence), from, message) {
        inbox.put(Heard {
            sequence,
            rtt: arrival.since(request.sent),
            from,
            hop_limit,
            what,
        });
    }
}
