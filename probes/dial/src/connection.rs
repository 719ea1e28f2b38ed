//! How are bytes sent and received over a connection of TCP?
//!
//! As by tokio's `TcpStream`, but for what the event loop is asked. That one asks it for word of
//! room to write too, and writes nothing before, though a new connection has all its room free. Here
//! it is asked only for what comes: what is written goes at once, and a writer who finds no room has
//! a second descriptor of the connection watched for some.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use leadsman_wire::WatchedTcp;
use rustix::io::Errno;
use rustix::net::connect;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::task::coop;

/// A connection of TCP (RFC 9293). What is written leaves without waiting for an acknowledgement of
/// what was written before (section 3.7.4).
#[derive(Debug)]
pub struct TcpConnection {
    /// Watched for what comes.
    heard: WatchedTcp,
    /// The same connection once more, watched for room, once a writer has found none.
    room: Option<WatchedTcp>,
    haste: Haste,
}

/// Whether the kernel has been told not to wait for an acknowledgement. Linux holds a small segment
/// back only behind another small one, so that who says all in one piece never waits.
#[derive(Clone, Copy, Debug)]
enum Haste {
    /// Nothing was written.
    Unneeded,
    /// Something was.
    Needed,
    /// The kernel knows.
    Told,
}

impl TcpConnection {
    /// Asks to be accepted, and waits until `peer` has answered. One that is on this host has by the
    /// time that the kernel is asked again, and then nothing is waited for.
    ///
    /// `socket` must be one of TCP that does not block.
    pub(crate) async fn connect(socket: OwnedFd, peer: SocketAddr) -> io::Result<Self> {
        let asked = match connect(&socket, &peer) {
            Err(Errno::INPROGRESS) => connect(&socket, &peer),
            asked => asked,
        };
        let waits = match asked {
            Ok(()) => false,
            Err(Errno::ALREADY) => true,
            Err(why) => return Err(why.into()),
        };
        let stream = TcpStream::from(socket);
        if !waits {
            return Self::from_std(stream);
        }
        let heard = WatchedTcp::new(stream, Interest::READABLE | Interest::WRITABLE)?;
        // There is room to write once there is a connection, or will be none (connect(2)).
        poll_fn(|cx| heard.poll_room(cx)).await?;
        match heard.stream().take_error()? {
            Some(why) => Err(why),
            None => Ok(Self::of(heard)),
        }
    }

    /// Takes over a connection that is there and does not block.
    ///
    /// # Panics
    /// Outside a runtime of tokio that has an event loop.
    pub fn from_std(stream: TcpStream) -> io::Result<Self> {
        WatchedTcp::new(stream, Interest::READABLE).map(Self::of)
    }

    fn of(heard: WatchedTcp) -> Self {
        Self {
            heard,
            room: None,
            haste: Haste::Unneeded,
        }
    }

    /// The address that it comes from.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.heard.stream().local_addr()
    }

    fn poll_sent(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        // Or who writes much to a peer that is quick would let no other have a turn.
        let turn = ready!(coop::poll_proceed(cx));
        self.haste = match self.haste {
            Haste::Unneeded => Haste::Needed,
            Haste::Needed => {
                // A connection that is gone says so when it is written to.
                self.heard.stream().set_nodelay(true).ok();
                Haste::Told
            }
            Haste::Told => Haste::Told,
        };
        loop {
            match send(self.heard.stream()) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                done => {
                    turn.made_progress();
                    return Poll::Ready(done);
                }
            }
            ready!(self.room()?.poll_room(cx))?;
        }
    }

    fn room(&mut self) -> io::Result<&WatchedTcp> {
        let again = match self.room.take() {
            Some(room) => room,
            None => WatchedTcp::new(self.heard.stream().try_clone()?, Interest::WRITABLE)?,
        };
        Ok(self.room.insert(again))
    }
}

impl AsFd for TcpConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.stream().as_fd()
    }
}

impl AsyncRead for TcpConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.heard.poll_read(cx, buffer)
    }
}

impl AsyncWrite for TcpConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_sent(cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_sent(cx, |mut stream| stream.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// There is nothing to do: what is written has gone to the kernel.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.heard.stream().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Read as _};
    use std::net::TcpListener;
    use std::task::Waker;
    use std::thread;
    use std::time::Duration;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};

    use super::*;

    fn socket() -> OwnedFd {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
    }

    /// A connection that the event loop has told nothing of, and its other end.
    async fn pair() -> (TcpConnection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let near = TcpConnection::connect(socket(), to).await.unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn the_first_words_wait_for_nothing() {
        let (mut near, mut far) = pair().await;
        let mut cx = Context::from_waker(Waker::noop());
        let sent = Pin::new(&mut near).poll_write(&mut cx, b"one ");
        assert!(matches!(sent, Poll::Ready(Ok(4))), "{sent:?}");
        // There was nothing unacknowledged that the kernel could wait for.
        assert!(!near.heard.stream().nodelay().unwrap());
        let two = [IoSlice::new(b"tw"), IoSlice::new(b"o")];
        let sent = Pin::new(&mut near).poll_write_vectored(&mut cx, &two);
        assert!(matches!(sent, Poll::Ready(Ok(3))), "{sent:?}");
        assert!(near.heard.stream().nodelay().unwrap());
        drop(near);
        let mut heard = String::new();
        far.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "one two");
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_and_arrives_whole_while_answers_come() {
        let long: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251) as u8).collect();
        let (near, mut far) = pair().await;
        let echo = thread::spawn(move || {
            // Until then whoever writes finds no room.
            thread::sleep(Duration::from_millis(100));
            let mut back = far.try_clone().unwrap();
            io::copy(&mut far, &mut back).unwrap()
        });
        let (mut reads, mut writes) = split(near);
        let sending = async {
            writes.write_all(&long).await.unwrap();
            writes.shutdown().await.unwrap();
        };
        let hearing = async {
            let mut heard = Vec::new();
            reads.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let ((), heard) = tokio::join!(sending, hearing);
        assert!(heard == long, "{} of {}", heard.len(), long.len());
        assert_eq!(echo.join().unwrap(), long.len() as u64);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_for_who_reads_and_who_writes() {
        let (mut near, far) = pair().await;
        rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
        near.write_all(b"unread").await.unwrap();
        drop(far);
        let why = near.read(&mut [0; 8]).await.unwrap_err().kind();
        assert_eq!(why, io::ErrorKind::ConnectionReset);
        let why = near.write_all(&[0; 8]).await.unwrap_err().kind();
        assert_eq!(why, io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn who_writes_much_lets_others_have_a_turn() {
        let (mut near, _far) = pair().await;
        let mut cx = Context::from_waker(Waker::noop());
        let mut write = || Pin::new(&mut near).poll_write(&mut cx, b"a");
        let written = (0..1000).take_while(|_| write().is_ready()).count();
        assert!((1..1000).contains(&written), "{written}");
        let sent = coop::unconstrained(near.write(b"a")).await;
        assert_eq!(sent.unwrap(), 1, "there is room");
    }

    #[tokio::test]
    async fn nobody_who_listens_is_an_error_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        drop(listener);
        let why = TcpConnection::connect(socket(), to).await.unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::ConnectionRefused);
    }
}
