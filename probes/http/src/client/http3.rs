//! How is one request made over HTTP/3 (RFC 9114)?
//!
//! Over a QUIC connection of its own. Connecting and agreeing on TLS are one handshake there, which is
//! the phase `connect`; the phase `tls` does not begin. What is sent to whom is decided elsewhere.

use std::fmt::{self, Display};

use h3::client::{self, RequestStream};
use h3::error::StreamError;
use h3_quinn::BidiStream;
use h3_quinn::quinn::{Connection, ConnectionError};
use hyper::body::{Buf as _, Bytes};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue};
use hyper::{Request, Uri};
use leadsman_core::{Cause, Fault};
use leadsman_dial::{Driver, Quic, connect_quic, metrics, quic_failure};
use url::Position;

use super::exchange::{Answer, Asked, Content, Way, shown};
use super::target;
use super::trip::Trip;
use super::watch::Phase;

/// A response that is still coming.
pub(crate) struct Coming {
    stream: RequestStream<BidiStream<Bytes>, Bytes>,
    connection: Connection,
    driver: Driver,
    /// What the response is to, for people.
    doing: String,
    /// When it is dropped the connection is closed.
    _sender: client::SendRequest<h3_quinn::OpenStreams, Bytes>,
}

impl Trip<'_, '_> {
    /// Makes a request over HTTP/3 and waits for the head of its answer.
    pub(crate) async fn exchange_http3(
        &mut self,
        way: &Way<'_>,
        asked: Asked<'_>,
    ) -> Result<Answer, Fault> {
        let url = shown(asked.url);
        let Some((tls, name)) = &way.tls else {
            let detail = format!("{url} cannot be asked over HTTP/3: it is not https");
            return Err(Fault::target(Cause::Protocol, detail));
        };
        let (host, port) = (target::host(asked.url), target::port(asked.url));
        let addresses = if way.is_target {
            self.cx.resolve_all(&host, way.preference).await?
        } else {
            self.cx.addresses(&host, way.preference).await?
        };
        self.watch.enter(Phase::Connect);
        let how = (tls, &**name, ALPN);
        let handshake = connect_quic(self.cx, &addresses, port, way.source, how).await;
        if let Some(shown) = &handshake.shown {
            metrics::record_shown(self.cx, shown);
        }
        self.attempted(match &handshake.quic {
            Ok(quic) => quic.attempts,
            Err(_) => addresses.len(),
        });
        let quic = handshake.quic?;
        if way.is_target && quic.attempts > 1 {
            self.cx.address(quic.peer.ip());
        }
        let Quic {
            connection,
            mut driver,
            peer,
            agreed,
            ..
        } = quic;
        let doing = format!("no answer from {peer} to {} {url}", asked.method);
        self.watch.enter(Phase::Write);
        let mut builder = client::builder();
        let builder = builder
            .send_grease(false)
            .max_field_section_size(MOST_HEADER);
        let opened = driver
            .beside(builder.build(h3_quinn::Connection::new(connection.clone())))
            .await;
        let (mut control, mut sender) = opened.map_err(|why| ended(&connection, &doing, &why))?;
        driver.add(async move {
            control.wait_idle().await;
        });
        let body = asked.body.clone();
        let request = request(asked)?;
        let written = async {
            let mut stream = sender.send_request(request).await?;
            if !body.is_empty() {
                stream.send_data(body).await?;
            }
            stream.finish().await?;
            Ok::<_, StreamError>(stream)
        };
        let mut stream = driver
            .beside(written)
            .await
            .map_err(|why| judged(&connection, &doing, &why))?;
        self.watch.enter(Phase::Wait);
        let head = loop {
            let head = driver.beside(stream.recv_response()).await;
            let head = head.map_err(|why| judged(&connection, &doing, &why))?;
            // What comes before the final response is passed over (RFC 9110, section 15.2).
            if !head.status().is_informational() {
                break head;
            }
        };
        self.watch.answered();
        let coming = Coming {
            stream,
            connection,
            driver,
            doing: format!("the body from {peer} broke off"),
            _sender: sender,
        };
        Ok(Answer {
            head: head.into_parts().0,
            peer,
            tls: Some((handshake.shown, agreed)),
            content: Content::Quic(Box::new(coming)),
        })
    }
}

impl Coming {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let piece = self.driver.beside(self.stream.recv_data()).await;
        let piece = piece.map_err(|why| judged(&self.connection, &self.doing, &why))?;
        if piece.is_none() {
            self.driver.nudge();
        }
        Ok(piece.map(|mut piece| piece.copy_to_bytes(piece.remaining())))
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coming({})", self.doing)
    }
}

fn request(asked: Asked<'_>) -> Result<Request<()>, Fault> {
    let path = &asked.url[Position::BeforePath..Position::AfterQuery];
    let host = asked.host.as_deref();
    let host = host.unwrap_or_else(|| target::authority(asked.url));
    let uri: Uri = format!("https://{host}{path}")
        .parse()
        .map_err(Fault::own)?;
    let mut request = Request::new(());
    *request.method_mut() = asked.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = asked.fields;
    let fields = request.headers_mut();
    // Who is asked for stands in the URI (RFC 9114, section 4.3.1).
    fields.remove(HOST);
    if !asked.body.is_empty() {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(asked.body.len()));
    }
    Ok(request)
}

/// Whose fault is it that a request came to nothing?
fn judged(connection: &Connection, doing: &str, error: &StreamError) -> Fault {
    let cause = match error {
        StreamError::ConnectionError { .. } => return ended(connection, doing, error),
        StreamError::RemoteTerminate { .. } => Cause::Reset,
        StreamError::RemoteClosing { .. } => Cause::Closed,
        _ => Cause::Protocol,
    };
    told(cause, doing, error)
}

/// Whose fault is it that a connection ended?
fn ended(connection: &Connection, doing: &str, error: &dyn Display) -> Fault {
    match connection.close_reason() {
        // By h3, which did not understand what the server sent.
        None | Some(ConnectionError::LocallyClosed) => told(Cause::Protocol, doing, error),
        Some(reason) => quic_failure(doing, &reason),
    }
}

/// Escaped, for the server may have chosen the words.
fn told(cause: Cause, doing: &str, words: &dyn Display) -> Fault {
    let words = words.to_string();
    Fault::target(cause, format!("{doing}: {}", words.escape_debug()))
}

/// HTTP/3 as it is offered in TLS (RFC 9114, section 3.1).
const ALPN: &[u8] = b"h3";

/// As many bytes of fields as HTTP/2 is allowed.
const MOST_HEADER: u64 = 16 * 1024;
