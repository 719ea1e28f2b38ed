//! How is a server asked over UDP?
//!
//! With a socket of its own for each run, connected, so that the kernel takes answers from nobody
//! else, says when the port is closed (RFC 1122, section 4.1.3.3), and chooses another source port
//! each time. A message is sent once: what was lost is lost, unless the caller sends it again.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use leadsman_core::Fault;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net;

/// A socket that knows one server only, before anything was sent.
#[derive(Debug)]
pub(crate) struct Unasked {
    socket: UdpSocket,
    peer: SocketAddr,
}

/// The same once a message was sent.
#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: net::UdpSocket,
    peer: SocketAddr,
}

impl Unasked {
    /// Opens a socket to `peer`, from `source` if one is given.
    pub(crate) fn open(peer: SocketAddr, source: Option<IpAddr>) -> Result<Self, Fault> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(peer), kind, Some(Protocol::UDP));
        let socket = socket.map_err(|source| Fault::own(OpenError { peer, source }))?;
        if let Some(address) = source {
            let bound = socket.bind(&SocketAddr::new(address, 0).into());
            bound.map_err(|source| Fault::own(SourceError { address, source }))?;
        }
        let connected = socket.connect(&peer.into());
        connected
            .map_err(|why| Fault::connection(peer, &format!("cannot ask {peer} over UDP"), why))?;
        Ok(Self {
            socket: socket.into(),
            peer,
        })
    }

    /// Sends a message, before the socket is watched: a new one has room for it, and to be told so
    /// would cost more than to send.
    pub(crate) fn send(self, message: &[u8]) -> Result<Datagrams, Fault> {
        let Self { socket, peer } = self;
        socket.send(message).map_err(|why| unsent(peer, why))?;
        let socket = net::UdpSocket::from_std(socket);
        let socket = socket.map_err(|source| Fault::own(OpenError { peer, source }))?;
        Ok(Datagrams { socket, peer })
    }
}

impl Datagrams {
    /// Sends a message once more.
    pub(crate) async fn send(&self, message: &[u8]) -> Result<(), Fault> {
        let sent = self.socket.send(message).await;
        sent.map(drop).map_err(|why| unsent(self.peer, why))
    }

    /// Waits for the next message.
    pub(crate) async fn receive(&self) -> Result<Vec<u8>, Fault> {
        // A report that the port is closed makes a socket no more readable, but erroneous.
        let news = Interest::READABLE | Interest::ERROR;
        loop {
            let received = self.socket.ready(news).await.and_then(|ready| {
                // One at a time: to several at once no state of a socket corresponds.
                let news = if ready.is_error() {
                    Interest::ERROR
                } else {
                    Interest::READABLE
                };
                self.socket.try_io(news, || take(&self.socket))
            });
            match received {
                // Its checksum was wrong, so that there was nothing to be read after all.
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                received => {
                    return received.map_err(|why| {
                        let doing = format!("no answer from {} over UDP", self.peer);
                        Fault::connection(self.peer, &doing, why)
                    });
                }
            }
        }
    }
}

fn unsent(peer: SocketAddr, why: io::Error) -> Fault {
    let doing = format!("cannot send a question to {peer} over UDP");
    Fault::connection(peer, &doing, why)
}

fn take(socket: &net::UdpSocket) -> io::Result<Vec<u8>> {
    thread_local! {
        // As long as a datagram can be, so that none is cut; the message is seldom a hundredth.
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; 65_535]);
    }
    ROOM.with_borrow_mut(|room| {
        let length = (&*SockRef::from(socket)).read(room)?;
        Ok(room[..length].to_vec())
    })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open a socket to ask {peer} over UDP")]
struct OpenError {
    peer: SocketAddr,
    source: io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot send from {address}, which must be an address of this host")]
struct SourceError {
    address: IpAddr,
    source: io::Error,
}
