//! How is one URL asked for, redirects included?
//!
//! What is sent to whom. How a single request is made is in [`super::exchange`], where a redirect
//! leads in [`super::journey`], what an answer is worth in [`super::judge`].

use std::io;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
    HeaderMap, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT,
};
use leadsman_core::{Cause, Context, Fault, Probe, async_trait};
use leadsman_dial::Proxy;
use leadsman_dial::credentials::{add_fields, of_url};
use url::Url;

use super::cookies::Jar;
use super::events::{Request, Response};
use super::exchange::{Answer, Asked, Way, shown};
use super::journey::{Journey, leads_to};
use super::options::HttpOptions;
use super::received::{content, record_head, said};
use super::token::Token;
use super::trip::Trip;
use super::watch::Phase;
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
                if trip.cx.is_compatible() {
                    return self.conclude_unread(trip, &answer);
                }
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
        let mut authorization = written.credentials().field().await?;
        if let Some(oauth2) = &written.oauth2 {
            if self
                .token
                .as_ref()
                .is_none_or(|token| token.usable().is_none())
            {
                // In a box, for it is a whole exchange that most runs do without.
                let asking = Box::pin(Token::ask(trip, &self.options, oauth2));
                self.token = Some(asking.await?);
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
        trip.hop(Phase::Own);
        let way = self.way(journey, same, proxy).await?;
        let asked = Asked {
            method: journey.method.clone(),
            fields: self.fields(journey, same).await?,
            host: journey.host.clone(),
            body: journey.body.clone(),
            url,
        };
        trip.cx.event(Request::NAME, || Request {
            method: asked.method.as_str().into(),
            url: shown(url).into(),
            proxy: way.proxy.as_ref().map(|proxy| proxy.host().to_owned()),
        });
        trip.watch.enter(if way.skips_resolve() {
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
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.is_secure() => {
                let tls = self.options.tls.tls(&written.tls_config).await;
                Some(tls.map_err(Fault::own)?)
            }
            _ => None,
        };
        Ok(Way {
            proxy,
            proxy_tls,
            connect_header: &written.proxy_connect_header,
            skip_resolve: written.skip_resolve_phase_with_proxy,
            is_target: journey.is_begin,
            preference: written.preference(),
            source: written.source_ip_address,
            tls,
            speaks: written.speaks(),
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
        let noted = |flaw| noted(cx, flaw);
        judge::head(rules, answer.head.status, &answer.head.headers).map_err(noted)?;
        judge::body(rules, &body?).map_err(noted)?;
        judge::transport(rules, answer.head.version, answer.tls.is_some()).map_err(noted)
    }

    /// Does as `blackbox_exporter` with a redirect that is not followed: its body is gone when the
    /// rules about it are asked, so that each of them fails.
    fn conclude_unread(&self, trip: &Trip<'_, '_>, answer: &Answer) -> Result<(), Fault> {
        let (rules, cx) = (&self.options.written, trip.cx);
        record_head(cx, answer);
        let noted = |flaw| noted(cx, flaw);
        judge::head(rules, answer.head.status, &answer.head.headers).map_err(noted)?;
        judge::no_body(rules).map_err(noted)?;
        judge::transport(rules, answer.head.version, answer.tls.is_some()).map_err(noted)
    }
}

/// Records by what kind of rule an answer was found wanting.
fn noted(cx: &Context<'_>, flaw: judge::Flaw) -> Fault {
    if flaw.is_by_regex() {
        cx.set(&metrics::FAILED_REGEX, 1.0);
    }
    if flaw.is_by_cel() {
        cx.set(&metrics::FAILED_CEL, 1.0);
    }
    Fault::from(flaw)
}

#[async_trait]
impl Probe for HttpProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        metrics::record_nothing(cx);
        if self.options.written.has_expression() {
            cx.set(&metrics::FAILED_CEL, 0.0);
        }
        let mut trip = Trip::begin(cx);
        self.run(&mut trip).await
    }
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

/// What the request's field `User-Agent` says unless told otherwise.
const OWN_NAME: &str = concat!("leadsman/", env!("CARGO_PKG_VERSION"));
