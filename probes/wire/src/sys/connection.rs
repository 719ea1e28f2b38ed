//! What does the kernel know of a TCP connection?
//!
//! A few of its figures, asked for once. It watches nothing, and makes no connection.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::done;

/// What the kernel has measured of a TCP connection so far (`TCP_INFO`, tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smoothed round-trip time (RFC 6298, section 2).
    pub rtt: Duration,
    /// By how much round trips vary (RFC 6298, section 2).
    pub rtt_variation: Duration,
    /// How many segments this side has sent again.
    pub retransmits: u32,
    /// How many bytes a segment of this side may carry.
    pub mss: u32,
}

impl TcpInfo {
    /// Asks the kernel about a socket, which must be one of TCP.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        // SAFETY: it consists of integers, for which zero is a value.
        let mut info: libc::tcp_info = unsafe { mem::zeroed() };
        let mut length = size_of_val(&info) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `info`; every bit pattern is one of
        // its integers.
        done(unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &raw mut length,
            )
        })?;
        Ok(Self {
            rtt: Duration::from_micros(info.tcpi_rtt.into()),
            rtt_variation: Duration::from_micros(info.tcpi_rttvar.into()),
            retransmits: info.tcpi_total_retrans,
            mss: info.tcpi_snd_mss,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn a_connection_has_a_round_trip_and_what_is_none_has_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = TcpInfo::of(&stream).unwrap();
        assert!(info.rtt > Duration::ZERO && info.rtt < Duration::from_secs(1));
        assert!(info.rtt_variation > Duration::ZERO);
        assert!(info.mss > 500 && info.retransmits == 0, "{info:?}");
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(TcpInfo::of(&datagrams).is_err());
    }
}
