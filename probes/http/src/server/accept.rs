//! Who is let in?
//!
//! Every thread accepts from a listener of its own, and all of them count together. One peer too
//! many is told so at once instead of being left to wait.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadsman_wire::give_back_memory;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::connection::Door;
use super::counts::Rejected;

/// How many connections there are, of how many there may be.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    most_of_one: Option<usize>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// The most since there was nobody.
    peak: usize,
    of: HashMap<IpAddr, usize>,
}

/// One connection's right to be there.
#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    peer: IpAddr,
}

impl Seats {
    /// At most so many connections at once, and so many of one address.
    pub(super) fn new(most: usize, most_of_one: Option<usize>) -> Self {
        Self {
            most,
            most_of_one,
            taken: Mutex::default(),
        }
    }

    fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.all >= self.most {
            return None;
        }
        if let Some(most) = self.most_of_one {
            let of_one = taken.of.entry(peer).or_default();
            if *of_one >= most {
                return None;
            }
            *of_one += 1;
        }
        taken.all += 1;
        taken.peak = taken.peak.max(taken.all);
        Some(Seat {
            seats: Arc::clone(self),
            peer,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all -= 1;
        if let Some(of_one) = taken.of.get_mut(&self.peer) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.of.remove(&self.peer);
            }
        }
        if taken.all == 0 && mem::take(&mut taken.peak) >= CROWD {
            taken.of = HashMap::new();
            drop(taken);
            // The allocator keeps what so many have had. This one's memory goes to it in a moment.
            give_back_memory();
        }
    }
}

/// Serves everybody who connects until the end is asked for, and lets those who are served then come
/// to an end.
pub(super) async fn accept(listener: TcpListener, door: Door, seats: Arc<Seats>) {
    // Every connection holds a sender; when the last is gone, nothing is received any more.
    let (presence, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = door.stop.requested() => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(why) if is_of_peer(&why) => continue,
            Err(why) => {
                warn!(%why, "cannot accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(seat) = seats.take(peer) else {
            door.site.counts.reject(Rejected::Full);
            // In TLS it would be told nothing, and the handshake is not worth it.
            if door.tls.is_none() {
                turn_away(&stream);
            }
            continue;
        };
        let (door, presence) = (door.clone(), presence.clone());
        tokio::spawn(async move {
            let counts = Arc::clone(&door.site.counts);
            counts.come();
            door.serve(stream).await;
            counts.go();
            drop((seat, presence));
        });
    }
    drop((listener, presence));
    // Whoever takes longer is cut off with the runtime.
    _ = timeout(GRACE, all_gone.recv()).await;
}

/// Whether a connection was lost before it was accepted, rather than that none can be.
fn is_of_peer(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        why.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

/// Tells a peer that there is no room. What it has sent is not waited for, so that it may find its
/// connection reset as well.
fn turn_away(stream: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 24\r\n\
        Connection: close\r\n\
        Retry-After: 1\r\n\r\n\
        503 Service Unavailable\n";
    // A new connection has room for this, or else the peer goes without.
    _ = stream.try_write(FULL);
}

/// Connections at once whose memory is worth an effort to give it back.
const CROWD: usize = 250;
/// How long a thread that cannot accept waits, say because it has too many files open.
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections have to come to an end.
pub(super) const GRACE: Duration = Duration::from_secs(10);
