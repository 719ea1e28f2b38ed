//! How is a server asked for its health?
//!
//! The steps of `leadsman-dial`, then one call over HTTP/2 as h2 speaks it: hyper's layer above it is
//! for many calls, and would send this one in three pieces. What the answer is worth is decided in
//! [`super::verdict`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use h2::RecvStream;
use h2::client::Builder;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use hyper::http::response::Parts;
use hyper::{Method, Request};
use leadsman_core::{Cause, Context, Fault, Preference, Probe, async_trait};
use leadsman_dial::{
    Driver, Protocol, Shown, Spawner, Stream, Tls, Together, connect, failure, metrics,
};
use serde::Serialize;
use tokio::time::Instant;

use super::course::{Course, Phase};
use super::health::{self, Health};
use super::metrics::SSL;
use super::options::GrpcOptions;
use super::status::Code;
use super::verdict::{Received, Verdict};

/// A health check aimed at one server.
#[derive(Debug)]
pub(crate) struct GrpcProbe {
    options: Arc<GrpcOptions>,
    host: String,
    port: u16,
    /// The name that the server has to have where TLS is spoken.
    name: String,
    /// For which host, and at which port, the server is asked (RFC 9113, section 8.3.1).
    authority: String,
}

/// What came of a call.
struct Answer {
    head: Parts,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// What the server showed when TLS was agreed on, and what that was.
struct Secure {
    shown: Option<Shown>,
    agreed: Protocol,
}

impl GrpcProbe {
    pub(crate) fn new(
        options: Arc<GrpcOptions>,
        (host, port): (&str, u16),
        hostname: Option<&str>,
    ) -> Self {
        let asked_for = hostname.unwrap_or(host);
        let own = options.written.tls_config.server_name.as_deref();
        let name = own.unwrap_or(asked_for);
        // As gRPC's own clients do it: where TLS has a name, that is also whom they ask for.
        let authority = if options.written.tls {
            bracketed(name)
        } else {
            format!("{}:{port}", bracketed(asked_for))
        };
        Self {
            host: host.to_owned(),
            port,
            name: name.to_owned(),
            authority,
            options,
        }
    }

    async fn run(&self, course: &mut Course<'_, '_>) -> Result<(), Fault> {
        let (written, cx) = (&self.options.written, course.cx);
        let tls = if written.tls {
            let tls = self.options.tls.tls(&written.tls_config).await;
            Some(tls.map_err(Fault::own)?)
        } else {
            None
        };
        course.enter(Phase::Resolve);
        let addresses = self.addresses(cx).await?;
        course.enter(Phase::Connect);
        if cx.is_compatible() && self.host.contains(':') {
            let detail =
                "blackbox_exporter asks no address of IPv6 by gRPC, so neither is this one";
            return Err(Fault::own(detail));
        }
        let connected = connect(cx, &addresses, self.port, written.source_ip_address).await?;
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
        let answer = self.called(course, stream, peer).await?;
        let verdict = Verdict::of(&Received {
            status: answer.head.status,
            head: &answer.head.headers,
            body: &answer.body,
            trailers: answer.trailers.as_ref(),
        });
        course.answered(verdict.code, verdict.serving);
        if let Some(Secure { shown, agreed }) = &secure
            && (verdict.code == Code::OK || !cx.is_compatible())
        {
            cx.set(&SSL, 1.0);
            if let Some(shown) = shown {
                metrics::record_answered(cx, shown, agreed);
            }
        }
        let result = verdict.result();
        cx.event("answer", || Said {
            peer,
            status: verdict.code.to_string(),
            serving: verdict.serving.and_then(Health::name),
            tls: secure.as_ref().map(|secure| secure.agreed.version),
            detail: result.as_ref().err().map(ToString::to_string),
        });
        result
    }

    /// Where to connect to. `blackbox_exporter` looks for the preferred family but then connects to
    /// the name, at whatever address answers.
    async fn addresses(&self, cx: &Context<'_>) -> Result<Vec<IpAddr>, Fault> {
        let preference = self.options.preference(cx.is_compatible());
        let mut addresses = cx.resolve_all(&self.host, preference).await?;
        if cx.is_compatible() {
            for family in [preference.family, preference.family.other()] {
                let only = Preference {
                    family,
                    fallback: false,
                };
                let others = cx.addresses(&self.host, only).await.unwrap_or_default();
                let new = others
                    .into_iter()
                    .filter(|other| !addresses.contains(other));
                let new: Vec<_> = new.collect();
                addresses.extend(new);
            }
        }
        Ok(addresses)
    }

    async fn secured(
        &self,
        course: &mut Course<'_, '_>,
        tls: &Tls,
        stream: impl Stream + 'static,
        peer: SocketAddr,
    ) -> Result<(Box<dyn Stream>, Secure), Fault> {
        course.enter(Phase::Tls);
        let handshake = tls.handshake(stream, peer, &self.name, &[b"h2"]).await;
        if let Some(shown) = &handshake.shown {
            metrics::record_shown(course.cx, shown);
        }
        let stream = handshake.stream?;
        if !course.cx.is_compatible() {
            course.cx.set(&SSL, 1.0);
        }
        let agreed = Protocol::of(&stream);
        let secure = Secure {
            shown: handshake.shown,
            agreed,
        };
        Ok((Box::new(stream), secure))
    }

    /// Makes the call and waits for all of its answer.
    async fn called(
        &self,
        course: &mut Course<'_, '_>,
        stream: Box<dyn Stream>,
        peer: SocketAddr,
    ) -> Result<Answer, Fault> {
        let request = self.request(course.cx)?;
        let stream = Together::new(course.witness.watch(stream));
        let mut builder = Builder::new();
        let builder = builder.max_header_list_size(MOST_HEADER).enable_push(false);
        let doing = format!("no answer from {peer} to a health check");
        let handshake = builder.handshake::<_, Bytes>(stream).await;
        let (mut caller, connection) =
            handshake.map_err(|why| broken(course, peer, &doing, &why))?;
        let begun = caller.send_request(request, false);
        let sent = begun.and_then(|(response, mut call)| {
            let question = health::question(&self.options.written.service);
            call.send_data(Bytes::from(question), true)?;
            Ok(response)
        });
        let response = sent.map_err(|why| broken(course, peer, &doing, &why))?;
        let mut driver = Driver::new(Spawner::default(), connection);
        let response = driver.beside(response).await;
        let (head, mut coming) = response
            .map_err(|why| broken(course, peer, &doing, &why))?
            .into_parts();
        course.enter(Phase::Transfer);
        let (body, trailers) = read(course, &mut driver, &mut coming, peer).await?;
        driver.nudge();
        Ok(Answer {
            head,
            body,
            trailers,
        })
    }

    /// The head of the call, which is of one message, and with an answer that is not compressed.
    fn request(&self, cx: &Context<'_>) -> Result<Request<()>, Fault> {
        let written = &self.options.written;
        let scheme = if written.tls { "https" } else { "http" };
        let uri = format!("{scheme}://{}{METHOD}", self.authority);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.parse().map_err(Fault::own)?;
        let fields = request.headers_mut();
        fields.clone_from(&self.options.fields);
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        fields.insert(TE, HeaderValue::from_static("trailers"));
        fields.insert(USER_AGENT, HeaderValue::from_static(OWN_NAME));
        fields.insert(ACCEPTED, HeaderValue::from_static("identity"));
        if !cx.is_compatible() {
            let left = cx.deadline().saturating_duration_since(Instant::now());
            let left = HeaderValue::try_from(timeout(left)).map_err(Fault::own)?;
            fields.insert(TIMEOUT, left);
        }
        Ok(request)
    }
}

#[async_trait]
impl Probe for GrpcProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let mut course = Course::begin(cx);
        let ended = self.run(&mut course).await;
        if let Err(fault) = &ended {
            course.failed(fault);
        }
        ended
    }
}

/// Reads an answer to its end. What came is not given back to the window of flow control, which is
/// larger than all that is read.
async fn read(
    course: &mut Course<'_, '_>,
    driver: &mut Driver,
    coming: &mut RecvStream,
    peer: SocketAddr,
) -> Result<(Vec<u8>, Option<HeaderMap>), Fault> {
    let doing = || format!("the answer from {peer} broke off");
    let mut body = Vec::new();
    while let Some(data) = driver.beside(coming.data()).await {
        let data: Bytes = data.map_err(|why| broken(course, peer, &doing(), &why))?;
        body.extend_from_slice(&data);
        if body.len() > LARGEST {
            course.answered(Code::RESOURCE_EXHAUSTED, None);
            let detail = format!("the answer from {peer} is larger than {LARGEST} bytes");
            return Err(Fault::target(Cause::Protocol, detail));
        }
    }
    let trailers = driver.beside(coming.trailers()).await;
    let trailers = trailers.map_err(|why| broken(course, peer, &doing(), &why))?;
    Ok((body, trailers))
}

/// Judges an error of h2's: what broke beneath it decides, or else what it makes of the bytes that
/// came. Where the server gave a reason, that has a status of its own.
fn broken(course: &mut Course<'_, '_>, peer: SocketAddr, doing: &str, why: &h2::Error) -> Fault {
    if let Some(reason) = why.reason().filter(|_| why.is_reset() && why.is_remote()) {
        let code = Code::of_reset(reason);
        course.answered(code, None);
        let detail = format!("{doing}: the server ended the call, which means {code}: {reason}");
        return Fault::target(Cause::Closed, detail);
    }
    // What h2 cannot decode it may call so, which to the system would be ours.
    let decoding = [io::ErrorKind::InvalidInput, io::ErrorKind::Other];
    match why.get_io() {
        Some(beneath) if !decoding.contains(&beneath.kind()) => failure(peer, doing, beneath),
        _ => Fault::target(Cause::Protocol, format!("{doing}: {why}")),
    }
}

/// How long the server may take, in at most eight digits (gRPC over HTTP2, "Timeout").
fn timeout(left: Duration) -> String {
    match left.as_millis() {
        millis @ ..100_000_000 => format!("{millis}m"),
        millis => format!("{}S", (millis / 1000).min(99_999_999)),
    }
}

/// A host as it stands in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// The event of an answer.
#[derive(Debug, Serialize)]
struct Said {
    peer: SocketAddr,
    status: String,
    serving: Option<&'static str>,
    tls: Option<&'static str>,
    /// What is wrong with it.
    detail: Option<String>,
}

/// The call that every server with the service of health has.
const METHOD: &str = "/grpc.health.v1.Health/Check";

/// How long the server may take.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Which codings the answer may have.
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// What the request's field `User-Agent` says.
const OWN_NAME: &str = concat!("leadsman/", env!("CARGO_PKG_VERSION"));

/// An answer has seven bytes; a thousand times as many will do for fields that are not known yet.
const LARGEST: usize = 8 * 1024;
/// For all fields of the head, and for all of the trailers.
const MOST_HEADER: u32 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_eight_digits() {
        for (millis, expected) in [
            (0, "0m"),
            (1_500, "1500m"),
            (99_999_999, "99999999m"),
            (100_000_000, "100000S"),
            (u64::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(Duration::from_millis(millis)), expected);
        }
    }
}
