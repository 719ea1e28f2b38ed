//! How does a SOCKS proxy lead on (RFC 1928)?
//!
//! Version 5 with the command CONNECT, without authentication or with user name and password
//! (RFC 1929). Neither BIND nor UDP, and no GSSAPI.

use std::io;
use std::net::IpAddr;

use leadsman_core::Cause;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why a proxy does not lead on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocksError {
    #[error("its connection broke off: {0}")]
    Io(#[from] io::Error),
    #[error("it does not answer in SOCKS 5: {0:#04x}")]
    NotSocks(u8),
    #[error("it wants an authentication that the proxy's URL does not give")]
    Authentication,
    #[error("it refuses the user name or password")]
    Credentials,
    #[error("`{0}` is longer than SOCKS can say")]
    TooLong(String),
    #[error("{}", reply(*.0))]
    Refused(u8),
}

impl SocksError {
    /// What that is to be counted as.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Io(why) => super::cause(why),
            Self::NotSocks(_) | Self::TooLong(_) => Cause::Protocol,
            // RFC 1928, section 6: what became of the connection that the proxy tried to make.
            Self::Refused(3 | 4) => Cause::Unreachable,
            Self::Refused(5) => Cause::Refused,
            Self::Refused(_) | Self::Authentication | Self::Credentials => Cause::Rejected,
        }
    }
}

/// Has the proxy at the other end lead on to a host, which is a name or an address, and its port.
pub(super) async fn lead_on(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
    port: u16,
    user: Option<(&str, &str)>,
) -> Result<(), SocksError> {
    let offered: &[u8] = match user {
        Some(_) => &[VERSION, 2, NOTHING, PASSWORD],
        None => &[VERSION, 1, NOTHING],
    };
    stream.write_all(offered).await?;
    stream.flush().await?;
    let method = [stream.read_u8().await?, stream.read_u8().await?];
    match (method, user) {
        ([VERSION, NOTHING], _) => {}
        ([VERSION, PASSWORD], Some((name, password))) => {
            let mut login = vec![1];
            push(&mut login, name)?;
            push(&mut login, password)?;
            stream.write_all(&login).await?;
            stream.flush().await?;
            let [_, status] = [stream.read_u8().await?, stream.read_u8().await?];
            if status != 0 {
                return Err(SocksError::Credentials);
            }
        }
        ([VERSION, _], _) => return Err(SocksError::Authentication),
        ([other, _], _) => return Err(SocksError::NotSocks(other)),
    }
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(V4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(V6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(NAME);
            push(&mut request, host)?;
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version, status, _, kind] = head;
    if version != VERSION {
        return Err(SocksError::NotSocks(version));
    }
    if status != 0 {
        return Err(SocksError::Refused(status));
    }
    // From where the proxy asks is of no interest, but stands before what the server says.
    let length = match kind {
        V4 => 4,
        V6 => 16,
        NAME => stream.read_u8().await?.into(),
        other => return Err(SocksError::NotSocks(other)),
    };
    let mut bound = vec![0; length + size_of::<u16>()];
    stream.read_exact(&mut bound).await?;
    Ok(())
}

/// Appends a text behind its length.
fn push(bytes: &mut Vec<u8>, text: &str) -> Result<(), SocksError> {
    let length = u8::try_from(text.len()).map_err(|_| SocksError::TooLong(text.to_owned()))?;
    bytes.push(length);
    bytes.extend(text.as_bytes());
    Ok(())
}

/// RFC 1928, section 6.
fn reply(status: u8) -> String {
    let known = [
        "its server failed",
        "its rules do not allow that",
        "the network cannot be reached from it",
        "the host cannot be reached from it",
        "the connection from it was refused",
        "the TTL expired on the way from it",
        "it does not know the command",
        "it does not know the kind of address",
    ];
    match known.get(usize::from(status).wrapping_sub(1)) {
        Some(known) => (*known).to_owned(),
        None => format!("it says {status:#04x}"),
    }
}

const VERSION: u8 = 5;
const CONNECT: u8 = 1;

/// Methods of authentication (RFC 1928, section 3).
const NOTHING: u8 = 0;
const PASSWORD: u8 = 2;

/// Kinds of address (RFC 1928, section 5).
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;
