//! How is an address opened to serve on?
//!
//! Every interface means both families, whatever this host's defaults are. What is answered to
//! those who connect is not decided here.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs};

use crate::config::Address;

/// Listens at `address`; a name is looked up, and the first of its addresses that can be opened is.
pub(crate) async fn listen(address: &Address) -> io::Result<TcpListener> {
    match address {
        Address::Everywhere(port) => everywhere(*port).await,
        Address::At(host_and_port) => bind(host_and_port).await,
    }
}

/// Why there is no socket that systemd opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InheritError {
    /// It has opened none for this program.
    #[error(
        "systemd has passed on no socket: --web.systemd-socket needs a socket unit beside the service"
    )]
    None,
    /// It has opened something else.
    #[error("what systemd has passed on is no TCP socket that listens: {0}")]
    Unfit(#[source] io::Error),
}

/// Takes the sockets that systemd has opened for this program, and tells where they are.
pub(crate) fn inherited() -> Result<(Vec<TcpListener>, Vec<SocketAddr>), InheritError> {
    let mut passed = ListenFd::from_env();
    let mut opened = (Vec::new(), Vec::new());
    for index in 0..passed.len() {
        let listener = passed.take_tcp_listener(index);
        let Some(listener) = listener.map_err(InheritError::Unfit)? else {
            continue;
        };
        let adopt = || {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = adopt().map_err(InheritError::Unfit)?;
        opened.0.push(listener);
        opened.1.push(address);
    }
    if opened.0.is_empty() {
        return Err(InheritError::None);
    }
    Ok(opened)
}

async fn everywhere(port: u16) -> io::Result<TcpListener> {
    // What keeps this socket from being made for another reason than a kernel without IPv6, such
    // as too few descriptors, keeps the other from it as well.
    let Ok(socket) = TcpSocket::new_v6() else {
        return bind((Ipv4Addr::UNSPECIFIED, port)).await;
    };
    // The default is net.ipv6.bindv6only (RFC 3493, section 5.3).
    SockRef::from(&socket).set_only_v6(false)?;
    // As `TcpListener::bind` does, or a restart would wait for connections of before.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?;
    socket.listen(BACKLOG)
}

async fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    // Once more, for more room.
    SockRef::from(&listener).listen(BACKLOG.cast_signed())?;
    Ok(listener)
}

/// Connections that may wait to be accepted, as far as `net.core.somaxconn` lets them. For those of
/// whom too many come at once the kernel forgets what they are told, and they wait.
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::try_join_all;
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn every_interface_is_of_either_family() {
        let listener = listen(&Address::Everywhere(0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.is_ipv4() || !SockRef::from(&listener).only_v6().unwrap());
        let peer = TcpStream::connect((Ipv4Addr::LOCALHOST, address.port()));
        peer.await.unwrap();
    }

    #[tokio::test]
    async fn as_many_may_come_at_once_wherever_it_listens() {
        let named = Address::At("localhost:0".to_owned());
        for address in [Address::Everywhere(0), named] {
            let listener = listen(&address).await.unwrap();
            let mut to = listener.local_addr().unwrap();
            if to.ip().is_unspecified() {
                to.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            // Nobody accepts, so whoever finds no room does not ever get in.
            let come = try_join_all((0..300).map(|_| TcpStream::connect(to)));
            let come = timeout(Duration::from_secs(30), come).await;
            assert_eq!(come.unwrap().unwrap().len(), 300, "{address:?}");
        }
    }
}
