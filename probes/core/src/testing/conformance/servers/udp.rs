//! How can a UDP server be hostile?

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep};

use super::{DRIP, LOOPBACK};

/// Starts one of each on the current runtime.
pub(super) fn start() -> io::Result<Vec<(&'static str, SocketAddr)>> {
    Ok(vec![
        ("silent", hold(bind()?)?),
        ("refusing", refuse()?),
        ("dripping", answer(b"x", DRIP)?),
        ("flooding", answer(&[b'x'; 512], Duration::ZERO)?),
    ])
}

fn bind() -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(LOOPBACK)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Never reads what it is sent.
fn hold(socket: UdpSocket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(socket);
    });
    Ok(address)
}

/// A socket connected to itself hears nobody else: to all others the kernel reports its port as
/// unreachable (RFC 1122, section 4.1.3.1), and nobody else can come to open it.
fn refuse() -> io::Result<SocketAddr> {
    let socket = std::net::UdpSocket::bind(LOOPBACK)?;
    socket.connect(socket.local_addr()?)?;
    socket.set_nonblocking(true)?;
    hold(UdpSocket::from_std(socket)?)
}

/// Answers each datagram with many, `pause` apart.
fn answer(datagram: &'static [u8], pause: Duration) -> io::Result<SocketAddr> {
    let socket = bind()?;
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        loop {
            // An error is only the report that an answer found nobody.
            let Ok((_, asker)) = socket.recv_from(&mut [0; 2048]).await else {
                continue;
            };
            // UDP does not tell when the asker is gone, so an end is set to it.
            let end = Instant::now() + LONGEST;
            while Instant::now() < end && socket.send_to(datagram, asker).await.is_ok() {
                if pause.is_zero() {
                    tokio::task::yield_now().await;
                } else {
                    sleep(pause).await;
                }
            }
        }
    });
    Ok(address)
}

/// How long an asker is answered: longer than the kit's runs, so that the answers outlast them.
const LONGEST: Duration = Duration::from_millis(500);
