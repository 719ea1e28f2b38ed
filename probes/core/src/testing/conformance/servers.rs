//! Which hostile peers does the kit bring along?
//!
//! Servers on loopback that speak no protocol and let a probe wait in every way there is. They
//! live on a thread of their own, so a probe that blocks cannot stop them, and each lets go of a
//! connection as soon as the probe does, so that a descriptor left open is the probe's.

mod tcp;
mod udp;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Servers that are listening until this is dropped.
#[derive(Debug)]
pub(super) struct Servers {
    /// What each does, and where.
    pub(super) addresses: Vec<(&'static str, SocketAddr)>,
    /// Present until the servers are dropped.
    runtime: Option<Runtime>,
}

impl Servers {
    /// The ways in which a TCP server can be hostile.
    pub(super) fn tcp() -> Self {
        Self::start(tcp::start)
    }

    /// The ways in which a UDP server can be hostile.
    pub(super) fn udp() -> Self {
        Self::start(udp::start)
    }

    fn start(all: fn() -> io::Result<Vec<(&'static str, SocketAddr)>>) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hostile")
            .enable_all()
            .build()
            .expect("the system has a thread and a few descriptors left");
        let inside = runtime.enter();
        let addresses = all().expect("loopback has free ports");
        drop(inside);
        Self {
            addresses,
            runtime: Some(runtime),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Between two drips: short enough that several fall into one run.
const DRIP: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpStream, UdpSocket};

    use super::*;

    #[tokio::test]
    async fn tcp_servers_are_hostile_as_they_say() {
        let servers = Servers::tcp();
        for (name, address) in &servers.addresses {
            let stream = TcpStream::connect(address).await;
            if *name == "refusing" {
                assert_eq!(stream.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
                continue;
            }
            let mut stream = stream.unwrap();
            match *name {
                "silent" => assert!(stream.try_read(&mut [0]).is_err()),
                "dripping" => assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 1),
                "flooding" => drop(stream.read_exact(&mut vec![0; 1 << 20]).await.unwrap()),
                "closing" => assert_eq!(stream.read(&mut [0]).await.unwrap(), 0),
                other => panic!("{other}"),
            }
        }
    }

    #[tokio::test]
    async fn udp_servers_are_hostile_as_they_say() {
        let servers = Servers::udp();
        for (name, address) in &servers.addresses {
            let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
            socket.connect(address).await.unwrap();
            socket.send(b"?").await.unwrap();
            let mut buffer = [0; 2048];
            let expected = match *name {
                "silent" => {
                    assert!(socket.try_recv(&mut buffer).is_err());
                    continue;
                }
                "refusing" => {
                    let error = socket.recv(&mut buffer).await.unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                    continue;
                }
                "dripping" => 1,
                "flooding" => 512,
                other => panic!("{other}"),
            };
            for _ in 0..3 {
                assert_eq!(socket.recv(&mut buffer).await.unwrap(), expected);
            }
        }
    }
}
