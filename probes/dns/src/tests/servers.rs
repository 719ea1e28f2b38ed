//! Servers that say what they are told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_dial::testing;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// Bit TC.
pub(super) const TC: u8 = 0x02;
/// Bit AA.
pub(super) const AA: u8 = 0x04;

/// The reply to a query with its question, these flags and code, and answer records.
pub(super) fn reply(query: &[u8], flags: u8, rcode: u8, answers: &[&[u8]]) -> Vec<u8> {
    let mut message = query[..2].to_vec();
    message.extend([0x80 | flags | query[2] & 1, rcode, 0, 1]);
    message.extend([0, answers.len() as u8, 0, 0, 0, 0]);
    message.extend(question(query));
    message.extend(answers.concat());
    message
}

/// The question of a query whose name has no escapes.
pub(super) fn question(query: &[u8]) -> &[u8] {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    &query[12..end + 5]
}

/// A message behind its length.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = message.len() as u16;
    [&length.to_be_bytes()[..], message].concat()
}

/// Answers each datagram with those that `answer` makes of it, in their order.
pub(super) async fn udp(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    serve(socket, move |query, _| answer(query))
}

/// The same, where who asks matters.
pub(super) async fn udp_of(
    answer: impl Fn(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    serve(UdpSocket::bind("127.0.0.1:0").await.unwrap(), answer)
}

fn serve(
    socket: UdpSocket,
    answer: impl Fn(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        loop {
            // An error is only the report that an answer found nobody.
            let Ok((length, asker)) = socket.recv_from(&mut query).await else {
                continue;
            };
            for message in answer(&query[..length], asker) {
                socket.send_to(&message, asker).await.ok();
            }
        }
    });
    address
}

/// Answers each query over TCP with these pieces, a moment between them, and closes then.
pub(super) async fn tcp(
    pieces: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), pieces)
}

fn listen(
    listener: TcpListener,
    pieces: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let pieces = Arc::new(pieces);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let pieces = Arc::clone(&pieces);
            tokio::spawn(async move {
                let Some(query) = read(&mut stream).await else {
                    return;
                };
                say(&mut stream, &pieces(&query)).await;
            });
        }
    });
    address
}

/// Both at the same port.
pub(super) async fn both(
    answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    pieces: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // Whoever has the same port over TCP keeps it.
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
            listen(listener, pieces);
            return serve(socket, move |query, _| answer(query));
        }
    }
}

async fn say(stream: &mut TcpStream, pieces: &[Vec<u8>]) {
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        stream.write_all(piece).await.ok();
        sleep(Duration::from_millis(2)).await;
    }
    stream.shutdown().await.ok();
    // Until the asker has closed too, so that what was said is not lost with a reset.
    while stream.read_u8().await.is_ok() {}
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut query = vec![0; usize::from(length)];
    stream.read_exact(&mut query).await.ok()?;
    Some(query)
}

/// A server's certificate and the authority that signed it.
pub(super) struct Certified {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    acceptor: TlsAcceptor,
}

impl Certified {
    /// For these names and 127.0.0.1.
    pub(super) fn new(names: &[&str]) -> Self {
        let own = testing::Certified::new(&[names, &["127.0.0.1"]].concat());
        Self {
            acceptor: own.acceptor(&[]),
            authority: own.authority,
        }
    }

    /// Answers a query over TLS with this.
    pub(super) async fn serve(
        &self,
        answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, answer) = (self.acceptor.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    if let Some(query) = read(&mut stream).await {
                        stream.write_all(&framed(&answer(&query))).await.ok();
                        stream.shutdown().await.ok();
                    }
                });
            }
        });
        address
    }
}
