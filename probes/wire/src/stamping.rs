//! How is the kernel made to stamp packets, and which request is a stamp about?
//!
//! Departures are stamped when the device takes the packet. Their stamps come back on the error
//! queue of the socket that sent, without the packet, under the key that we gave with it: the
//! identifier and the sequence number. Before Linux 6.13 a packet could not be given a key, and
//! departures are not stamped. What cannot be had is done without: see
//! [`RttSource`](crate::RttSource).

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::OnceLock;

use etherparse::IcmpEchoHeader;
use socket2::{MsgHdr, Socket};

use crate::control::{self, SO_TIMESTAMPING_NEW};
use crate::sys;

/// Has arrivals at a socket stamped.
pub(crate) fn of_arrivals(socket: &Socket) {
    enable(socket, ARRIVALS);
}

/// Has departures from a socket stamped; returns whether they are, so that packets need keys.
pub(crate) fn of_departures(socket: &Socket) -> bool {
    packets_may_have_keys() && enable(socket, DEPARTURES)
}

/// Has both stamped; returns whether departures are.
pub(crate) fn of_both(socket: &Socket) -> bool {
    let departures = packets_may_have_keys() && enable(socket, ARRIVALS | DEPARTURES);
    if !departures {
        of_arrivals(socket);
    }
    departures
}

fn packets_may_have_keys() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| try_key().is_some())
}

/// The key under which the stamp of a request's departure comes back.
pub(crate) fn key(echo: IcmpEchoHeader) -> u32 {
    u32::from(echo.id) << 16 | u32::from(echo.seq)
}

/// The request that a key stands for.
pub(crate) fn request(key: u32) -> IcmpEchoHeader {
    IcmpEchoHeader {
        id: (key >> 16) as u16,
        seq: key as u16,
    }
}

/// Sends nothing: the kernel looks at the key before it finds that this socket may not broadcast.
fn try_key() -> Option<()> {
    let socket = Socket::from(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?);
    enable(&socket, DEPARTURES);
    let mut control = Vec::new();
    control::append_stamp_key(&mut control, 0);
    let nobody = SocketAddrV4::new(Ipv4Addr::BROADCAST, 9).into();
    let message = MsgHdr::new().with_addr(&nobody).with_control(&control);
    let refusal = socket.sendmsg(&message, libc::MSG_DONTWAIT).err()?;
    (refusal.raw_os_error() != Some(libc::EINVAL)).then_some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_the_request_it_was_made_of() {
        for (id, seq) in [(0, 0), (0xabcd, 0x1234), (0xffff, 0xffff)] {
            let echo = IcmpEchoHeader { id, seq };
            assert_eq!(request(key(echo)), echo);
        }
    }
}
