//! How is one URL asked for, redirects included?
//!
//! What is sent to whom, and what is recorded of the last answer. How a single request is made is in
//! [`super::exchange`], what an answer is worth in [`super::judge`].

use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
    HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, SET_COOKIE, USER_AGENT,
};
use hyper::{Method, StatusCode, Version};
use leadsman_core::{Cause, Context, Fault, Probe, async_trait};
use leadsman_dial::{Proxy, metrics as tls};
use tokio::time::timeout_at;
use url::Url;

use super::cookies::Jar;
use super::credentials::{add_fields, authorization, of_url};
use super::events::{Request, Response};
use super::exchange::{Answer, Asked, Body, Way, shown};
use super::options::{Compression, HttpOptions, Size, Written};
use super::token::Token;
use super::trip::Trip;
use super::watch::{Phase, Watch};
use super::{judge, metrics, target};

/// HTTP aimed at one URL.
#[derive(Debug)]
pub(crate) struct HttpProbe {
    options: Arc<HttpOptions>,
    url: Url,
    /// The field `Host` for the target, and its name for TLS, where they are not the URL's.
    host: Option<String>,
    token: Option<Token>,
}

/// What a hop asks for, and what stays the same from hop to hop.
struct Journey {
    /// Whether no redirect was followed yet.
    is_begin: bool,
    method: Method,
    url: Url,
    host: Option<String>,
    body: Bytes,
    /// Whether a redirect has taken the body away, and with it what describes it.
    bodiless: bool,
    authorization: Option<HeaderValue>,
    jar: Jar,
}

impl HttpProbe {
    pub(crate) fn new(options: Arc<HttpOptions>, url: Url, host: Option<String>) -> Self {
        Self {
            options,
            url,
            host,
            token: None,
        }
    }

    async fn run(&mut self, trip: &mut Trip<'_, '_>) -> Result<(), Fault> {
        let mut journey = self.prepare(trip).await?;
        let mut redirects = 0;
        loop {
            let answer = self.hop(trip, &mut journey).await?;
            let Some(next) = leads_to(&answer, &journey.url)? else {
                return self.conclude(trip, answer).await;
            };
            redirects += 1;
            trip.cx.set(&metrics::REDIRECTS, f64::from(redirects));
            if !self.options.written.follows() {
                return self.conclude(trip, answer).await;
            }
            if redirects > MOST_REDIRECTS {
                record_head(trip.cx, &answer);
                let detail = format!("redirected once more after {MOST_REDIRECTS} redirects");
                return Err(Fault::target(Cause::Rejected, detail));
            }
            journey.follow(answer.head.status, next);
        }
    }

    /// Everything that is read, and asked of others, before the target is asked.
    async fn prepare(&mut self, trip: &mut Trip<'_, '_>) -> Result<Journey, Fault> {
        let written = &self.options.written;
        let body = match (&written.body, &written.body_file) {
            (Some(body), _) => Bytes::from(body.clone()),
            (None, Some(path)) => {
                let read = tokio::fs::read(path).await;
                let named = |source| {
                    let path = path.clone();
                    Fault::own(BodyFileError { path, source })
                };
                Bytes::from(read.map_err(named)?)
            }
            (None, None) => Bytes::new(),
        };
        let mut authorization = authorization(written).await?;
        if let Some(oauth2) = &written.oauth2 {
            if self
                .token
                .as_ref()
                .is_none_or(|token| token.usable().is_none())
            {
                self.token = Some(Token::ask(trip, &self.options, oauth2).await?);
            }
            authorization = self
                .token
                .as_ref()
                .map(|token| token.authorization().clone());
        }
        if self.url.scheme() == "https" {
            // Here, so that what it takes to read the files belongs to no hop.
            let tls = self.options.tls.tls(&written.tls_config).await;
            tls.map_err(Fault::own)?;
        }
        let method = written.method.parse();
        Ok(Journey {
            is_begin: true,
            method: method.expect("the options were read, and their method with them"),
            url: self.url.clone(),
            host: self.host.clone(),
            body,
            bodiless: false,
            authorization,
            jar: Jar::default(),
        })
    }

    /// Asks for what the journey has come to.
    async fn hop(&self, trip: &mut Trip<'_, '_>, journey: &mut Journey) -> Result<Answer, Fault> {
        let written = &self.options.written;
        let url = &journey.url;
        let same = target::is_same(&self.url, url);
        let proxy = written.proxy(url).map_err(Fault::own)?;
        let skips = written.skip_resolve_phase_with_proxy && proxy.is_some();
        trip.hop(Phase::Own);
        let way = self.way(journey, same, proxy).await?;
        let asked = Asked {
            method: journey.method.clone(),
            fields: self.fields(journey, same).await?,
            host: journey.host.clone(),
            body: journey.body.clone(),
            url: url.clone(),
        };
        trip.cx.event(Request::NAME, || Request {
            method: asked.method.to_string(),
            url: shown(url),
            proxy: way.proxy.as_ref().map(|proxy| proxy.host().to_owned()),
        });
        trip.watch.enter(if skips {
            Phase::Connect
        } else {
            Phase::Resolve
        });
        let answer = trip.exchange(&way, asked).await?;
        for field in answer.head.headers.get_all(SET_COOKIE) {
            journey
                .jar
                .set(url, &String::from_utf8_lossy(field.as_bytes()));
        }
        trip.cx.event(Response::NAME, || said(&answer));
        Ok(answer)
    }

    async fn way(
        &self,
        journey: &Journey,
        same: bool,
        proxy: Option<Proxy>,
    ) -> Result<Way<'_>, Fault> {
        let (written, url) = (&self.options.written, &journey.url);
        let tls = match url.scheme() {
            "https" => {
                let tls = self.options.tls.tls(&written.tls_config).await;
                let own = written.tls_config.server_name.clone();
                let own = own.or_else(|| self.host.as_deref().map(without_port));
                let name = own.filter(|_| same).unwrap_or_else(|| target::host(url));
                Some((tls.map_err(Fault::own)?, name))
            }
            _ => None,
        };
        Ok(Way {
            proxy,
            connect_header: &written.proxy_connect_header,
            skip_resolve: written.skip_resolve_phase_with_proxy,
            is_target: journey.is_begin,
            preference: written.preference(),
            source: written.source_ip_address,
            tls,
            http2: written.enable_http2,
        })
    }

    /// The header of a request. What is secret goes to the target alone.
    async fn fields(&self, journey: &Journey, same: bool) -> Result<HeaderMap, Fault> {
        let written = &self.options.written;
        let mut fields = HeaderMap::new();
        for (name, value) in &written.headers {
            let name = HeaderName::try_from(name).map_err(Fault::own)?;
            let secret = name == AUTHORIZATION || name == COOKIE;
            if name != hyper::header::HOST && (same || !secret) {
                fields.append(name, HeaderValue::from_str(value).map_err(Fault::own)?);
            }
        }
        if same {
            for (name, values) in &written.http_headers {
                add_fields(&mut fields, name, values).await?;
            }
            if let Some(authorization) = &journey.authorization {
                fields.insert(AUTHORIZATION, authorization.clone());
            }
        }
        if !fields.contains_key(AUTHORIZATION)
            && let Some(of_url) = of_url(&journey.url)
        {
            fields.insert(AUTHORIZATION, of_url);
        }
        if let Some(cookies) = journey.jar.field(&journey.url) {
            let before = fields.get(COOKIE).and_then(|field| field.to_str().ok());
            let cookies = before
                .into_iter()
                .chain([&*cookies])
                .collect::<Vec<_>>()
                .join("; ");
            fields.insert(COOKIE, HeaderValue::from_str(&cookies).map_err(Fault::own)?);
        }
        if let Some(compression) = written.compression
            && !fields.contains_key(ACCEPT_ENCODING)
        {
            let name = HeaderValue::from_static(compression.name());
            fields.insert(ACCEPT_ENCODING, name);
        }
        if !fields.contains_key(USER_AGENT) {
            fields.insert(USER_AGENT, HeaderValue::from_static(OWN_NAME));
        }
        if journey.bodiless {
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
                fields.remove(name);
            }
        }
        Ok(fields)
    }

    /// Records the last answer and judges it.
    async fn conclude(&self, trip: &Trip<'_, '_>, mut answer: Answer) -> Result<(), Fault> {
        let (rules, cx) = (&self.options.written, trip.cx);
        record_head(cx, &answer);
        let (length, body) = content(rules, &mut answer, &trip.watch).await;
        cx.set(&metrics::UNCOMPRESSED_LENGTH, length as f64);
        let noted = |flaw: judge::Flaw| {
            if flaw.is_by_regex() {
                cx.set(&metrics::FAILED_REGEX, 1.0);
            }
            if flaw.is_by_cel() {
                cx.set(&metrics::FAILED_CEL, 1.0);
            }
            Fault::from(flaw)
        };
        judge::head(rules, answer.head.status, &answer.head.headers).map_err(noted)?;
        judge::body(rules, &body?).map_err(noted)?;
        judge::transport(rules, answer.head.version, answer.tls.is_some()).map_err(noted)
    }
}

#[async_trait]
impl Probe for HttpProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        metrics::record_nothing(cx);
        if self.options.written.has_expression() {
            cx.set(&metrics::FAILED_CEL, 0.0);
        }
        let mut trip = Trip::begin(cx);
        let ended = timeout_at(cx.deadline(), self.run(&mut trip)).await;
        match (ended, trip.watch.phase()) {
            (Ok(ended), _) => ended,
            // The core knows whether it was for want of a resolver.
            (Err(_), Some(Phase::Resolve) | None) => std::future::pending().await,
            (Err(_), Some(phase)) => {
                let detail = format!("the time was over in the phase {}", phase.label());
                Err(Fault::target(Cause::Timeout, detail))
            }
        }
    }
}

impl Journey {
    /// Turns to where a redirect leads (RFC 9110, section 15.4).
    fn follow(&mut self, status: StatusCode, next: Next) {
        self.is_begin = false;
        let keeps = [
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        if !keeps.contains(&status) {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = Bytes::new();
            self.bodiless = true;
        }
        // The name that the target goes by holds for what it says of itself.
        if next.is_absolute {
            self.host = None;
        }
        self.url = next.url;
    }
}

/// Where a redirect leads.
struct Next {
    url: Url,
    is_absolute: bool,
}

/// Where an answer leads on; `None` if it does not.
fn leads_to(answer: &Answer, from: &Url) -> Result<Option<Next>, Fault> {
    let Some(location) = location(answer) else {
        return Ok(None);
    };
    let bad = |why: &str| {
        let detail = format!("{} redirects to {location:?}: {why}", shown(from));
        Fault::target(Cause::Protocol, detail)
    };
    let url = from.join(&location).map_err(|why| bad(&why.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("that is no URL of HTTP"));
    }
    Ok(Some(Next {
        url,
        is_absolute: Url::parse(&location).is_ok(),
    }))
}

/// The field `Location` of a redirect.
fn location(answer: &Answer) -> Option<String> {
    let redirects = matches!(answer.head.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.head.headers.get(LOCATION).filter(|_| redirects);
    location.map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Records what the head of the last answer says.
fn record_head(cx: &Context<'_>, answer: &Answer) {
    let head = &answer.head;
    cx.set(&metrics::STATUS, f64::from(head.status.as_u16()));
    cx.set(&metrics::CONTENT_LENGTH, content_length(answer));
    cx.set(&metrics::SSL, f64::from(u8::from(answer.tls.is_some())));
    let (version, _) = version(head.version);
    cx.set(&metrics::VERSION, version);
    let modified = head
        .headers
        .get(LAST_MODIFIED)
        .and_then(|field| field.to_str().ok());
    let modified = modified.and_then(|field| httpdate::parse_http_date(field).ok());
    if let Some(Ok(since)) = modified.map(|modified| modified.duration_since(UNIX_EPOCH)) {
        cx.set(&metrics::LAST_MODIFIED, since.as_secs_f64());
    }
    if let Some((Some(shown), agreed)) = &answer.tls {
        tls::record_answered(cx, shown, agreed);
    }
}

/// The length that the header tells, or -1; what can have no body has none (RFC 9110, section 8.6).
fn content_length(answer: &Answer) -> f64 {
    let field = answer.head.headers.get(CONTENT_LENGTH);
    let length: Option<u64> = field.and_then(|field| field.to_str().ok()?.trim().parse().ok());
    match length {
        Some(length) => length as f64,
        None if matches!(answer.head.status.as_u16(), 204 | 304) => 0.0,
        None => -1.0,
    }
}

/// A version as a number and in words.
fn version(version: Version) -> (f64, &'static str) {
    match version {
        Version::HTTP_10 => (1.0, "HTTP/1.0"),
        Version::HTTP_2 => (2.0, "HTTP/2"),
        _ => (1.1, "HTTP/1.1"),
    }
}

fn said(answer: &Answer) -> Response {
    let agreed = answer.tls.as_ref().map(|(_, agreed)| agreed);
    Response {
        status: answer.head.status.as_u16(),
        version: version(answer.head.version).1.into(),
        peer: answer.peer,
        tls: agreed.map(|agreed| format!("{}, {}", agreed.version, agreed.cipher)),
        location: location(answer),
    }
}

/// How long the body of an answer is, and what is in it as far as that is looked at.
async fn content(
    rules: &Written,
    answer: &mut Answer,
    watch: &Watch,
) -> (u64, Result<Vec<u8>, Fault>) {
    let coding = rules
        .compression
        .filter(|coding| *coding != Compression::Identity);
    let keeps = coding.is_some() || judge::reads_body(rules);
    let held = if keeps { MOST_HELD } else { u64::MAX };
    let most = match rules.body_size_limit.0 {
        0 => held,
        limit => limit.min(held),
    };
    let mut body = Body::default();
    let raw = if coding.is_some() { held } else { most };
    let read = answer.read(keeps, raw, &mut body).await;
    watch.enter(Phase::Own);
    let Some(coding) = coding else {
        let short_enough = body.length <= most;
        let kept = short_enough
            .then_some(body.bytes)
            .ok_or_else(|| too_long(most));
        return (body.length.min(most), read.and(kept));
    };
    let decoded = read.and_then(|()| {
        coding.decode(&body.bytes, most).map_err(|why| {
            let detail = format!("the body is not in the coding {}: {why}", coding.name());
            Fault::target(Cause::Mismatch, detail)
        })
    });
    match decoded {
        Ok(decoded) if decoded.len() as u64 > most => (most, Err(too_long(most))),
        Ok(decoded) => (decoded.len() as u64, Ok(decoded)),
        Err(fault) => (0, Err(fault)),
    }
}

fn too_long(most: u64) -> Fault {
    let detail = format!(
        "the body is longer than {}, which is the most allowed",
        Size(most)
    );
    Fault::target(Cause::Mismatch, detail)
}

fn without_port(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            name.trim_matches(['[', ']']).to_owned()
        }
        _ => host.to_owned(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}, the file of `body_file`")]
struct BodyFileError {
    path: String,
    source: io::Error,
}

/// As many as browsers and Go follow, give or take a few.
const MOST_REDIRECTS: u32 = 10;

/// How much of a body is held in memory where something looks at it.
const MOST_HELD: u64 = 64 * 1024 * 1024;

/// What the request's field `User-Agent` says unless told otherwise.
const OWN_NAME: &str = concat!("leadsman/", env!("CARGO_PKG_VERSION"));
