//! What does the kernel know of a TCP connection, and what has come over it?
//!
//! A few of its figures, asked for once, and what there is to read, waited for. It makes no connection.

use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

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

/// A connection that the event loop watches for what it was asked to, and for nothing else: unlike
/// tokio's `TcpStream`, which is always watched for what comes and for room to write.
#[derive(Debug)]
pub struct WatchedTcp(AsyncFd<TcpStream>);

impl WatchedTcp {
    /// Has a connection watched that must not block.
    ///
    /// # Panics
    /// Outside a runtime of tokio that has an event loop.
    pub fn new(stream: TcpStream, interest: Interest) -> io::Result<Self> {
        // SAFETY: a `TcpStream` keeps one descriptor open for as long as it lives, and is neither
        // given away nor lent to be changed while it is watched.
        let watched = unsafe { AsyncFd::register_with_interest(stream, interest) };
        Ok(Self(watched?))
    }

    /// The connection.
    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Reads what has come, or waits until something has. It must be watched for that.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut word = ready!(self.0.poll_read_ready(cx))?;
            let most = buffer.remaining();
            match receive(self.stream(), buffer) {
                Ok(length) => {
                    // That was all there is, and of more there will be word (epoll(7)).
                    if 0 < length && length < most {
                        word.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => word.clear_ready(),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Poll::Ready(Err(why)),
            }
        }
    }

    /// Waits for word of room to write that has not been given before. It must be watched for that.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_write_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

/// Reads what has come over a socket into the rest of `buffer`, and tells how much it was (recv(2));
/// 0 is the end, or there was no room.
fn receive(socket: impl AsFd, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: nothing is written to it but by the kernel, which writes whole bytes.
    let room = unsafe { buffer.unfilled_mut() };
    // SAFETY: the kernel writes at most as many bytes as there is room for, and reads none.
    let length = unsafe {
        let socket = socket.as_fd().as_raw_fd();
        libc::recv(socket, room.as_mut_ptr().cast(), room.len(), 0)
    };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has written so many.
    unsafe { buffer.assume_init(length) };
    buffer.advance(length);
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

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
