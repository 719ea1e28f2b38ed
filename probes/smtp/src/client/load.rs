//! What does a message cost?
//!
//! Many messages to a sink, each over a connection of its own and made anew, as the probe sends
//! them, without a schedule and without the rails: so only to this host.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use leadsman_dial::{Laps, TcpConnection};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::conversation::{Conversation, Happening, Limits};
use super::dialogue::{Dialogue, Script, Until, Wanted};
use super::phase::Phase;
use super::wire::Wire;
use crate::mailbox::Mailbox;
use crate::message::{Letter, Token, build};

/// How much is sent, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The sink, at a loopback address.
    pub sink: SocketAddr,
    /// Messages in all.
    pub count: u64,
    /// Connections at once.
    pub parallel: usize,
    /// Octets of a message's text.
    pub size: usize,
}

/// Why messages did not go.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The sink is somebody else's.
    #[error("messages by the thousand go to a loopback address only")]
    NotHere,
    /// There is no connection.
    #[error("cannot connect to the sink: {0}")]
    Connect(#[from] io::Error),
    /// The sink does not take a message.
    #[error("the sink takes no message: {0}")]
    Refused(String),
}

impl Load {
    /// Sends it all.
    pub async fn send(self) -> Result<(), LoadError> {
        if !self.sink.ip().is_loopback() {
            return Err(LoadError::NotHere);
        }
        let left = Arc::new(AtomicU64::new(self.count));
        let text: Arc<str> = "a line of the text of a message, as long as many others are\n"
            .chars()
            .cycle()
            .take(self.size)
            .collect::<String>()
            .into();
        let mut senders: JoinSet<Result<(), LoadError>> = JoinSet::new();
        for _ in 0..self.parallel {
            let (left, text) = (Arc::clone(&left), Arc::clone(&text));
            senders.spawn(async move {
                let take = |left: u64| left.checked_sub(1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    self.message(&text).await?;
                }
                Ok(())
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }

    async fn message(&self, text: &str) -> Result<(), LoadError> {
        let mut laps = Laps::begin(Phase::Connect);
        let stream = TcpStream::connect(self.sink).await?;
        let refused = |why: &dyn std::fmt::Display| LoadError::Refused(why.to_string());
        let mailbox = |text| Mailbox::parse(text).map_err(|why| refused(&why));
        let (from, to) = (mailbox(FROM)?, mailbox(TO)?);
        let dialogue = Dialogue::new(Script {
            is_lmtp: false,
            hello: "client.test".to_owned(),
            tls: Wanted::Off,
            credentials: None,
            insecure_auth: false,
            from: Some(from.clone()),
            to: Some(to.clone()),
            until: Until::Sent,
            pipelining: false,
            chunking: false,
            notify: "",
        });
        let limit = Duration::from_secs(30);
        let limits = Limits {
            greeting: limit,
            command: limit,
            accept: limit,
        };
        let wire = Wire::Plain(TcpConnection::from_std(stream.into_std()?)?);
        let mut talk = Conversation::begin(dialogue, wire, self.sink, &mut laps, limits, None);
        loop {
            match talk.advance().await {
                Happening::Compose => {
                    let letter = Letter {
                        from: &from,
                        name: None,
                        to: &to,
                        subject: None,
                        host: "client.test",
                        body: text,
                        eight_bit: false,
                    };
                    let token = Token::fresh().map_err(|why| refused(&why))?;
                    let content = build(&letter, &token, SystemTime::now());
                    talk.dialogue.content(content.map_err(|why| refused(&why))?);
                }
                Happening::Over => break,
                _ => {}
            }
        }
        match talk.dialogue.failure() {
            Some(failure) => Err(LoadError::Refused(failure.detail.clone())),
            None => Ok(()),
        }
    }
}

const FROM: &str = "sender@client.test";
const TO: &str = "probe@sink.test";
