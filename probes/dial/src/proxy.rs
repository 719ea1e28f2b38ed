//! Which requests go through a proxy, and how does it open a tunnel?
//!
//! By CONNECT of HTTP/1.1, or by SOCKS, see [`socks`]; which hosts are asked without a proxy is in
//! [`bypass`]. TLS with the proxy itself is agreed on by whoever connects to it.

mod bypass;
mod socks;

use std::str::FromStr;
use std::{env, io};

use leadsman_core::{Cause, Fault};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Url;

pub use bypass::Bypass;

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    speaks: Language,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Http,
    /// HTTP in TLS.
    Https,
    Socks,
}

/// Why a text is not the URL of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is not a URL with a host.
    #[error("not a URL, such as http://proxy.example.com:3128")]
    NotAUrl,
    /// Its scheme is none that a proxy is spoken to over.
    #[error("a proxy is spoken to over http, https or socks5, not over {0}")]
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
        let speaks = match url.scheme() {
            "http" => Language::Http,
            "https" => Language::Https,
            "socks5" | "socks5h" => Language::Socks,
            scheme => return Err(ProxyError::Scheme(scheme.to_owned())),
        };
        Ok(Self { url, speaks })
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
        let host = self.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port; if its URL has none, that of what it speaks.
    pub fn port(&self) -> u16 {
        let usual = match self.speaks {
            Language::Http => 80,
            Language::Https => 443,
            Language::Socks => 1080,
        };
        self.url.port().unwrap_or(usual)
    }

    /// Whether it is spoken to in TLS.
    pub fn is_secure(&self) -> bool {
        self.speaks == Language::Https
    }

    /// Whether it reads requests itself, so that one that is not secret needs no tunnel.
    pub fn reads_requests(&self) -> bool {
        self.speaks != Language::Socks
    }

    /// Whether its URL leaves it to the proxy to look up names, as `socks5h` does for curl.
    pub fn looks_up(&self) -> bool {
        self.url.scheme() == "socks5h"
    }

    /// User name and password, still percent-encoded, if its URL has them.
    pub fn user(&self) -> Option<(&str, &str)> {
        let user = self.url.username();
        (!user.is_empty()).then(|| (user, self.url.password().unwrap_or_default()))
    }

    /// Has the proxy lead on to a host, a name or an address, and its port. `fields` are the lines
    /// of the header beside `Host` where it speaks HTTP, each as name and value.
    pub async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        (host, port): (&str, u16),
        fields: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Fault> {
        let opened = if self.speaks == Language::Socks {
            let user = self.user().map(|(user, password)| {
                let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
                (decoded(user), decoded(password))
            });
            let user = user.as_ref().map(|(user, password)| (&**user, &**password));
            let opened = socks::lead_on(stream, host, port, user).await;
            opened.map_err(|why| (why.cause(), why.to_string()))
        } else {
            connect(stream, &authority(host, port), fields).await
        };
        opened.map_err(|(cause, why)| {
            let (proxy, target) = (authority(self.host(), self.port()), authority(host, port));
            let detail = format!("the proxy {proxy} opened no tunnel to {target}: {why}");
            Fault::target(cause, detail)
        })
    }
}

/// Asks for a tunnel in HTTP (RFC 9110, section 9.3.6).
async fn connect(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    authority: &str,
    fields: impl IntoIterator<Item = (String, String)>,
) -> Result<(), (Cause, String)> {
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
    let head = asked
        .await
        .map_err(|why| (cause(&why), format!("its connection broke off: {why}")))?;
    let line = head.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).unwrap_or_default();
    if !line.starts_with("HTTP/1.") || status.len() != 3 {
        return Err((
            Cause::Protocol,
            format!("it does not answer in HTTP: {line:?}"),
        ));
    }
    if !status.starts_with('2') {
        return Err((Cause::Rejected, format!("it says {line:?}")));
    }
    Ok(())
}

/// Why a conversation with a proxy broke off.
fn cause(why: &io::Error) -> Cause {
    match why.kind() {
        io::ErrorKind::UnexpectedEof => Cause::Closed,
        io::ErrorKind::InvalidData => Cause::Protocol,
        _ => Cause::Reset,
    }
}

/// `HOST:PORT`, with brackets around an address of IPv6.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Reads a header section and nothing more: what follows belongs to whoever is behind the tunnel,
/// who does not speak first in TLS.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD {
            return Err(invalid("its answer is too long"));
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
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
    fn a_proxy_is_a_url_of_what_it_speaks() {
        for (text, expected) in [
            ("http://proxy.test:3128", Ok(("proxy.test", 3128))),
            ("proxy.test:3128", Ok(("proxy.test", 3128))),
            ("http://[::1]/", Ok(("::1", 80))),
            ("https://proxy.test", Ok(("proxy.test", 443))),
            ("socks5://proxy.test", Ok(("proxy.test", 1080))),
            ("socks5h://u:p@[::1]:9", Ok(("::1", 9))),
            ("", Err(ProxyError::NotAUrl)),
            ("ftp://proxy.test", Err(ProxyError::Scheme("ftp".into()))),
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
            let tunnel = tunnel("http://proxy.test", answer.as_bytes(), "example.com").await;
            assert_eq!(tunnel.map(|_| ()).err(), expected, "{answer}");
        }
    }
    /// Opens a tunnel to port 443 through a proxy that says this; what it was told, or the reason.
    async fn tunnel(proxy: &str, says: &[u8], host: &str) -> Result<Vec<u8>, &'static str> {
        let proxy: Proxy = proxy.parse().unwrap();
        let mut told = Vec::new();
        let stream = tokio::io::join(says, &mut told);
        tokio::pin!(stream);
        let opened = proxy.tunnel(&mut stream, (host, 443), []).await;
        opened.map_err(|fault| fault.reason())?;
        Ok(told)
    }

    #[tokio::test]
    async fn a_socks_proxy_is_told_what_the_rfcs_say() {
        let yes = b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50";
        for (host, expected) in [
            ("a.test", &b"\x05\x01\0\x05\x01\0\x03\x06a.test\x01\xbb"[..]),
            (
                "192.0.2.1",
                b"\x05\x01\0\x05\x01\0\x01\xc0\0\x02\x01\x01\xbb",
            ),
            (
                "::1",
                b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ),
        ] {
            let told = tunnel("socks5://proxy.test", yes, host).await;
            assert_eq!(told.as_deref(), Ok(expected), "{host}");
        }
        let yes = b"\x05\x02\x01\0\x05\0\0\x03\x01a\0\x50";
        let told = tunnel("socks5://u:p%40@proxy.test", yes, "a.test").await;
        let login = b"\x05\x02\0\x02\x01\x01u\x02p@";
        assert!(told.unwrap().starts_with(login));
    }

    #[tokio::test]
    async fn a_socks_proxy_that_does_not_lead_on_says_why() {
        for (says, expected) in [
            (&b""[..], "closed"),
            (b"HT", "protocol"),
            (b"\x05\xff", "rejected"),
            (b"\x05\x02", "rejected"),
            (b"\x05\0\x05\x01\0\x01", "rejected"),
            (b"\x05\0\x05\x04\0\x01", "unreachable"),
            (b"\x05\0\x05\x05\0\x01", "refused"),
            (b"\x05\0\x05\0\0\x09", "protocol"),
            (b"\x05\0\x05\0\0\x01\0", "closed"),
        ] {
            let told = tunnel("socks5://proxy.test", says, "a.test").await;
            assert_eq!(told, Err(expected), "{says:02x?}");
        }
        let long = "a".repeat(256);
        let told = tunnel("socks5://proxy.test", b"\x05\0", &long).await;
        assert_eq!(told, Err("protocol"));
        let told = tunnel("socks5://u:p@proxy.test", b"\x05\x02\x01\x01", "a.test").await;
        assert_eq!(told, Err("rejected"));
    }
}
