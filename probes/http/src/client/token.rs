//! How does a run come by a token (RFC 6749, section 4.4)?
//!
//! It is asked for like anything else, as a hop before the first, so its phases count too. A probe
//! keeps it until shortly before it expires.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use leadsman_core::{Cause, Fault};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::events::Request;
use super::exchange::{Asked, Body, Speaks, Way, shown};
use super::options::{HttpOptions, OAuth2, route};
use super::target;
use super::trip::Trip;
use super::watch::Phase;
use leadsman_dial::credentials::{plain_basic, secret};

/// A token, and how long it can be used.
#[derive(Debug)]
pub(crate) struct Token {
    authorization: HeaderValue,
    until: Option<Instant>,
}

/// What a server says that gives one (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<u64>,
}

impl Token {
    /// The field `Authorization` to send, unless the token is about to expire.
    pub(crate) fn usable(&self) -> Option<&HeaderValue> {
        let usable = self.until.is_some_and(|until| Instant::now() < until);
        usable.then_some(&self.authorization)
    }

    /// The field `Authorization` to send.
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Asks for one.
    pub(crate) async fn ask(
        trip: &mut Trip<'_, '_>,
        options: &HttpOptions,
        oauth2: &OAuth2,
    ) -> Result<Self, Fault> {
        let url = target::url(&oauth2.token_url).map_err(Fault::own)?;
        let tls = match url.scheme() {
            "https" => {
                let tls = options.token_tls.tls(&oauth2.tls_config).await;
                let name = oauth2.tls_config.server_name.clone();
                let name = name.unwrap_or_else(|| target::host(&url));
                Some((tls.map_err(Fault::own)?, name))
            }
            _ => None,
        };
        let (written, environment) = (oauth2.proxy_url.as_deref(), oauth2.proxy_from_environment);
        let proxy = route(written, &oauth2.no_proxy, environment, &url);
        let proxy = proxy.map_err(Fault::own)?;
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.is_secure() => {
                let tls = options.token_tls.tls(&oauth2.tls_config).await;
                Some(tls.map_err(Fault::own)?)
            }
            _ => None,
        };
        let way = Way {
            proxy,
            proxy_tls,
            connect_header: &oauth2.proxy_connect_header,
            skip_resolve: false,
            is_target: false,
            preference: options.written.preference(),
            source: options.written.source_ip_address,
            tls,
            speaks: if options.written.enable_http2 {
                Speaks::Http2
            } else {
                Speaks::Http1
            },
        };
        let client_secret = oauth2.client_secret.as_ref();
        let file = oauth2.client_secret_file.as_deref();
        let client_secret = secret("client_secret_file", client_secret, file).await?;
        let asked = asked(oauth2, &url, &client_secret.unwrap_or_default())?;
        trip.hop(Phase::Resolve);
        trip.cx.event(Request::NAME, || Request {
            method: asked.method.as_str().into(),
            url: shown(&url).into(),
            proxy: way.proxy.as_ref().map(|proxy| proxy.host().to_owned()),
        });
        let mut answer = trip.exchange(&way, asked).await?;
        let mut body = Body::default();
        answer.read(true, LONGEST, &mut body).await?;
        read(answer.head.status, &body.bytes).map_err(|(cause, why)| {
            Fault::target(cause, format!("no token from {}: {why}", shown(&url)))
        })
    }
}

fn asked<'a>(oauth2: &OAuth2, url: &'a Url, client_secret: &str) -> Result<Asked<'a>, Fault> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !oauth2.scopes.is_empty() {
        form.append_pair("scope", &oauth2.scopes.join(" "));
    }
    form.extend_pairs(&oauth2.endpoint_params);
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    // RFC 6749, section 2.3.1: encoded as in a form first.
    let client = plain_basic(&encoded(&oauth2.client_id), &encoded(client_secret));
    let mut client = HeaderValue::try_from(client).map_err(Fault::own)?;
    client.set_sensitive(true);
    let mut fields = HeaderMap::new();
    fields.insert(AUTHORIZATION, client);
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    fields.insert(CONTENT_TYPE, form_type);
    Ok(Asked {
        method: Method::POST,
        url,
        fields,
        host: None,
        body: Bytes::from(form.finish()),
    })
}

fn read(status: StatusCode, body: &[u8]) -> Result<Token, (Cause, String)> {
    if !status.is_success() {
        return Err((Cause::Rejected, format!("the answer is {status}")));
    }
    let given: Given = serde_json::from_slice(body)
        .map_err(|why| (Cause::Protocol, format!("the answer is no token: {why}")))?;
    let kind = given.token_type.unwrap_or_else(|| "Bearer".to_owned());
    // Servers differ in how they write it (RFC 6749, section 7.1).
    let kind = if kind.eq_ignore_ascii_case("bearer") {
        "Bearer"
    } else {
        &kind
    };
    let authorization = HeaderValue::try_from(format!("{kind} {}", given.access_token));
    let mut authorization = authorization.map_err(|_| {
        (
            Cause::Protocol,
            "the token holds control characters".to_owned(),
        )
    })?;
    authorization.set_sensitive(true);
    let lifetime = given.expires_in.map(Duration::from_secs);
    let lifetime = lifetime.map(|lifetime| lifetime.saturating_sub(MARGIN));
    Ok(Token {
        authorization,
        until: lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime)),
    })
}

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);

/// More than any token needs.
const LONGEST: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_or_it_is_said_what_is_wrong() {
        for (status, body, expected) in [
            (
                200,
                r#"{"access_token":"t","token_type":"bearer"}"#,
                Ok("Bearer t"),
            ),
            (
                200,
                r#"{"access_token":"t","token_type":"MAC"}"#,
                Ok("MAC t"),
            ),
            (200, r#"{"access_token":"t","more":1}"#, Ok("Bearer t")),
            (401, r#"{"access_token":"t"}"#, Err(Cause::Rejected)),
            (200, "{}", Err(Cause::Protocol)),
            (200, r#"{"access_token":"a\nb"}"#, Err(Cause::Protocol)),
        ] {
            let token = read(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            let token = token.map(|token| token.authorization.to_str().unwrap().to_owned());
            let expected = expected.map(str::to_owned);
            assert_eq!(
                token.map_err(|(cause, _)| cause),
                expected,
                "{status} {body}"
            );
        }
    }
}
