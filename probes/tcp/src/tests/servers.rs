//! Servers that say what they are told to.

use std::net::SocketAddr;

use leadsman_dial::testing;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio_rustls::TlsAcceptor;

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Does this with each connection.
pub(super) async fn accepting<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(Box<dyn Stream>) -> F + Send + 'static,
) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener: TcpListener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Box::new(stream)));
        }
    });
    address
}

/// Does this with each connection at a path.
pub(super) fn accepting_at<F: Future<Output = ()> + Send + 'static>(
    path: &str,
    serve: impl Fn(Box<dyn Stream>) -> F + Send + 'static,
) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Box::new(stream)));
        }
    });
}

/// Says this and waits until the probe has gone.
pub(super) async fn say(mut stream: impl Stream, words: &[u8]) {
    // A probe that has gone away is the probe's affair.
    stream.write_all(words).await.ok();
    stream.flush().await.ok();
    let mut ignored = [0; 1024];
    while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
}

pub(super) async fn saying(words: &'static [u8]) -> SocketAddr {
    accepting(move |stream| say(stream, words)).await
}

pub(super) fn saying_at(path: &str, words: &'static [u8]) {
    accepting_at(path, move |stream| say(stream, words));
}

/// Says this and closes, once it has read what is there to read.
pub(super) async fn closing(words: &'static [u8]) -> SocketAddr {
    accepting(move |mut stream| async move {
        stream.write_all(words).await.ok();
        stream.shutdown().await.ok();
        let mut ignored = [0; 1024];
        while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
    })
    .await
}

/// A server's certificate and the authority that signed it.
#[derive(Clone)]
pub(super) struct Certified {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    acceptor: TlsAcceptor,
}

impl Certified {
    /// For these names and 127.0.0.1, valid today.
    pub(super) fn new(names: &[&str]) -> Self {
        let own = testing::Certified::new(&[names, &["127.0.0.1"]].concat());
        Self {
            acceptor: own.acceptor(&[]),
            authority: own.authority,
        }
    }

    /// Says this over TLS from the first byte.
    pub(super) async fn serve(&self, words: &'static [u8]) -> SocketAddr {
        let own = self.clone();
        accepting(move |stream| own.clone().upgrade(stream, b"", words)).await
    }

    pub(super) fn serve_at(&self, path: &str, words: &'static [u8]) {
        let own = self.clone();
        accepting_at(path, move |stream| own.clone().upgrade(stream, b"", words));
    }

    /// Says the one in the clear, and the other over TLS.
    pub(super) async fn upgrading(&self, clear: &'static [u8], over: &'static [u8]) -> SocketAddr {
        let own = self.clone();
        accepting(move |stream| own.clone().upgrade(stream, clear, over)).await
    }

    pub(super) fn upgrading_at(&self, path: &str, clear: &'static [u8], over: &'static [u8]) {
        let own = self.clone();
        accepting_at(path, move |stream| own.clone().upgrade(stream, clear, over));
    }

    async fn upgrade(self, mut stream: Box<dyn Stream>, clear: &'static [u8], over: &'static [u8]) {
        stream.write_all(clear).await.ok();
        if let Ok(stream) = self.acceptor.accept(stream).await {
            say(stream, over).await;
        }
    }
}
