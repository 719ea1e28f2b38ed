//! What is done with what a server may have sent, for fuzzing.

use http_body_util::{BodyExt as _, Collected, Full};
use httparse::Status;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::http::response::Parts;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::Builder;

use super::plain::parsed;

/// The answer to a request.
///
/// # Panics
/// If it is called plain and hyper reads something else in it.
pub fn answer(bytes: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let answer = Bytes::copy_from_slice(bytes);
        let Some(Status::Complete((head, length, content))) = parsed(&method, &answer) else {
            continue;
        };
        let runtime = Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without an event loop needs nothing");
        let read = runtime.block_on(by_hyper(method, bytes));
        let (other, body) = read.expect("hyper reads what is plain");
        assert_eq!(
            (head.status, head.version, head.headers),
            (other.status, other.version, other.headers)
        );
        let came = &bytes[length..];
        let whole = usize::try_from(content)
            .ok()
            .and_then(|most| came.get(..most));
        assert_eq!(body.ok().as_deref(), whole);
    }
}

/// An answer as hyper reads it, with its body if that is whole.
async fn by_hyper(method: Method, bytes: &[u8]) -> hyper::Result<(Parts, hyper::Result<Bytes>)> {
    let (near, mut far) = duplex(bytes.len() + ROOM);
    let (mut sender, connection) = handshake(TokioIo::new(near)).await?;
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = method;
    let asked = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok((head, body.collect().await.map(Collected::to_bytes)))
    };
    let answered = async {
        // Hyper wants no answer before.
        far.read_u8().await.expect("there is a request");
        far.write_all(bytes).await.expect("there is room");
        far.shutdown().await.expect("nothing is in the way");
    };
    let (asked, _, ()) = tokio::join!(asked, connection, answered);
    asked
}

/// Bytes for the request.
const ROOM: usize = 1024;
