//! What is left of peers that mean no good? Nothing, by the descriptors and the memory of a server's
//! process, and hardly a line in its log.
//!
//! The numbers are those of the list of bad inputs, see the tests of the server itself. Where a test
//! has to last for seconds, the list's full count is asked for by `LEADSMAN_TEST_FULL`.

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};
use socket2::SockRef;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::ask;
use crate::program::LEADSMAN;
use crate::serve::Served;

/// In which way a peer means no good.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// Goes as soon as it has come.
    Passes,
    /// Asks, takes the answer, and says no more.
    FallsSilent,
    /// Sends the head of its request byte by byte, without end.
    WritesSlowly,
    /// Asks for more than there is room for on the way, and takes it byte by byte.
    ReadsSlowly,
    /// The same, but resets the connection.
    Resets,
}

#[test]
fn storm_of_ten_thousand_peers_leaves_nothing_behind() {
    // Row 127, and 119 to 122 by thousands at once.
    use Peer::{FallsSilent, Passes, ReadsSlowly, Resets, WritesSlowly};
    const PEERS: usize = 10_000;
    let kinds = [Passes, FallsSilent, WritesSlowly, ReadsSlowly, Resets];
    // A peer that reads slowly takes two descriptors of the server.
    let at_once = (room_for_descriptors() / 2 - 200).min(2000);
    let soon = "--header-timeout=1s --idle-timeout=1s --stall-timeout=1s";
    let served = Served::with(furnished(), &soon.split(' ').collect::<Vec<_>>());
    let before = Holding::of(&served);
    let mut came = 0;
    while came < PEERS {
        let wave = came..PEERS.min(came + at_once);
        came = wave.end;
        let mut peers: Vec<_> = wave
            .filter_map(|n| kinds[n % kinds.len()].come(served.address))
            .collect();
        // Nobody goes but whom the server sends.
        before.await_descriptors(&served, || {
            for (kind, stream) in &mut peers {
                kind.go_on(stream);
            }
        });
    }
    before.compare(&served, "10,000 peers");
    assert_eq!(ask(served.address, "GET", "/small", "").body, "content");
}

#[test]
fn asking_for_what_is_not_there_takes_no_memory() {
    // Row 46.
    const BATCH: usize = 100;
    let served = Served::directory(furnished());
    let before = Holding::of(&served);
    let request = |n: usize| format!("GET /none/{n:09} HTTP/1.1\r\nHost: a\r\n\r\n");
    let ask_all = |mut stream: &TcpStream, first: usize, count: usize| {
        let requests: String = (first..first + count).map(request).collect();
        stream.write_all(requests.as_bytes()).expect("it reads");
    };
    // All answers are as long as the first.
    let mut only = connect(served.address);
    ask_all(&only, 0, 1);
    only.shutdown(Shutdown::Write).expect("it is open");
    let mut answer = Vec::new();
    only.read_to_end(&mut answer).expect("it answers");
    let mut answers = vec![0; BATCH * answer.len()];
    let mut stream = connect(served.address);
    for batch in 0..times(50_000, 1_000_000) / BATCH {
        ask_all(&stream, batch * BATCH, BATCH);
        stream.read_exact(&mut answers).expect("it answers");
        let statuses = answers.windows(13).filter(|w| w == b"HTTP/1.1 404 ");
        assert_eq!(statuses.count(), BATCH);
    }
    before.compare(&served, "paths that are not there");
}

#[test]
fn head_of_half_a_megabyte_takes_no_memory_for_long() {
    // Row 89.
    let served = Served::directory(furnished());
    let before = Holding::of(&served);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(500_000)
    );
    for _ in 0..200 {
        let mut stream = connect(served.address);
        // It is refused before it has all.
        _ = stream.write_all(head.as_bytes());
        let mut answer = [0; 13];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(&answer, b"HTTP/1.1 431 ");
    }
    before.await_descriptors(&served, || {});
    before.compare(&served, "heads of half a megabyte");
}

#[test]
fn file_that_may_not_be_read_is_not_there() {
    // Row 27: 403 would tell that there is one.
    let directory = furnished();
    let secret = directory.path().join("secret");
    fs::write(&secret, "secret").expect("there is room");
    fs::set_permissions(&secret, Permissions::from_mode(0o0)).expect("it is ours");
    let mut command = Command::new(LEADSMAN);
    if getuid().is_root() {
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("it is ours");
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", LEADSMAN]);
    }
    let served = Served::launch(command, directory, &[]);
    for (path, status) in [("/secret", 404), ("/none", 404), ("/small", 200)] {
        let answer = ask(served.address, "GET", path, "");
        assert_eq!(answer.status, status, "{path}");
    }
}

#[test]
fn peer_that_resets_its_connection_is_not_worth_a_line() {
    // Row 124.
    let directory = furnished();
    let log = directory.path().join("log");
    let mut command = Command::new(LEADSMAN);
    command.stderr(File::create(&log).expect("there is room"));
    let served = Served::launch(command, directory, &[]);
    let before = Holding::of(&served);
    for _ in 0..500 {
        Peer::Resets.come(served.address);
    }
    before.await_descriptors(&served, || {});
    assert_eq!(fs::read_to_string(log).expect("it is there"), "");
}

#[test]
fn server_without_descriptors_waits_for_some() {
    // Row 126: both its threads try again after a tenth of a second, and not at once.
    const PAUSE: Duration = Duration::from_millis(100);
    let directory = furnished();
    let log = directory.path().join("log");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\"", LEADSMAN])
        .stderr(File::create(&log).expect("there is room"));
    let served = Served::launch(command, directory, &[]);
    let before = Holding::of(&served);
    let begin = Instant::now();
    let peers: Vec<_> = (0..100).map(|_| connect(served.address)).collect();
    let complaints = || {
        let log = fs::read_to_string(&log).expect("it is there");
        let lines = log.lines();
        lines
            .filter(|line| line.contains("cannot accept a connection"))
            .count() as u32
    };
    let mut told = 0;
    while told < 20 {
        assert!(begin.elapsed() < PATIENCE, "{told} complaints");
        thread::yield_now();
        told = complaints();
        let most = 2 * (1 + (begin.elapsed().as_millis() / PAUSE.as_millis()) as u32);
        assert!(told <= most, "{told} within {:?}", begin.elapsed());
    }
    drop(peers);
    before.await_descriptors(&served, || {});
    assert_eq!(ask(served.address, "GET", "/small", "").body, "content");
}

impl Peer {
    /// Comes to the server, and returns the connection if it stays.
    fn come(self, address: SocketAddr) -> Option<(Self, TcpStream)> {
        let mut stream = connect(address);
        let sent = match self {
            Self::Passes => return None,
            Self::FallsSilent => "GET /small HTTP/1.1\r\nHost: a\r\n\r\n",
            Self::WritesSlowly => "GET /small HTTP/1.1\r\nX: ",
            Self::ReadsSlowly | Self::Resets => "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
        };
        stream.write_all(sent.as_bytes()).expect("it reads");
        if !matches!(self, Self::WritesSlowly) {
            stream.read_exact(&mut [0; 1]).expect("it answers");
        }
        if matches!(self, Self::Resets) {
            // What is closed with this is reset (socket(7)).
            let reset = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            reset.expect("it is open");
            return None;
        }
        stream.set_nonblocking(true).expect("it is open");
        Some((self, stream))
    }

    /// Does a little of what it does slowly.
    fn go_on(self, stream: &mut TcpStream) {
        // The server may have had enough by now.
        match self {
            Self::WritesSlowly => _ = stream.write(b"x"),
            Self::ReadsSlowly => _ = stream.read(&mut [0; 1]),
            _ => {}
        }
    }
}

/// What a process has of the system.
struct Holding {
    descriptors: usize,
    /// Memory that is no file's.
    kib: u64,
}

impl Holding {
    /// What a server has when it has answered and nobody is there.
    fn of(served: &Served) -> Self {
        for path in ["/small", "/big"] {
            assert_eq!(ask(served.address, "GET", path, "").status, 200);
        }
        let begin = Instant::now();
        while in_flight(served) > 0 {
            assert!(begin.elapsed() < PATIENCE);
            thread::yield_now();
        }
        Self {
            descriptors: descriptors(served),
            kib: memory(served),
        }
    }

    /// Waits until there are as many descriptors again.
    fn await_descriptors(&self, served: &Served, mut meanwhile: impl FnMut()) {
        let begin = Instant::now();
        loop {
            meanwhile();
            let now = descriptors(served);
            if now == self.descriptors {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{now} descriptors, {} before",
                self.descriptors
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Compares what there is now.
    fn compare(&self, served: &Served, after: &str) {
        let now = memory(served);
        assert!(
            now <= self.kib + MARGIN,
            "{} KiB, after {after} {now} KiB",
            self.kib
        );
    }
}

/// How many connections a server has that are its peers'.
fn in_flight(served: &Served) -> usize {
    let port = format!(":{:04X} ", served.address.port());
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", served.process()));
    let table = table.expect("it is our child");
    // Established, or closed by the peer alone.
    let local = |line: &&str| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields
            .nth(1)
            .is_some_and(|local| format!("{local} ").ends_with(&port));
        local && matches!(fields.nth(1), Some("01" | "08"))
    };
    table.lines().filter(local).count()
}

fn descriptors(served: &Served) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", served.process()));
    open.expect("it is our child").count()
}

fn memory(served: &Served) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", served.process()));
    let status = status.expect("it is our child");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.expect("proc(5)").parse().expect("a number")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

/// A directory with something to ask for.
fn furnished() -> TempDir {
    let directory = TempDir::new().expect("there is room");
    fs::write(directory.path().join("small"), "content").expect("there is room");
    let big = File::create(directory.path().join("big")).expect("there is room");
    big.set_len(4 << 20).expect("it is sparse");
    directory
}

/// As many descriptors as this process and those that it starts may have.
fn room_for_descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).expect("up to the maximum is allowed");
    maximum.map_or(usize::MAX, |most| most as usize)
}

/// How often something is done.
fn times(mostly: usize, in_full: usize) -> usize {
    if std::env::var_os("LEADSMAN_TEST_FULL").is_some() {
        in_full
    } else {
        mostly
    }
}

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_mins(1);
/// KiB by which a process may have grown.
const MARGIN: u64 = 4 << 10;
