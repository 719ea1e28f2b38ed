//! Is each phase as long as it really was?
//!
//! A resolver and a server delay one phase after the other and stamp on the same clock when each
//! came to its end. Their stamps are the truth, not the delays that were asked for: a timer may be
//! late, and that is nobody's error. Probe and server share a thread. What another program takes of
//! the processor may fall between a stamp and what it is compared with, so the kernel is asked how
//! long the thread was kept from running: that much is allowed to a phase, and no more. Beside that,
//! of those that were not disturbed 99 in a hundred have to be true as they are, and mostly all are.
//!
//! The same is played once more on a clock that stands still unless a phase is delayed. What the
//! machine does then takes no time, so that each phase of each run has to be true.

mod server;
mod tally;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadsman_core::testing::{Bench, Finished};
use leadsman_core::{
    Event, Family, Order, Resolve, ResolveError, Run, Sink, Stop, Target, async_trait, perform,
};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use self::server::{LARGE, answer, serve};
use self::tally::{DISTURBED, ROUNDING, Tally, WRONG, kept_waiting, less};
use super::servers::Certified;
use super::{PHASES, bench, ending, phases, plugin};
use crate::client::events::Hop;

#[tokio::test]
async fn each_phase_is_true_to_two_milliseconds_and_their_sum_to_one() {
    let certified = Certified::new(&["name.test"]);
    let mut tally = Tally::default();
    for story in STORIES {
        let stage = Stage::open(story, &certified);
        for _ in 0..RUNS / STORIES.len() {
            stage.play(&mut tally).await;
        }
    }
    let told = format!(
        "undisturbed: {}\nall: {}\nless what others took: {}",
        tally.clean.told(),
        tally.all.told(),
        tally.net.told()
    );
    println!("{told}");
    // Other waits than for a processor are not told: for a page while another test's thread holds the
    // lock of the process's memory, or for the host of a virtual machine.
    let bearable = tally.clean.phases.len() / 100;
    assert!(tally.clean.wrong() <= bearable, "{told}");
    // However busy the machine is, some are not disturbed; nearly all where it is not.
    for phase in PHASES {
        let clean = tally.clean.phases.iter();
        let clean = clean.filter(|(_, other, _)| *other == phase).count();
        assert!(clean >= RUNS / 100, "{clean} times {phase}: {told}");
    }
    // A phase that is counted wrongly is wrong most of the time.
    for (story, phase, off) in tally.all.medians() {
        assert!(off <= WRONG.as_secs_f64(), "{story:?}: {phase} by {off} s");
    }
}

#[tokio::test(start_paused = true)]
async fn no_phase_has_anything_of_another() {
    // The clock would go on by itself if all waited for the kernel.
    let awake = tokio::spawn(async {
        loop {
            yield_now().await;
        }
    });
    let certified = Certified::new(&["name.test"]);
    let mut tally = Tally::default();
    for story in STORIES {
        let book = Book {
            stands_still: true,
            ..Book::default()
        };
        let stage = Stage::with(story, &certified, book);
        for _ in 0..RUNS / STORIES.len() {
            stage.play(&mut tally).await;
        }
    }
    awake.abort();
    let told = tally.all.told();
    println!("{told}");
    assert_eq!(tally.all.wrong(), 0, "{told}");
    let mut phases = tally.all.phases.iter();
    assert!(phases.all(|(.., off)| *off < ROUNDING), "{told}");
}

#[tokio::test]
async fn a_connection_is_timed_until_the_server_has_room_for_it() {
    let book = Book::default();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    // Room for one connection, which is taken: the kernel leaves the next SYN without an answer.
    let listener = socket.listen(0).unwrap();
    let server = listener.local_addr().unwrap();
    let _taken = TcpStream::connect(server).await.unwrap();
    let (story, bench, kept) = (PLAIN, names_of_ipv4(), book.clone());
    tokio::spawn(async move {
        sleep(100 * DELAY).await;
        listener.accept().await.unwrap();
        // It comes again a second after it came first (RFC 6298, section 2.1).
        let (mut stream, _) = listener.accept().await.unwrap();
        kept.ended("connect");
        answer(story, &mut stream, &kept).await;
    });
    let stage = Stage {
        story,
        book,
        server,
        bench,
    };
    let mut tally = Tally::default();
    stage.play(&mut tally).await;
    let connect = tally
        .all
        .phases
        .iter()
        .find(|(_, phase, _)| *phase == "connect");
    let (.., off) = connect.unwrap();
    // One run may be unlucky; what it must not miss is the second.
    assert!(*off < 0.2, "{}", tally.all.told());
}

/// How many runs in all.
const RUNS: usize = 1000;

/// How long each phase is made at least.
const DELAY: Duration = Duration::from_millis(3);

/// How long the kernel has to deliver what was sent over loopback.
const DELIVERY: Duration = Duration::from_micros(500);

/// How often the other side has its turn until it has read that.
const TURNS: usize = 50;

/// What a run goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Story {
    /// Through a tunnel, whose opening is part of the phase connect, and in TLS.
    secure: bool,
    /// With a body that the server is slow to read.
    slow_write: bool,
    /// Whether the first of two hops leads on to the second.
    redirects: bool,
    /// The phase that fails, and the reason for that.
    fails: Option<(&'static str, &'static str)>,
}

const PLAIN: Story = Story {
    secure: false,
    slow_write: false,
    redirects: false,
    fails: None,
};

const SECURE: Story = Story {
    secure: true,
    ..PLAIN
};

const STORIES: [Story; 10] = [
    PLAIN,
    SECURE,
    Story {
        slow_write: true,
        ..PLAIN
    },
    Story {
        redirects: true,
        ..PLAIN
    },
    Story {
        fails: Some(("resolve", "resolve")),
        ..PLAIN
    },
    Story {
        fails: Some(("connect", "rejected")),
        ..SECURE
    },
    Story {
        fails: Some(("tls", "closed")),
        ..SECURE
    },
    Story {
        slow_write: true,
        fails: Some(("request_write", "reset")),
        ..PLAIN
    },
    Story {
        fails: Some(("wait", "closed")),
        ..PLAIN
    },
    Story {
        redirects: true,
        fails: Some(("transfer", "closed")),
        ..PLAIN
    },
];

/// What came to its end.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    phase: &'static str,
    /// When it did at the earliest and at the latest.
    earliest: Instant,
    latest: Instant,
    /// How long the thread had been kept from running by then.
    kept: Duration,
}

/// The clock that resolver and server stamp by.
#[derive(Clone, Debug, Default)]
struct Book {
    pages: Arc<Mutex<Pages>>,
    /// Whether the clock goes on only where a phase is delayed.
    stands_still: bool,
}

#[derive(Debug, Default)]
struct Pages {
    stamps: Vec<Stamp>,
}

impl Book {
    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, phase: &'static str) {
        self.ended_since(phase, Instant::now());
    }

    fn ended_since(&self, phase: &'static str, earliest: Instant) {
        self.stamp(phase, earliest, Instant::now());
    }

    fn stamp(&self, phase: &'static str, earliest: Instant, latest: Instant) {
        self.pages().stamps.push(Stamp {
            phase,
            earliest,
            latest,
            kept: kept_waiting(),
        });
    }

    fn last(&self) -> Instant {
        self.pages().stamps.last().unwrap().latest
    }

    /// Delays a phase and says that it then came to its end.
    async fn delayed(&self, phase: &'static str) {
        self.delay().await;
        self.ended(phase);
    }

    async fn delay(&self) {
        if !self.stands_still {
            return sleep(DELAY).await;
        }
        // What was sent is there when the kernel has had some time of its own, and is read when
        // the other side has had its turns.
        for _ in 0..2 {
            std::thread::sleep(DELIVERY);
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
        advance(DELAY).await;
    }
}

/// A story, with its server and all that a run needs.
struct Stage {
    story: Story,
    book: Book,
    server: SocketAddr,
    bench: Bench,
}

impl Stage {
    fn open(story: Story, certified: &Certified) -> Self {
        Self::with(story, certified, Book::default())
    }

    fn with(story: Story, certified: &Certified, book: Book) -> Self {
        let acceptor = certified.acceptor(&[]);
        let socket = TcpSocket::new_v4().unwrap();
        // So that most of a large body has to wait until the server reads.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(16).unwrap();
        let server = listener.local_addr().unwrap();
        let mut bench = names_of_ipv4().option("tls_config", json!({ "ca": certified.authority }));
        if story.secure {
            bench = bench.option("proxy_url", format!("http://{server}"));
        }
        if story.slow_write {
            let body = "x".repeat(LARGE);
            bench = bench.option("method", "POST").option("body", body);
        }
        tokio::spawn(serve(story, listener, acceptor, book.clone()));
        Self {
            story,
            book,
            server,
            bench,
        }
    }

    /// Runs once and compares.
    async fn play(&self, tally: &mut Tally) {
        *self.book.pages() = Pages::default();
        let before = kept_waiting();
        let scheme = if self.story.secure { "https" } else { "http" };
        let address = format!("{scheme}://name.test:{}/first", self.server.port());
        let target = Arc::new(Target::new(address));
        let mut probe = self.bench.aim(&target).unwrap();
        let events = Events::default();
        let resolver = SlowResolver {
            book: self.book.clone(),
            fails: self.story.fails == Some(("resolve", "resolve")),
        };
        let order = Order {
            plugin: plugin(),
            layout: plugin().layout(),
            target: &target,
            timeout: Duration::from_mins(1),
            stop: &Stop::never(),
            resolver: &resolver,
            sink: &events,
            compatible: false,
            fence: None,
        };
        let run = perform(&mut *probe, order).await;
        let events = events.0.into_inner().unwrap();
        let found = Finished { run, events };
        let expected = self.story.fails.map_or("good", |(_, reason)| reason);
        assert_eq!(
            ending(&found),
            expected,
            "{:?}: {:?}",
            self.story,
            found.run.result
        );
        let hops: Vec<Hop> = found.said(Hop::NAME).filter_map(Event::read).collect();
        let stamps = &self.book.pages().stamps;
        tally.compare(self.story, stamps, &hops);
        let sum = found.run.duration.as_secs_f64() - phases::sum(&found);
        let kept = kept_waiting().saturating_sub(before);
        tally.all.sums.push(sum);
        tally.net.sums.push(less(sum, kept));
        if kept < DISTURBED {
            tally.clean.sums.push(sum);
        }
    }
}

/// A bench whose probe asks the resolver once, for IPv4.
fn names_of_ipv4() -> Bench {
    let bench = bench().option("preferred_ip_protocol", "ip4");
    bench.option("ip_protocol_fallback", false)
}

/// Delays its answer, and may have none.
#[derive(Debug)]
struct SlowResolver {
    book: Book,
    fails: bool,
}

#[async_trait]
impl Resolve for SlowResolver {
    async fn addresses(&self, name: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
        self.book.ended("own");
        self.book.delayed("resolve").await;
        if self.fails {
            return Err(ResolveError::NoRecord(name.to_owned()));
        }
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

/// What a run says while it runs.
#[derive(Debug, Default)]
struct Events(Mutex<Vec<Event>>);

impl Sink for Events {
    fn wants_events(&self) -> bool {
        true
    }

    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn finished(&self, _: &Run) {}
}
