//! Which requests go through a proxy, and how does it open a tunnel?
//!
//! Which hosts are asked without one is in [`bypass`]. A proxy is spoken to in plain HTTP/1.1;
//! one that wants TLS or SOCKS itself is refused when its URL is read.

mod bypass;

use std::env;
use std::str::FromStr;

use leadsman_core::{Cause, Fault};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Url;

pub use bypass::Bypass;

/// A proxy that speaks plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy(Url);

/// Why a text is not the URL of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is not a URL with a host.
    #[error("not a URL, such as http://proxy.example.com:3128")]
    NotAUrl,
    /// Its scheme is another than `http`.
    #[error("a proxy is spoken to over http, not over {0}")]
    Scheme(String),
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let url = match Url::parse(text) {
            Ok(url) if url.has_host() => url,
            // As Go has it: a proxy in the environment may lack its scheme.
            _ => Url::parse(&format!("http://{text}")).map_err(|_| ProxyError::NotAUrl)?,
        };
        match url.scheme() {
            "http" => Ok(Self(url)),
            scheme => Err(ProxyError::Scheme(scheme.to_owned())),
        }
    }
}

impl Proxy {
    /// The proxy that the environment names for a URL, as curl and Go read it: `HTTPS_PROXY` or
    /// `HTTP_PROXY`, also in lower case, unless `NO_PROXY` covers it.
    pub fn of_environment(target: &Url) -> Result<Option<Self>, ProxyError> {
        let variable = |name: &str| {
            let value = env::var(name).or_else(|_| env::var(name.to_lowercase()));
            value.ok().filter(|value| !value.is_empty())
        };
        let name = match target.scheme() {
            "https" => "HTTPS_PROXY",
            _ => "HTTP_PROXY",
        };
        let bypass = Bypass::new(&variable("NO_PROXY").unwrap_or_default());
        match variable(name) {
            Some(proxy) if !bypass.covers(target) => proxy.parse().map(Some),
            _ => Ok(None),
        }
    }

    /// Its host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port, 80 if its URL has none.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// User name and password, still percent-encoded, if its URL has them.
    pub fn user(&self) -> Option<(&str, &str)> {
        let user = self.0.username();
        (!user.is_empty()).then(|| (user, self.0.password().unwrap_or_default()))
    }

    /// Has the proxy lead on to `authority`, a `HOST:PORT` (RFC 9110, section 9.3.6). `fields` are
    /// the lines of the header beside `Host`, each as name and value.
    pub async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        authority: &str,
        fields: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Fault> {
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        for (name, value) in fields {
            request.extend([&*name, ": ", &*value, "\r\n"]);
        }
        request += "\r\n";
        let asked = async {
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await?;
            head(stream).await
        };
        let doing = |what: String| format!("the proxy {} {what}", self.0.authority());
        let head = asked.await.map_err(|why| {
            let cause = match why.kind() {
                std::io::ErrorKind::UnexpectedEof => Cause::Closed,
                std::io::ErrorKind::InvalidData => Cause::Protocol,
                _ => Cause::Reset,
            };
            Fault::target(
                cause,
                doing(format!("opened no tunnel to {authority}: {why}")),
            )
        })?;
        let line = head.lines().next().unwrap_or_default();
        let status = line.split(' ').nth(1).unwrap_or_default();
        if !line.starts_with("HTTP/1.") || status.len() != 3 {
            let detail = doing(format!("does not answer in HTTP: {line:?}"));
            return Err(Fault::target(Cause::Protocol, detail));
        }
        if !status.starts_with('2') {
            let detail = doing(format!("refused a tunnel to {authority}: {line:?}"));
            return Err(Fault::target(Cause::Rejected, detail));
        }
        Ok(())
    }
}

/// Reads a header section and nothing more: what follows belongs to whoever is behind the tunnel,
/// who does not speak first in TLS.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let invalid = |what| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD {
            return Err(invalid("its answer is too long"));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    String::from_utf8(head).map_err(|_| invalid("its answer is no text"))
}

/// More than any proxy needs to say yes or no.
const LONGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_of_plain_http() {
        for (text, expected) in [
            ("http://proxy.test:3128", Ok(("proxy.test", 3128))),
            ("proxy.test:3128", Ok(("proxy.test", 3128))),
            ("http://[::1]/", Ok(("::1", 80))),
            ("", Err(ProxyError::NotAUrl)),
            (
                "https://proxy.test",
                Err(ProxyError::Scheme("https".into())),
            ),
            (
                "socks5://proxy.test",
                Err(ProxyError::Scheme("socks5".into())),
            ),
        ] {
            let proxy = text.parse::<Proxy>();
            let read = proxy.as_ref().map(|proxy| (proxy.host(), proxy.port()));
            assert_eq!(read, expected.as_ref().map(|e| *e), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_tunnel_that_is_not_opened_is_blamed_on_what_the_proxy_said() {
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", None),
            ("HTTP/1.0 204 x\r\nVia: y\r\n\r\n", None),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                Some("rejected"),
            ),
            ("SSH-2.0-x\r\n\r\n", Some("protocol")),
            ("HTTP/1.1 200 O", Some("closed")),
            ("HTTP/1.1 200 \u{fffd}\r\n\r\n", None),
        ] {
            let proxy: Proxy = "http://proxy.test".parse().unwrap();
            let stream = tokio::io::join(answer.as_bytes(), tokio::io::sink());
            tokio::pin!(stream);
            let tunnel = proxy.tunnel(&mut stream, "example.com:443", []).await;
            assert_eq!(
                tunnel.err().map(|fault| fault.reason()),
                expected,
                "{answer}"
            );
        }
    }
}
