//! Who answers echo requests only when the test wants it?
//!
//! Stands in for the kernel of the far side, for IPv4 alone. What it answers is the request itself,
//! turned round.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::Instant;

use super::lab::Namespace;

/// Hears echo requests in place of a host's kernel, and keeps them.
pub(super) struct Responder {
    requests: Receiver<Request>,
    heard: Arc<AtomicU64>,
    transmit: Socket,
    hearing: Background,
}

struct Request {
    at: Instant,
    packet: Vec<u8>,
}

impl Responder {
    pub(super) fn new(host: &Namespace) -> Self {
        host.set("ipv4/icmp_echo_ignore_all", "1");
        let [receive, transmit] = [Protocol::ICMPV4, Protocol::from(IPPROTO_RAW)].map(|protocol| {
            host.within(|| Socket::new(Domain::IPV4, Type::RAW, Some(protocol)))
                .expect("root may open it")
        });
        receive
            .set_recv_buffer_size(64 << 20)
            .expect("the kernel gives what it may");
        receive
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("not zero");
        let (keep, requests) = channel();
        let heard = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&heard);
        let mut bytes = vec![0; 65_536];
        let hearing = Background::start(move || {
            // What it cannot read for lack of any is no request either.
            let length = (&receive).read(&mut bytes).unwrap_or(0);
            if length > 20 && bytes[20] == ECHO_REQUEST {
                let at = Instant::now();
                let packet = bytes[..length].to_vec();
                // Nobody may want it any more.
                _ = keep.send(Request { at, packet });
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            requests,
            heard,
            transmit,
            hearing,
        }
    }

    /// How many requests it has heard.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Waits until it has heard so many.
    pub(super) fn wait(&self, count: u64) {
        let end = Instant::now() + Duration::from_mins(1);
        while self.heard() < count {
            assert!(Instant::now() < end, "{} of {count} came", self.heard());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Answers the first `count` of those that it keeps, and rests a little after each `burst`.
    pub(super) fn answer(&self, count: u64, burst: usize) {
        for number in 1..=count as usize {
            let request = self.requests.try_recv().expect("it keeps so many");
            turn(&self.transmit, request.packet);
            if number % burst == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Goes on to answer each request so long after it came.
    pub(super) fn after(self, wait: Duration) -> Answering {
        let Self {
            requests,
            transmit,
            hearing,
            ..
        } = self;
        let thread = thread::spawn(move || {
            let answered = requests.into_iter().map(|request| {
                thread::sleep((request.at + wait).saturating_duration_since(Instant::now()));
                let waited = request.at.elapsed();
                turn(&transmit, request.packet);
                waited
            });
            answered.collect()
        });
        Answering { thread, hearing }
    }
}

/// A responder that answers by itself.
pub(super) struct Answering {
    thread: JoinHandle<Vec<Duration>>,
    hearing: Background,
}

impl Answering {
    /// Ends it, and returns how long each request had to wait for its answer, in their order.
    pub(super) fn end(self) -> Vec<Duration> {
        drop(self.hearing);
        self.thread.join().expect("it answers whatever comes")
    }
}

/// A thread that does the same again and again until this is dropped.
pub(super) struct Background(Arc<AtomicBool>);

impl Background {
    pub(super) fn start(mut again: impl FnMut() + Send + 'static) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                again();
            }
        });
        Self(ended)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a request back as its reply.
fn turn(transmit: &Socket, mut packet: Vec<u8>) {
    let (from, to) = packet[12..20].split_at_mut(4);
    from.swap_with_slice(to);
    let asker: [u8; 4] = packet[16..20].try_into().expect("four bytes");
    packet[20] = ECHO_REPLY;
    // The type has become 8 less, so the complement of the sum is 8 more (RFC 1624).
    let sum = u16::from_be_bytes([packet[22], packet[23]]);
    let (sum, carry) = sum.overflowing_add(u16::from(ECHO_REQUEST) << 8);
    packet[22..24].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    let asker = SocketAddr::from((Ipv4Addr::from(asker), 0)).into();
    transmit
        .send_to(&packet, &asker)
        .expect("there is a route back");
}

/// RFC 792.
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// The protocol of sockets that are given whole packets; raw(7).
const IPPROTO_RAW: i32 = 255;
