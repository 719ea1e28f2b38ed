//! How is the kernel made to stamp packets, and which request is a stamp about?
//!
//! Departures are stamped when the device takes the packet. Their stamps come back on the error
//! queue of the socket that sent, without the packet, under the key that we gave with it. Before
//! Linux 6.13 a packet could not be given a key; then the kernel's own count of the packets that
//! the socket sent says which it was. What cannot be had is done without: see
//! [`RttSource`](crate::RttSource).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::{Once, OnceLock};
use std::thread;
use std::time::Duration;

use socket2::{Domain, MsgHdr, Socket, Type};

use super::control::{self, SO_TIMESTAMPING_NEW};
use crate::engine::Key;
use crate::sys::batch::Incoming;
use crate::{Stamps, sys};

/// How stamps of departures say what they are about.
#[derive(Debug)]
pub(crate) enum Departures {
    /// By the key of each packet.
    Keyed,
    /// By the kernel's count.
    Counted(Counter),
    /// There are none.
    Unstamped,
}

impl Departures {
    /// The request that the number with a stamp stands for.
    pub(crate) fn request(&mut self, number: u32) -> Option<Key> {
        match self {
            Self::Keyed => Some(Key::from_number(number)),
            Self::Counted(counter) => counter.take(number),
            Self::Unstamped => None,
        }
    }

    /// Has the kernel begin its count anew, if that is what counts: it is not known whether it
    /// counted what it refused.
    pub(crate) fn restart(&mut self, socket: &Socket) {
        if let Self::Counted(counter) = self {
            enable(socket, counter.flags & !libc::SOF_TIMESTAMPING_OPT_ID);
            enable(socket, counter.flags);
            counter.next = 0;
            counter.sent.fill(None);
        }
    }
}

/// The requests that a socket sent, as the kernel counts them: from 0, one by one.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    next: u32,
    /// The last ones, by their count modulo the length.
    sent: Vec<Option<Key>>,
    /// What else the socket has stamped.
    flags: u32,
}

impl Counter {
    /// Notes that the kernel took a request.
    pub(crate) fn sent(&mut self, key: Key) {
        if self.sent.is_empty() {
            self.sent.resize(REMEMBERED, None);
        }
        self.sent[self.next as usize % REMEMBERED] = Some(key);
        self.next = self.next.wrapping_add(1);
    }

    /// The request that the kernel means, once: a stamp that comes later than so many requests is
    /// about none that is remembered.
    pub(crate) fn take(&mut self, number: u32) -> Option<Key> {
        let age = self.next.wrapping_sub(number);
        let remembered = (1..=REMEMBERED as u32).contains(&age);
        self.sent
            .get_mut(number as usize % REMEMBERED)
            .filter(|_| remembered)?
            .take()
    }
}

/// Has departures from a socket stamped, if they are to be.
pub(crate) fn of_departures(socket: &Socket, stamps: Stamps) -> Departures {
    enable_departures(socket, stamps, 0)
}

/// Has arrivals at a socket stamped, if they are to be; returns whether they are.
pub(crate) fn of_arrivals(socket: &Socket, stamps: Stamps) -> bool {
    let stamped = stamps != Stamps::Neither && enable(socket, ARRIVALS);
    if stamped {
        await_first_stamp();
    }
    stamped
}

/// As the two above, for one socket.
pub(crate) fn of_both(socket: &Socket, stamps: Stamps) -> (Departures, bool) {
    let arrivals = of_arrivals(socket, stamps);
    let departures = enable_departures(socket, stamps, if arrivals { ARRIVALS } else { 0 });
    (departures, arrivals)
}

/// Has departures counted by the kernel even where packets may have keys.
#[cfg(test)]
pub(crate) fn counted(socket: &Socket, others: u32) -> Departures {
    let flags = others | DEPARTURES;
    enable(socket, flags & !libc::SOF_TIMESTAMPING_OPT_ID);
    enable(socket, flags);
    Departures::Counted(Counter {
        flags,
        ..Counter::default()
    })
}

fn enable_departures(socket: &Socket, stamps: Stamps, others: u32) -> Departures {
    if stamps != Stamps::Both || !enable(socket, others | DEPARTURES) {
        return Departures::Unstamped;
    }
    if packets_may_have_keys() {
        return Departures::Keyed;
    }
    Departures::Counted(Counter {
        flags: others | DEPARTURES,
        ..Counter::default()
    })
}

fn packets_may_have_keys() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| try_key().is_some())
}

/// Sends nothing: the kernel looks at the key before it finds that this socket may not broadcast.
fn try_key() -> Option<()> {
    let socket = Socket::from(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?);
    enable(&socket, DEPARTURES);
    let mut control = Vec::new();
    control::append_stamp_key(&mut control, Key::from_number(0));
    let nobody = SocketAddrV4::new(Ipv4Addr::BROADCAST, 9).into();
    let message = MsgHdr::new().with_addr(&nobody).with_control(&control);
    let refusal = socket.sendmsg(&message, libc::MSG_DONTWAIT).err()?;
    (refusal.raw_os_error() != Some(libc::EINVAL)).then_some(())
}

/// Has the kernel begin to stamp arrivals, which takes it a while, and does not wait for it: so that
/// whoever opens a flow soon after need not either. It goes on as long as this process lives.
pub fn begin_stamping() {
    static BEGUN: OnceLock<Option<Socket>> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok()?;
        enable(&socket, ARRIVALS).then_some(socket)
    });
}

/// Waits until arrivals are stamped, usually a fraction of a millisecond, 20 ms or so at most: the kernel begins to only some
/// time after the first socket has asked for it, when a work queue gets to it
/// (`net_enable_timestamp`), and the first answers from nearby would have no stamp. It goes on as
/// long as any socket asks, so this is done once.
fn await_first_stamp() {
    static STAMPED: Once = Once::new();
    STAMPED.call_once(|| {
        let stamped = (0..TRIES).any(|number| {
            if number > 0 {
                thread::sleep(BETWEEN_TRIES);
            }
            // Where there is no loopback, nothing can be told.
            is_loopback_stamped().unwrap_or(true)
        });
        if !stamped {
            tracing::debug!("the kernel has not begun to stamp arrivals");
        }
    });
}

/// Sends a packet to itself and looks at whether it is stamped.
fn is_loopback_stamped() -> io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(socket.local_addr()?)?;
    let socket = Socket::from(socket);
    enable(&socket, ARRIVALS);
    socket.send(&[0])?;
    let mut incoming = Incoming::new(1);
    let (count, _) = incoming.receive(&socket, 0)?;
    Ok(count > 0 && control::read(incoming.control(0)).stamp.is_some())
}

fn enable(socket: &Socket, flags: u32) -> bool {
    let flags = (flags | libc::SOF_TIMESTAMPING_SOFTWARE).cast_signed();
    sys::set_option(socket, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, flags)
        .inspect_err(|error| tracing::debug!(%error, flags, "the kernel stamps no packets"))
        .is_ok()
}

const ARRIVALS: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE;
const DEPARTURES: u32 = libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY;

/// How often, and after what time, it is looked whether the kernel has begun to stamp.
const TRIES: u32 = 200;
const BETWEEN_TRIES: Duration = Duration::from_micros(100);

/// More than are on their way through a device at once.
const REMEMBERED: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_stamped_once_it_was_waited_for() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(of_arrivals(&socket.into(), Stamps::Both));
        assert!(is_loopback_stamped().unwrap());
    }

    #[test]
    fn a_count_stands_for_the_request_that_was_sent_then() {
        let mut counter = Counter::default();
        assert_eq!(counter.take(0), None);
        let key = |n: usize| Key::from_number(n as u32 + 1_000);
        for n in 0..REMEMBERED + 2 {
            counter.sent(key(n));
        }
        assert_eq!(counter.take(1), None, "forgotten");
        assert_eq!(counter.take(2), Some(key(2)));
        assert_eq!(counter.take(2), None, "only once");
        let last = REMEMBERED as u32 + 1;
        assert_eq!(counter.take(last), Some(key(last as usize)));
        assert_eq!(counter.take(last + 1), None, "not sent yet");
        counter.next = u32::MAX;
        counter.sent(key(7));
        counter.sent(key(8));
        assert_eq!(counter.take(u32::MAX), Some(key(7)));
        assert_eq!(counter.take(0), Some(key(8)));
    }
}
