//! What does the server do in a story, and its proxy, and when does it stamp?

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::super::servers::read;
use super::{Book, Story};

/// Plays the server, and its proxy, in every story.
pub(super) async fn serve(story: Story, listener: TcpListener, acceptor: TlsAcceptor, book: Book) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let fails = |phase| story.fails.is_some_and(|(failing, _)| failing == phase);
        // Or what the server says after TLS's tickets would wait until those are acknowledged.
        stream.set_nodelay(true).unwrap();
        if !story.secure {
            // The client may have written a large body before this task had its turn.
            book.ended_since("connect", book.last());
            answer(story, &mut stream, &book).await;
            continue;
        }
        read(&mut stream).await.unwrap();
        book.delayed("connect").await;
        if fails("connect") {
            stream.write_all(b"HTTP/1.1 502 x\r\n\r\n").await.unwrap();
            continue;
        }
        stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.unwrap();
        if fails("tls") {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            book.delayed("tls").await;
            continue;
        }
        book.delay().await;
        // The client is done some time after it got what the server had to say, and before the
        // server has its last word of the handshake; in between the client verifies a certificate.
        let mut stream = acceptor.accept(Acts::of(stream)).await.unwrap();
        let (said, heard) = stream.get_ref().0.turn.expect("both have said something");
        book.stamp("tls", said, heard);
        answer(story, &mut stream, &book).await;
        stream.shutdown().await.unwrap();
    }
}

/// A stream that notes when it was last written to before it was last read from.
#[derive(Debug)]
struct Acts {
    stream: TcpStream,
    written: Option<Instant>,
    /// The last write before the last read, and that.
    turn: Option<(Instant, Instant)>,
}

impl Acts {
    fn of(stream: TcpStream) -> Self {
        Self {
            stream,
            written: None,
            turn: None,
        }
    }
}

impl AsyncRead for Acts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.turn = self.written.map(|written| (written, Instant::now()));
        Poll::Ready(read)
    }
}

impl AsyncWrite for Acts {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.written = Some(Instant::now());
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

pub(super) async fn answer(
    story: Story,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    book: &Book,
) {
    let fails = |phase| story.fails.is_some_and(|(failing, _)| failing == phase);
    let request = if story.slow_write {
        book.delay().await;
        let begin = Instant::now();
        if fails("request_write") {
            book.ended("request_write");
            // What is left unread makes a close a reset.
            return;
        }
        let request = read_large(stream).await;
        // The kernel took the last byte at some time while all of them were read.
        book.ended_since("request_write", begin);
        request
    } else {
        let request = read(stream).await.unwrap();
        book.ended("request_write");
        request
    };
    book.delayed("wait").await;
    if fails("wait") {
        return;
    }
    let response = if story.redirects && request.contains(" /first ") {
        &b"HTTP/1.1 302 x\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n"[..]
    } else {
        &b"HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nab"[..]
    };
    stream.write_all(response).await.unwrap();
    stream.flush().await.unwrap();
    if response.ends_with(b"ab") {
        book.delayed("transfer").await;
        if !fails("transfer") {
            stream.write_all(b"cd").await.unwrap();
        }
    }
}

/// Reads a request with a large body, and returns what came first of it.
async fn read_large(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = vec![0; LARGE + 4096];
    let mut length = 0;
    let body = |bytes: &[u8]| Some(bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4);
    loop {
        length += stream.read(&mut bytes[length..]).await.unwrap();
        if body(&bytes[..length.min(4096)]).is_some_and(|begin| length >= begin + LARGE) {
            return String::from_utf8_lossy(&bytes[..4096]).into_owned();
        }
    }
}

/// More than the kernel takes of a request before its reader reads.
pub(super) const LARGE: usize = 6 * 1024 * 1024;
