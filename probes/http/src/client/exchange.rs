//! How is one request made, over a connection of its own?
//!
//! The steps of `leadsman-dial`, then HTTP/1.1 or, where the server chose it in the TLS handshake,
//! hyper's HTTP/2. Where a redirect leads, and what is sent to whom, is decided elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::header::{CONNECTION, HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Method, Request, Uri};
use hyper_util::rt::TokioIo;
use leadsman_core::options::Secret;
use leadsman_core::{Fault, Preference};
use leadsman_dial::{
    Connected, Driver, Protocol, Proxy, Shown, Spawner, Stream, TcpConnection, Tls, Together,
    connect, metrics,
};
use url::{Position, Url};

use super::broken::Broken;
use super::plain::Coming;
use super::trip::Trip;
use super::watch::{Phase, Watched};
use super::{http1, target};
use leadsman_dial::credentials::basic;

/// How a request travels.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    /// The proxy it goes through.
    pub(crate) proxy: Option<Proxy>,
    /// Fields for the proxy that opens a tunnel.
    pub(crate) connect_header: &'a BTreeMap<String, Vec<Secret>>,
    /// TLS with a proxy that wants it.
    pub(crate) proxy_tls: Option<Tls>,
    /// Whether any proxy is left to look up the host.
    pub(crate) skip_resolve: bool,
    /// Whether the host is what is probed, so that what is found out about it is recorded.
    pub(crate) is_target: bool,
    pub(crate) preference: Preference,
    pub(crate) source: Option<IpAddr>,
    /// How TLS is spoken, and the name that the server has to have.
    pub(crate) tls: Option<(Tls, String)>,
    pub(crate) speaks: Speaks,
}

/// Which versions of HTTP are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 where the server chooses it, else HTTP/1.1.
    Http2,
    /// HTTP/3 alone.
    Http3,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    /// All fields but `Host` and those of the connection.
    pub(crate) fields: HeaderMap,
    /// The field `Host` where it is not the URL's.
    pub(crate) host: Option<String>,
    pub(crate) body: Bytes,
}

/// The head of an answer, and the connection that its body comes over.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Parts,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<(Option<Shown>, Protocol)>,
    pub(crate) content: Content,
}

/// A body that is still coming.
#[derive(Debug)]
pub(crate) enum Content {
    /// Of a plain answer, over TCP.
    Plain(Coming),
    /// By hyper, over TCP.
    Hyper(Incoming, Driver),
    /// Over HTTP/3.
    #[cfg(feature = "http3")]
    Quic(Box<super::http3::Coming>),
}

/// A body as it came, or as much of it as did.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// Its bytes, if they were to be kept.
    pub(crate) bytes: Vec<u8>,
    /// How many came.
    pub(crate) length: u64,
}

impl Way<'_> {
    /// Whether a proxy is left to look up the host.
    pub(crate) fn skips_resolve(&self) -> bool {
        let proxy = self.proxy.as_ref();
        proxy.is_some_and(|proxy| self.skip_resolve || proxy.looks_up())
    }
}

impl Trip<'_, '_> {
    /// Makes a request and waits for the head of its answer.
    pub(crate) async fn exchange(
        &mut self,
        way: &Way<'_>,
        asked: Asked<'_>,
    ) -> Result<Answer, Fault> {
        #[cfg(feature = "http3")]
        if way.speaks == Speaks::Http3 {
            return Box::pin(self.exchange_http3(way, asked)).await;
        }
        let (Connected { stream, peer, .. }, asks_for) = self.connected(way, asked.url).await?;
        let secure = asked.url.scheme() == "https";
        let Way { proxy, .. } = way;
        let (stream, tls) = match (proxy, &asks_for) {
            (Some(proxy), Some((host, port))) => {
                // In a box, as is all that a plain request does without: each run begins with as
                // much memory as the longest way that it may go.
                let led_on = async {
                    let mut stream = proxied(way, proxy, stream, peer).await?;
                    if secure || !proxy.reads_requests() {
                        let fields = fields_for(proxy, way.connect_header);
                        proxy.tunnel(&mut stream, (host, *port), fields).await?;
                    }
                    self.secured(way, stream, peer, secure).await
                };
                Box::pin(led_on).await?
            }
            _ => self.secured(way, stream, peer, secure).await?,
        };
        let proxy = proxy
            .as_ref()
            .filter(|proxy| proxy.reads_requests() && !secure);
        let proxied = asks_for.filter(|_| proxy.is_some());
        let http2 = tls
            .as_ref()
            .is_some_and(|(_, agreed)| agreed.alpn.as_deref() == Some(H2));
        let (method, url) = (asked.method.clone(), asked.url);
        let doing = || format!("no answer from {peer} to {method} {}", shown(url));
        let mut request = request(asked, proxied, http2)?;
        if let Some(proxy) = proxy {
            authorize(proxy, request.headers_mut());
        }
        let stream = Watched::new(stream, self.watch.clone());
        let empty = hyper::body::Body::is_end_stream(request.body());
        let answer = if http2 {
            Box::pin(self.sent_http2(request, stream, empty)).await
        } else {
            self.watch.write(false, empty);
            http1::sent(request, stream).await
        };
        let (head, content) = answer.map_err(|why| why.judged(peer, &doing()))?;
        self.watch.answered();
        Ok(Answer {
            head,
            peer,
            tls,
            content,
        })
    }

    /// Connects to the server or its proxy; for a proxy also returns the host and the port to ask
    /// it for.
    async fn connected(
        &mut self,
        way: &Way<'_>,
        url: &Url,
    ) -> Result<(Connected, Option<(String, u16)>), Fault> {
        let (host, port) = (target::host(url), target::port(url));
        let skips = way.skips_resolve();
        let addresses = match &self.known {
            _ if skips => Vec::new(),
            _ if way.is_target => self.cx.resolve_all(&host, way.preference).await?,
            Some((known, addresses)) if *known == host => addresses.clone(),
            _ => Box::pin(self.cx.addresses(&host, way.preference)).await?,
        };
        self.watch.enter(Phase::Connect);
        let Some(proxy) = &way.proxy else {
            let connected = connect(self.cx, &addresses, port, way.source).await;
            self.attempted(connected.as_ref().map_or(addresses.len(), |c| c.attempts));
            let connected = connected?;
            if way.is_target && connected.attempts > 1 {
                self.cx.address(connected.peer.ip());
            }
            self.known = Some((host, vec![connected.peer.ip()]));
            return Ok((connected, None));
        };
        let asks_for = match addresses.first() {
            Some(address) => address.to_string(),
            None => host.clone(),
        };
        // Whoever may not be asked may not be asked by somebody else either.
        match addresses.first() {
            Some(address) => self.cx.permits(SocketAddr::new(*address, port))?,
            None => self.cx.permits_name(&host, port)?,
        }
        let any = Preference {
            fallback: true,
            ..way.preference
        };
        let proxies = Box::pin(self.cx.addresses(proxy.host(), any)).await?;
        let connected = Box::pin(connect(self.cx, &proxies, proxy.port(), way.source)).await;
        self.attempted(connected.as_ref().map_or(proxies.len(), |c| c.attempts));
        self.known = (!skips).then_some((host, addresses));
        Ok((connected?, Some((asks_for, port))))
    }

    async fn secured(
        &mut self,
        way: &Way<'_>,
        stream: impl Stream + 'static,
        peer: SocketAddr,
        secure: bool,
    ) -> Result<(Box<dyn Stream>, Option<(Option<Shown>, Protocol)>), Fault> {
        let (true, Some((tls, name))) = (secure, &way.tls) else {
            return Ok((Box::new(stream), None));
        };
        self.watch.enter(Phase::Tls);
        let alpn: &[&[u8]] = if way.speaks == Speaks::Http2 {
            &[H2, HTTP_11]
        } else {
            &[HTTP_11]
        };
        let handshake = Box::pin(tls.handshake(stream, peer, name, alpn)).await;
        if let Some(shown) = &handshake.shown {
            metrics::record_shown(self.cx, shown);
        }
        let stream = handshake.stream?;
        let agreed = Protocol::of(&stream);
        Ok((Box::new(stream), Some((handshake.shown, agreed))))
    }

    /// Sends a request over HTTP/2 and waits for the head of its answer.
    async fn sent_http2(
        &self,
        mut request: Request<Full<Bytes>>,
        stream: Watched,
        empty: bool,
    ) -> Result<(Parts, Content), Broken> {
        self.watch.hear_of(&mut request);
        let spawner = Spawner::default();
        let io = TokioIo::new(Together::new(stream));
        let (mut sender, connection) = http2::Builder::new(spawner.clone()).handshake(io).await?;
        let mut driver = Driver::new(spawner, connection);
        self.watch.write(true, empty);
        let response = driver.beside(sender.send_request(request)).await?;
        let (head, body) = response.into_parts();
        Ok((head, Content::Hyper(body, driver)))
    }
}

impl Answer {
    /// Reads the body to its end, or until more than `most` bytes have come. What came stands in
    /// `body` even where it breaks off.
    pub(crate) async fn read(
        &mut self,
        keep: bool,
        most: u64,
        body: &mut Body,
    ) -> Result<(), Fault> {
        loop {
            let piece = match &mut self.content {
                Content::Plain(coming) => coming.next().await.map_err(Broken::from),
                Content::Hyper(incoming, driver) => next(incoming, driver).await,
                #[cfg(feature = "http3")]
                Content::Quic(coming) => Ok(coming.next().await?),
            };
            let doing = || format!("the body from {} broke off", self.peer);
            let Some(data) = piece.map_err(|why| why.judged(self.peer, &doing()))? else {
                return Ok(());
            };
            body.length += data.len() as u64;
            if keep {
                body.bytes.extend_from_slice(&data);
            }
            if body.length > most {
                return Ok(());
            }
        }
    }
}

/// The next piece of a body; `None` at its end, which lets the connection say goodbye. Trailers are
/// passed over.
async fn next(incoming: &mut Incoming, driver: &mut Driver) -> Result<Option<Bytes>, Broken> {
    while let Some(frame) = driver.beside(incoming.frame()).await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    driver.nudge();
    Ok(None)
}

/// Agrees on TLS with a proxy that wants it.
async fn proxied(
    way: &Way<'_>,
    proxy: &Proxy,
    stream: TcpConnection,
    peer: SocketAddr,
) -> Result<Box<dyn Stream>, Fault> {
    let Some(tls) = way.proxy_tls.as_ref().filter(|_| proxy.is_secure()) else {
        return Ok(Box::new(stream));
    };
    let handshake = tls.handshake(stream, peer, proxy.host(), &[HTTP_11]).await;
    Ok(Box::new(handshake.stream?))
}

/// A URL for people, without the password that it may contain.
pub(crate) fn shown(url: &Url) -> Cow<'_, str> {
    if url.password().is_none() {
        return url.as_str().into();
    }
    let mut url = url.clone();
    // Only a URL without a host has no room for one.
    url.set_password(None).ok();
    String::from(url).into()
}

fn request(
    asked: Asked<'_>,
    proxied: Option<(String, u16)>,
    http2: bool,
) -> Result<Request<Full<Bytes>>, Fault> {
    let path = &asked.url[Position::BeforePath..Position::AfterQuery];
    let host = asked.host.as_deref();
    let host = host.unwrap_or_else(|| target::authority(asked.url));
    let uri = match proxied {
        Some((host, port)) if host.contains(':') => {
            Uri::try_from(format!("http://[{host}]:{port}{path}"))
        }
        Some((host, port)) => Uri::try_from(format!("http://{host}:{port}{path}")),
        None if http2 => Uri::try_from(format!("https://{host}{path}")),
        None => Uri::try_from(path),
    };
    let uri = uri.map_err(Fault::own)?;
    let mut request = Request::new(Full::new(asked.body));
    *request.method_mut() = asked.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = asked.fields;
    if !http2 {
        let host = HeaderValue::from_str(host).map_err(Fault::own)?;
        request.headers_mut().insert(HOST, host);
        let close = HeaderValue::from_static("close");
        request.headers_mut().insert(CONNECTION, close);
    }
    Ok(request)
}

fn fields_for(
    proxy: &Proxy,
    header: &BTreeMap<String, Vec<Secret>>,
) -> impl Iterator<Item = (String, String)> {
    let given = header.iter().flat_map(|(name, values)| {
        let values = values.iter();
        values.map(move |value| (name.clone(), value.reveal().to_owned()))
    });
    let user = proxy
        .user()
        .map(|(user, password)| ("Proxy-Authorization".to_owned(), basic(user, password)));
    given.chain(user)
}

fn authorize(proxy: &Proxy, fields: &mut HeaderMap) {
    let user = proxy.user().map(|(user, password)| basic(user, password));
    if let Some(Ok(mut value)) = user.map(HeaderValue::try_from) {
        value.set_sensitive(true);
        fields.insert(PROXY_AUTHORIZATION, value);
    }
}

/// HTTP/2 and HTTP/1.1 as they are offered in TLS (RFC 7301, section 6).
const H2: &[u8] = b"h2";
const HTTP_11: &[u8] = b"http/1.1";
