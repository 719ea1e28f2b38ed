//! What carries a dialogue?
//!
//! A connection of TCP, in TLS or not. The only change it can make is from the one to the other.

use std::io;

use futures_util::FutureExt as _;
use leadsman_dial::{TcpInfo, TlsStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub(crate) enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// In TLS.
    Secure(Box<TlsStream<TcpStream>>),
    /// Given up, or on its way into TLS.
    Gone,
}

impl Wire {
    /// Reads what is there, or waits until something is; 0 is the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await,
            Self::Secure(stream) => stream.read(buffer).await,
            Self::Gone => Ok(0),
        }
    }

    /// Reads what is there already; `None` if nothing is.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self {
            Self::Plain(stream) => match stream.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                read => Some(read),
            },
            Self::Secure(stream) => stream.read(buffer).now_or_never(),
            Self::Gone => Some(Ok(0)),
        }
    }

    /// Writes until the kernel has taken all.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// What the kernel knows of the connection.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
            Self::Gone => return None,
        };
        TcpInfo::of(stream).ok()
    }
}
