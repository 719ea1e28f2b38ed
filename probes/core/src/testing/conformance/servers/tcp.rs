//! How can a TCP server be hostile?

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

use super::{DRIP, LOOPBACK};

/// Starts one of each on the current runtime.
pub(super) fn start() -> io::Result<Vec<(&'static str, SocketAddr)>> {
    Ok(vec![
        ("silent", serve(|stream| until_closed(stream, idle))?),
        ("refusing", refuse()?),
        ("dripping", serve(|stream| until_closed(stream, drip))?),
        ("flooding", serve(|stream| until_closed(stream, flood))?),
        ("closing", serve(|stream| async { drop(stream) })?),
    ])
}

/// Accepts without end and lets `treat` have every connection.
fn serve<F: Future<Output = ()> + Send + 'static>(
    treat: impl Fn(TcpStream) -> F + Send + 'static,
) -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(LOOPBACK)?;
    let listener: TcpListener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        // An error is that of one connection which was gone again before it was accepted.
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(treat(stream));
            }
        }
    });
    Ok(address)
}

/// Holds a port where nobody listens, so that nobody else can come to listen there.
fn refuse() -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(LOOPBACK)?;
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(socket);
    });
    Ok(address)
}

async fn until_closed<F: Future<Output = ()>>(
    stream: TcpStream,
    write: impl Fn(OwnedWriteHalf) -> F,
) {
    let (reading, writing) = stream.into_split();
    tokio::select! {
        () = closed(reading) => {}
        () = write(writing) => {}
    }
}

/// Completes when the probe has closed; what it says is ignored.
async fn closed(mut reading: OwnedReadHalf) {
    let mut ignored = [0; 1024];
    while matches!(reading.read(&mut ignored).await, Ok(1..)) {}
}

async fn idle(writing: OwnedWriteHalf) {
    std::future::pending::<()>().await;
    drop(writing);
}

async fn drip(mut writing: OwnedWriteHalf) {
    while writing.write_all(b"x").await.is_ok() {
        sleep(DRIP).await;
    }
}

async fn flood(mut writing: OwnedWriteHalf) {
    while writing.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
}

/// Connections that may wait to be accepted: a burst of runs must not find the queue full.
const BACKLOG: u32 = 1024;
