//! Servers that open a WebSocket, or do something else in its place.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use leadsman_core::testing::Bench;
use leadsman_dial::testing::Certified;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The heads of the requests that came.
pub(super) type Calls = Arc<Mutex<Vec<String>>>;

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

/// Answers each request with these bytes, in which `ACCEPT` stands for what the key asks for, and
/// waits for the peer to end it.
pub(super) async fn scripted(answer: Vec<u8>) -> (SocketAddr, Calls) {
    let calls = Calls::default();
    let kept = Arc::clone(&calls);
    let address = accepting(move |mut stream| {
        let (answer, kept) = (answer.clone(), Arc::clone(&kept));
        async move {
            let Some(head) = head(&mut stream).await else {
                return;
            };
            let answer = answered(&answer, &head);
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(head);
            stream.write_all(&answer).await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
        }
    });
    (address.await, calls)
}

/// Opens a WebSocket for each connection and does this with it.
pub(super) async fn talking<F: Future<Output = ()> + Send + 'static>(
    talk: impl Fn(WebSocketStream<TcpStream>) -> F + Clone + Send + 'static,
) -> SocketAddr {
    accepting(move |stream| {
        let talk = talk.clone();
        async move {
            if let Some(socket) = open(stream).await {
                talk(socket).await;
            }
        }
    })
    .await
}

/// Says goodbye to whoever does.
pub(super) async fn listen<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
}

/// A server that opens a WebSocket in TLS, and a bench that trusts it.
pub(super) async fn secured(bench: Bench, name: &str) -> (SocketAddr, Bench) {
    let own = Certified::new(&[name]);
    let acceptor = own.acceptor(&[]);
    let address = accepting(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await
                && let Some(socket) = open(stream).await
            {
                listen(socket).await;
            }
        }
    });
    let config = serde_json::json!({ "tls_config": { "ca": own.authority } });
    (address.await, bench.option("http_config", config))
}

/// The head of an answer that opens a WebSocket.
pub(super) const OPEN: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

async fn open<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Option<WebSocketStream<S>> {
    let head = head(&mut stream).await?;
    let answer = answered(OPEN.as_bytes(), &head);
    stream.write_all(&answer).await.ok()?;
    Some(WebSocketStream::from_raw_socket(stream, Role::Server, None).await)
}

/// Reads the head of a request.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

fn answered(answer: &[u8], head: &str) -> Vec<u8> {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-Websocket-Key: "));
    let text = format!(
        "{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
        key.unwrap_or_default()
    );
    let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    let at = answer.windows(6).position(|window| window == b"ACCEPT");
    match at {
        Some(at) => [&answer[..at], accept.as_bytes(), &answer[at + 6..]].concat(),
        None => answer.to_vec(),
    }
}
