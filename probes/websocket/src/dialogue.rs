//! What is said over a WebSocket that is open?
//!
//! Each step waits for one message, if it expects one, and sends one, if it has one to send. Pings
//! are answered meanwhile. Frames are tungstenite's affair.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use leadsman_core::{Cause, Context, Fault};
use leadsman_dial::{Step, failure};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::metrics::FAILED_REGEX;

/// A WebSocket that is open.
pub(crate) struct Dialogue<S> {
    socket: WebSocketStream<S>,
    peer: SocketAddr,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    /// Begins with the bytes that came behind the head of the answer.
    pub(crate) async fn begin(stream: S, read: Bytes, peer: SocketAddr) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let read = read.to_vec();
        let socket =
            WebSocketStream::from_partially_read(stream, read, Role::Client, Some(config)).await;
        Self { socket, peer }
    }

    /// Takes all steps.
    pub(crate) async fn go(&mut self, cx: &Context<'_>, steps: &[Step]) -> Result<(), Fault> {
        for (index, step) in steps.iter().enumerate() {
            let heard = match (step.expect(), step.expect_bytes()) {
                (None, None) => Vec::new(),
                _ => self.hear(cx).await?,
            };
            let found = step.expect().map(|pattern| (pattern, pattern.find(&heard)));
            let unlike = match &found {
                Some((pattern, None)) => Some(format!("{:?}", pattern.as_str())),
                _ => step
                    .expect_bytes()
                    .filter(|bytes| *bytes != heard)
                    .map(|bytes| format!("the bytes \"{}\"", bytes.escape_ascii())),
            };
            if let Some(expected) = unlike {
                cx.set(&FAILED_REGEX, 1.0);
                let detail = format!(
                    "step {} expects {expected}, but {} says {:?}",
                    index + 1,
                    self.peer,
                    shown(&heard)
                );
                return Err(Fault::target(Cause::Mismatch, detail));
            }
            let found = found.and_then(|(_, found)| found);
            if let Some(text) = step.send(found.as_ref()) {
                // Text if it is some: what was captured may have been cut out of a character.
                let message = match String::from_utf8(text) {
                    Ok(text) => Message::text(text),
                    Err(bytes) => Message::binary(bytes.into_bytes()),
                };
                self.say(cx, message).await?;
            }
            if let Some(bytes) = step.send_bytes() {
                self.say(cx, Message::binary(bytes.to_vec())).await?;
            }
        }
        Ok(())
    }

    /// Says goodbye, and waits a moment for the peer to do so (RFC 6455, section 7.1.1). What comes
    /// of it does not matter any more.
    pub(crate) async fn close(mut self, cx: &Context<'_>) {
        let until = cx.deadline().min(Instant::now() + FAREWELL);
        let farewell = async {
            self.socket.close(None).await?;
            while let Some(message) = self.socket.next().await {
                message?;
            }
            Ok::<_, Error>(())
        };
        let ended = timeout_at(until - MARGIN, farewell).await;
        cx.event("closed", || Closed {
            politely: matches!(ended, Ok(Ok(()))),
        });
    }

    /// Waits for a message of text or bytes.
    async fn hear(&mut self, cx: &Context<'_>) -> Result<Vec<u8>, Fault> {
        loop {
            let Some(message) = self.socket.next().await else {
                return Err(self.closed(&"it is closed"));
            };
            match message.map_err(|why| self.judged(&why))? {
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    let message = message.into_data();
                    cx.event("received", || Said::of(&message));
                    return Ok(message.to_vec());
                }
                Message::Close(frame) => {
                    let why = frame.map_or_else(
                        || "it is closed without a reason".to_owned(),
                        // Escaped, for the server chose it.
                        |frame| format!("it is closed: {} {:?}", frame.code, frame.reason.as_str()),
                    );
                    return Err(self.closed(&why));
                }
                // A ping was answered while it was read.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn say(&mut self, cx: &Context<'_>, message: Message) -> Result<(), Fault> {
        cx.event("sent", || Said::of(&message.clone().into_data()));
        let sent = self.socket.send(message).await;
        sent.map_err(|why| self.judged(&why))
    }

    fn closed(&self, why: &dyn Display) -> Fault {
        let detail = format!("the WebSocket to {} broke off: {why}", self.peer);
        Fault::target(Cause::Closed, detail)
    }

    /// Whose fault is an error?
    fn judged(&self, why: &Error) -> Fault {
        match why {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => self.closed(why),
            Error::Io(why) => {
                let doing = format!("the WebSocket to {} broke off", self.peer);
                failure(self.peer, &doing, why)
            }
            why => {
                let detail = format!("{} does not speak WebSocket: {why}", self.peer);
                Fault::target(Cause::Protocol, detail)
            }
        }
    }
}

/// The event of a message.
#[derive(Debug, Serialize)]
struct Said {
    message: String,
    bytes: usize,
}

impl Said {
    fn of(message: &[u8]) -> Self {
        Self {
            message: shown(message),
            bytes: message.len(),
        }
    }
}

/// The event of the end.
#[derive(Debug, Serialize)]
struct Closed {
    politely: bool,
}

/// A message for people, or as much of it as they will read.
fn shown(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(&message[..message.len().min(SHOWN)]);
    let more = if message.len() > SHOWN { "…" } else { "" };
    format!("{text}{more}")
}

/// How much of a message is shown.
const SHOWN: usize = 200;

/// More than any step needs to look into; also the longest frame.
const LONGEST: usize = 1024 * 1024;

/// What is set aside for reading.
const BUFFER: usize = 4 * 1024;

/// How long a peer has to say goodbye.
const FAREWELL: Duration = Duration::from_millis(250);

/// A good run must not end at its deadline only because the peer said no goodbye.
const MARGIN: Duration = Duration::from_millis(5);
