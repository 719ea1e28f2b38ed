//! Servers that say what they are told to, and keep what they hear.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadsman_dial::testing::Certified;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

/// One thing that a server does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says this.
    Say(&'static str),
    /// The same for bytes that are no text.
    Bytes(&'static [u8]),
    /// Says this so many times.
    Flood(&'static [u8], usize),
    /// Says this, one octet after the other.
    Drip(&'static str),
    /// Hears a line that begins with this.
    Hear(&'static str),
    /// Hears a message, with the dot at its end.
    Letter,
    /// Hears a message in one chunk.
    Chunk,
    /// Hears so many octets.
    Octets(usize),
    /// Waits.
    Pause(Duration),
    /// Stamps when it is.
    Stamp,
    /// Reads no more, and keeps the connection.
    Deaf,
    /// Hears whatever the client says, until it gives up or quits.
    Hold,
    /// Goes on in TLS.
    Tls(&'static Certified),
    /// Resets the connection.
    Reset,
}

use Act::{Hear, Say};

/// The beginning of a dialogue in which the server offers this.
pub(crate) fn greeting(offers: &'static str) -> Vec<Act> {
    vec![Say("220 mx.test ESMTP\r\n"), Hear("EHLO "), Say(offers)]
}

/// The whole of a dialogue in which a message is taken.
pub(crate) fn taking() -> Vec<Act> {
    [
        greeting("250 mx.test\r\n"),
        vec![
            Hear("MAIL FROM:<"),
            Say("250 2.1.0 ok\r\n"),
            Hear("RCPT TO:<"),
            Say("250 2.1.5 ok\r\n"),
            Hear("DATA"),
            Say("354 go on\r\n"),
            Act::Letter,
            Say("250 2.0.0 taken\r\n"),
            Hear("QUIT"),
            Say("221 bye\r\n"),
        ],
    ]
    .concat()
}

/// What a server heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ear {
    lines: Arc<Mutex<Vec<String>>>,
    stamps: Arc<Mutex<Vec<Instant>>>,
}

impl Ear {
    /// The lines, and for a message `(message)`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The messages that came whole.
    pub(crate) fn messages(&self) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| *line == MESSAGE).count()
    }

    fn heard(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

/// Does this with each connection.
pub(crate) fn scripted(acts: Vec<Act>) -> (SocketAddr, Ear) {
    let ear = Ear::default();
    (serving(acts, ear.clone()), ear)
}

/// The same, with a list that stamps go to.
pub(crate) fn scripted_and_stamped(acts: Vec<Act>, stamps: Arc<Mutex<Vec<Instant>>>) -> SocketAddr {
    let lines = Arc::default();
    serving(acts, Ear { lines, stamps })
}

fn serving(acts: Vec<Act>, kept: Ear) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // Little, so that whoever sends to a server that reads no more notices it.
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).ok();
            let (acts, ear) = (acts.clone(), kept.clone());
            tokio::spawn(async move {
                let mut end: Box<dyn Stream> = Box::new(stream);
                for act in acts {
                    let Some(next) = play(end, act, &ear).await else {
                        return;
                    };
                    end = next;
                }
            });
        }
    });
    address
}

/// Either side of TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn reset(&self) {}
}

impl Stream for tokio::net::TcpStream {
    fn reset(&self) {
        self.set_zero_linger().ok();
    }
}

impl Stream for tokio_rustls::server::TlsStream<Box<dyn Stream>> {}

/// Does one thing; `None` if the connection is over.
async fn play(mut end: Box<dyn Stream>, act: Act, ear: &Ear) -> Option<Box<dyn Stream>> {
    match act {
        Say(text) => say(&mut end, text.as_bytes()).await?,
        Act::Bytes(bytes) => say(&mut end, bytes).await?,
        Act::Flood(bytes, times) => {
            for _ in 0..times {
                say(&mut end, bytes).await?;
            }
        }
        Act::Drip(text) => {
            for byte in text.as_bytes() {
                say(&mut end, &[*byte]).await?;
                tokio::task::yield_now().await;
            }
        }
        Hear(begin) => {
            let line = line(&mut end).await?;
            let is_right = line.starts_with(begin);
            ear.heard(line);
            if !is_right {
                ear.heard(format!("(not {begin})"));
                return None;
            }
        }
        Act::Letter => {
            while line(&mut end).await? != "." {}
            ear.heard(MESSAGE.to_owned());
        }
        Act::Octets(count) => {
            let mut octets = vec![0; count];
            end.read_exact(&mut octets).await.ok()?;
        }
        Act::Chunk => {
            let line = line(&mut end).await?;
            let size = line.strip_prefix("BDAT ")?.strip_suffix(" LAST")?;
            let mut octets = vec![0; size.parse().ok()?];
            end.read_exact(&mut octets).await.ok()?;
            ear.heard(MESSAGE.to_owned());
        }
        Act::Pause(time) => sleep(time).await,
        Act::Stamp => {
            let mut stamps = ear.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            stamps.push(Instant::now());
        }
        Act::Deaf => {
            std::future::pending::<()>().await;
        }
        Act::Hold => loop {
            let line = line(&mut end).await?;
            let is_last = line == "QUIT";
            ear.heard(line);
            if is_last {
                return None;
            }
        },
        Act::Tls(certified) => {
            let accepted = certified.acceptor(&[]).accept(end).await.ok()?;
            return Some(Box::new(accepted));
        }
        Act::Reset => {
            end.reset();
            return None;
        }
    }
    Some(end)
}

async fn say(end: &mut Box<dyn Stream>, bytes: &[u8]) -> Option<()> {
    end.write_all(bytes).await.ok()?;
    end.flush().await.ok()
}

/// Reads a line octet by octet, so that nothing behind it is taken.
async fn line(end: &mut Box<dyn Stream>) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(end.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    Some(String::from_utf8_lossy(&line).into_owned())
}

const MESSAGE: &str = "(message)";
