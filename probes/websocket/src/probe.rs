//! How is a WebSocket opened, used and closed?
//!
//! The steps of `leadsman-dial`, then hyper's part of HTTP/1.1 until the server switches. Whether it did
//! is decided in [`super::upgrade`], what is said then in [`super::dialogue`].

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use leadsman_core::{Cause, Context, Fault, Probe, async_trait};
use leadsman_dial::credentials::{add_fields, of_url};
use leadsman_dial::{
    Driver, Protocol, Shown, Spawner, Stream, Tls, Witnessed, connect, hyper_failure, metrics,
};
use serde::Serialize;

use super::course::{Course, Phase};
use super::dialogue::Dialogue;
use super::metrics::{STATUS, UPGRADED};
use super::options::WebsocketOptions;
use super::target::Place;
use super::upgrade::Key;

/// A WebSocket at one URL.
#[derive(Debug)]
pub(crate) struct WebsocketProbe {
    options: Arc<WebsocketOptions>,
    place: Place,
    /// The field `Host`, and the name for TLS, where they are not the URL's.
    hostname: Option<String>,
}

/// What the server showed when TLS was agreed on, and what that was.
struct Secure {
    shown: Option<Shown>,
    agreed: Protocol,
}

impl WebsocketProbe {
    pub(crate) fn new(
        options: Arc<WebsocketOptions>,
        place: Place,
        hostname: Option<String>,
    ) -> Self {
        Self {
            options,
            place,
            hostname,
        }
    }

    async fn run(&self, course: &mut Course<'_, '_>) -> Result<(), Fault> {
        let (written, cx) = (&self.options.written, course.cx);
        // Here, so that what it takes to read the files belongs to no phase.
        let fields = self.fields().await?;
        let tls = if self.place.is_secure {
            let tls = self.options.tls.tls(&written.http_config.tls_config).await;
            Some(tls.map_err(Fault::own)?)
        } else {
            None
        };
        course.enter(Phase::Resolve);
        let addresses = cx
            .resolve_all(&self.place.host, written.preference())
            .await?;
        course.enter(Phase::Connect);
        let source = written.source_ip_address;
        let connected = connect(cx, &addresses, self.place.port, source).await?;
        let peer = connected.peer;
        if connected.attempts > 1 {
            cx.address(peer.ip());
        }
        let (stream, secure) = match &tls {
            Some(tls) => {
                let (stream, secure) = self.secured(course, tls, connected.stream, peer).await?;
                (stream, Some(secure))
            }
            None => (Box::new(connected.stream) as Box<dyn Stream>, None),
        };
        course.enter(Phase::Processing);
        let mut dialogue = self.opened(course, stream, peer, secure, fields).await?;
        let said = dialogue.go(cx, &written.query_response).await;
        if !matches!(said, Err(Fault::Target(Cause::Closed | Cause::Reset, _))) {
            course.enter(Phase::Close);
            dialogue.close(cx).await;
            // A fault is told with the phase in which it came.
            if said.is_err() {
                cx.enter("transfer");
            }
        }
        said
    }

    /// The fields of the request but those of the handshake.
    async fn fields(&self) -> Result<HeaderMap, Fault> {
        let written = &self.options.written;
        let mut fields = HeaderMap::new();
        for (name, field) in &written.headers {
            add_fields(&mut fields, name, &field.0).await?;
        }
        if let Some(authorization) = written.http_config.credentials().field().await? {
            fields.insert(AUTHORIZATION, authorization);
        }
        if !fields.contains_key(AUTHORIZATION)
            && let Some(of_url) = of_url(&self.place.url)
        {
            fields.insert(AUTHORIZATION, of_url);
        }
        if !fields.contains_key(USER_AGENT) {
            fields.insert(USER_AGENT, HeaderValue::from_static(OWN_NAME));
        }
        if !fields.contains_key(HOST) {
            let host = self.hostname.clone();
            let host = host.unwrap_or_else(|| self.place.authority());
            fields.insert(HOST, HeaderValue::try_from(host).map_err(Fault::own)?);
        }
        Ok(fields)
    }

    async fn secured(
        &self,
        course: &mut Course<'_, '_>,
        tls: &Tls,
        stream: impl Stream + 'static,
        peer: SocketAddr,
    ) -> Result<(Box<dyn Stream>, Secure), Fault> {
        course.enter(Phase::Tls);
        let own = &self.options.written.http_config.tls_config.server_name;
        let name = own.as_deref().or(self.hostname.as_deref());
        let name = name.unwrap_or(&self.place.host);
        let handshake = tls.handshake(stream, peer, name, &[b"http/1.1"]).await;
        if let Some(shown) = &handshake.shown {
            metrics::record_shown(course.cx, shown);
        }
        let stream = handshake.stream?;
        let secure = Secure {
            shown: handshake.shown,
            agreed: Protocol::of(&stream),
        };
        Ok((Box::new(stream), secure))
    }

    /// Asks for the WebSocket and waits until it is open.
    async fn opened(
        &self,
        course: &mut Course<'_, '_>,
        stream: Box<dyn Stream>,
        peer: SocketAddr,
        secure: Option<Secure>,
        mut fields: HeaderMap,
    ) -> Result<Dialogue<Witnessed>, Fault> {
        let cx = course.cx;
        let key = Key::new().map_err(|_| Fault::own("this system has no randomness to give"))?;
        key.ask(&mut fields);
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = self.place.path().parse().map_err(Fault::own)?;
        request.headers_mut().clone_from(&fields);
        let doing = format!("no answer from {peer} to the request for a WebSocket");
        let judged = |why: hyper::Error| hyper_failure(peer, &doing, &why);
        let io = TokioIo::new(course.witness.watch(stream));
        let mut builder = http1::Builder::new();
        let builder = builder.title_case_headers(true);
        let (mut sender, connection) = builder.handshake(io).await.map_err(judged)?;
        let mut driver = Driver::new(Spawner::default(), connection.with_upgrades());
        let response = driver.beside(sender.send_request(request)).await;
        let mut response = response.map_err(judged)?;
        course.enter(Phase::Transfer);
        cx.set(&STATUS, f64::from(response.status().as_u16()));
        if let Some(Secure { shown, agreed }) = &secure
            && let Some(shown) = shown
        {
            metrics::record_answered(cx, shown, agreed);
        }
        cx.event("response", || Answered {
            status: response.status().as_u16(),
            peer,
            tls: secure.as_ref().map(|secure| secure.agreed.version),
        });
        key.opens(response.status(), response.headers(), &fields)?;
        let upgraded = driver.beside(hyper::upgrade::on(&mut response)).await;
        let upgraded = upgraded.map_err(judged)?;
        let parts = upgraded.downcast::<TokioIo<Witnessed>>();
        let parts =
            parts.map_err(|_| Fault::own("hyper gives back another stream than it took"))?;
        cx.set(&UPGRADED, 1.0);
        let stream = parts.io.into_inner();
        Ok(Dialogue::begin(stream, parts.read_buf, peer).await)
    }
}

#[async_trait]
impl Probe for WebsocketProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let mut course = Course::begin(cx);
        self.run(&mut course).await
    }
}

/// The event of the answer to the request.
#[derive(Debug, Serialize)]
struct Answered {
    status: u16,
    peer: SocketAddr,
    tls: Option<&'static str>,
}

/// What the request's field `User-Agent` says unless told otherwise.
const OWN_NAME: &str = concat!("leadsman/", env!("CARGO_PKG_VERSION"));
