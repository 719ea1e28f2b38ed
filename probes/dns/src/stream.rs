//! How is a server asked over a stream, with TLS or without?
//!
//! Each message stands behind its length (RFC 1035, section 4.2.2). The connection is made for one
//! question and closed behind its answer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use leadsman_core::{Cause, Fault};
use leadsman_dial::{Protocol, Tls, connect, failure, metrics};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::consume_budget;

use crate::course::{Course, Phase};
use crate::question::{Answers, Question};

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    /// Tried one after the other until one accepts.
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) port: u16,
    /// Address of this host to ask from, if it matters.
    pub(crate) source: Option<IpAddr>,
    /// How to speak TLS and the name that the certificate must have, if it is spoken.
    pub(crate) tls: Option<(&'a Tls, &'a str)>,
}

/// Asks over a connection of its own, and returns the message that answers.
pub(crate) async fn ask(
    course: &mut Course<'_, '_>,
    server: Server<'_>,
    question: &mut Question,
) -> Result<Vec<u8>, Fault> {
    let cx = course.cx();
    course.enter(Phase::Connect);
    let connected = connect(cx, server.addresses, server.port, server.source).await?;
    let peer = connected.peer;
    cx.address(peer.ip());
    let Some((tls, name)) = server.tls else {
        course.asked(question, peer, "TCP");
        return exchange(course, connected.stream, peer, question).await;
    };
    course.enter(Phase::Tls);
    let handshake = tls.handshake(connected.stream, peer, name, &[]).await;
    if let Some(shown) = &handshake.shown {
        metrics::record_shown(cx, shown);
    }
    let mut stream = handshake.stream?;
    course.asked(question, peer, "TLS");
    let message = exchange(course, &mut stream, peer, question).await?;
    if let Some(shown) = &handshake.shown {
        metrics::record_answered(cx, shown, &Protocol::of(&stream));
    }
    Ok(message)
}

async fn exchange(
    course: &mut Course<'_, '_>,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    question: &mut Question,
) -> Result<Vec<u8>, Fault> {
    course.enter(Phase::Wait);
    let id = question.renew();
    course.sent();
    let asked = async {
        stream.write_all(question.streamed()).await?;
        stream.flush().await
    };
    let failed = |doing: &str, why: &io::Error| failure(peer, &format!("{doing} {peer}"), why);
    asked
        .await
        .map_err(|why| failed("cannot send a question to", &why))?;
    loop {
        let received = receive(course, &mut stream).await;
        let message = received.map_err(|why| failed("no whole answer from", &why))?;
        match question.is_answered_by(&message, id) {
            Answers::This => return Ok(message),
            Answers::Other(why) => course.ignored(why),
            Answers::Garbage => return Err(garbage(peer)),
        }
        course.enter(Phase::Wait);
        // A peer that never ceases to send must not keep the deadline from being seen.
        consume_budget().await;
    }
}

async fn receive(
    course: &mut Course<'_, '_>,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    course.enter(Phase::Transfer);
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// The fault of a server whose answer is none, though it has the right id.
pub(crate) fn garbage(peer: SocketAddr) -> Fault {
    let detail = format!("the answer of {peer} is malformed: its header or question is cut off");
    Fault::target(Cause::Protocol, detail)
}
