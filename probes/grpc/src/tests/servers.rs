//! Servers that answer a call as they are told to, and keep what they were asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use h2::{Reason, server};
use hyper::header::HeaderMap;
use hyper::http::{Response, request};
use leadsman_core::testing::Bench;
use leadsman_dial::testing::Certified;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with a call.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) status: u16,
    pub(super) head: Vec<(&'static str, &'static str)>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<&'static [(&'static str, &'static str)]>,
    /// In place of an answer, or after its body.
    pub(super) reset: Option<Reason>,
}

/// The usual head.
pub(super) const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// An answer that says this number.
pub(super) fn says(serving: u8) -> Script {
    Script {
        status: 200,
        head: vec![GRPC],
        body: vec![0, 0, 0, 0, 2, 8, serving],
        trailers: Some(&[("grpc-status", "0")]),
        reset: None,
    }
}

/// A call as it came: its head, and all of its body.
pub(super) type Heard = Arc<Mutex<Vec<(request::Parts, Vec<u8>)>>>;

/// Answers every call like this.
pub(super) async fn scripted(script: Script) -> SocketAddr {
    listening(script, "127.0.0.1:0").await.0
}

/// The same at an address, with what was heard.
pub(super) async fn listening(script: Script, at: &str) -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    let address = accepting(at, move |stream| {
        speak(stream, script.clone(), Arc::clone(&kept))
    });
    (address.await, heard)
}

/// Does this with each connection.
pub(super) async fn accepting<F: Future<Output = ()> + Send + 'static>(
    at: &str,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A client that has gone away is the client's affair.
async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, calls: Heard) {
    let Ok(mut connection) = server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (head, mut body) = request.into_parts();
        let (script, calls) = (script.clone(), Arc::clone(&calls));
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                bytes.extend_from_slice(&data);
            }
            let mut all = calls.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((head, bytes));
            drop(all);
            if let (Some(reason), true) = (script.reset, script.body.is_empty()) {
                respond.send_reset(reason);
                return;
            }
            let mut response = Response::new(());
            *response.status_mut() = script.status.try_into().unwrap();
            *response.headers_mut() = fields(&script.head);
            let ends = script.body.is_empty() && script.trailers.is_none();
            let Ok(mut stream) = respond.send_response(response, ends) else {
                return;
            };
            if !ends {
                let last = script.trailers.is_none() && script.reset.is_none();
                stream.send_data(Bytes::from(script.body), last).ok();
            }
            match (script.trailers, script.reset) {
                (Some(trailers), _) => {
                    stream.send_trailers(fields(trailers)).ok();
                }
                (None, Some(reason)) => stream.send_reset(reason),
                (None, None) => {}
            }
        });
    }
}

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let parsed = fields
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    parsed.collect()
}

/// A server that speaks TLS, and a bench that trusts it.
pub(super) async fn secured(bench: Bench, names: &[&str], script: Script) -> (SocketAddr, Bench) {
    let own = Certified::new(names);
    let acceptor = own.acceptor(&[b"h2"]);
    let address = accepting("127.0.0.1:0", move |stream| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                speak(stream, script, Heard::default()).await;
            }
        }
    });
    let trusting = bench
        .option("tls", true)
        .option("tls_config", serde_json::json!({ "ca": own.authority }));
    (address.await, trusting)
}
