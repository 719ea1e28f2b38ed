//! Servers that say what they are told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadsman_dial::testing;
use rcgen::CertificateParams;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// A response of 200 with this body.
pub(super) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A redirect.
pub(super) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// What came to a server, each request whole.
pub(super) type Heard = Arc<Mutex<Vec<String>>>;

/// Answers every request with this and closes.
pub(super) async fn scripted(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    listening(move |_| answer.clone()).await.0
}

/// Answers each request with what `answer` makes of it, and keeps what came.
pub(super) async fn listening(
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    let answer = Arc::new(answer);
    let address = accepting(move |mut stream| {
        let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
        async move {
            let Some(request) = read(&mut stream).await else {
                return;
            };
            let answer = answer(&request);
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request);
            // A client that has gone away is the client's affair.
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        }
    });
    (address.await, heard)
}

/// Does this with one connection, and hands back what came of it.
pub(super) async fn once<F: Future<Output: Send + 'static> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<F::Output>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await
    });
    (address, served)
}

/// Does this with each connection.
pub(super) async fn accepting<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a request with its body.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines().map(str::to_ascii_lowercase);
            let length =
                lines.find_map(|line| Some(line.strip_prefix("content-length: ")?.to_owned()));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Sends pieces with pauses before them.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), pieces: &[(u64, &str)]) {
    for (millis, piece) in pieces {
        sleep(Duration::from_millis(*millis)).await;
        stream.write_all(piece.as_bytes()).await.ok();
        stream.flush().await.ok();
    }
}

/// A server's certificate and the authority that signed it.
pub(super) struct Certified {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    own: testing::Certified,
}

impl Certified {
    /// For these names and 127.0.0.1, valid today.
    pub(super) fn new(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    /// The same, changed.
    pub(super) fn with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let own = testing::Certified::with(&[names, &["127.0.0.1"]].concat(), change);
        Self {
            authority: own.authority.clone(),
            own,
        }
    }

    /// Speaks TLS with it.
    pub(super) fn acceptor(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        self.own.acceptor(alpn)
    }

    /// Speaks QUIC with it.
    #[cfg(feature = "http3")]
    pub(super) fn quic(&self) -> h3_quinn::quinn::ServerConfig {
        use h3_quinn::quinn::crypto::rustls::QuicServerConfig;
        let config = self.own.config(&[b"h3"]);
        let config = QuicServerConfig::try_from(config).unwrap();
        h3_quinn::quinn::ServerConfig::with_crypto(Arc::new(config))
    }

    /// Answers every request over TLS with this and closes.
    pub(super) async fn serve(&self, answer: String) -> SocketAddr {
        let acceptor = self.acceptor(&[]);
        accepting(move |stream| {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                if read(&mut stream).await.is_some() {
                    stream.write_all(answer.as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        })
        .await
    }
}
