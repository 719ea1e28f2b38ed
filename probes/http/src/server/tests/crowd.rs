//! What becomes of peers that take too long or are too many?

use leadsman_core::options::Period;

use super::*;

pub(super) const SOON: Period = Period(Duration::from_millis(100));

/// Whether the server ends the connection, rather than to leave it open.
fn is_ended(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(why) => why.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn peer_that_sends_no_whole_request_is_given_up() {
    let server = Server::with(|options| options.header_timeout = SOON);
    // Rows 119 and 65.
    for sent in ["", "GET / HTTP/1.1\r\nHost", "\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(sent.as_bytes()).unwrap();
        assert!(is_ended(stream), "{sent:?}");
    }
    // Row 120.
    let stream = server.connect();
    thread::scope(|scope| {
        let mut slow = stream.try_clone().unwrap();
        scope.spawn(move || {
            while slow.write_all(b"\r\n").is_ok() {
                thread::yield_now();
            }
        });
        assert!(is_ended(stream));
    });
}

#[test]
fn peer_that_asks_no_more_is_given_up() {
    // Row 121.
    let server = Server::with(|options| options.idle_timeout = SOON);
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert!(is_ended(stream));
}

#[test]
fn peer_that_takes_nothing_is_given_up() {
    // Row 122. Its seat is the only one.
    let server = Server::with(|options| {
        options.stall_timeout = SOON;
        options.max_connections = NonZeroUsize::MIN;
    });
    let big = fs::File::create(server.root().join("big")).unwrap();
    big.set_len(1 << 30).unwrap();
    let mut stream = server.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    until_let_in(&server);
}

/// Asks until there is a free seat.
fn until_let_in(server: &Server) {
    let begin = tokio::time::Instant::now();
    let answered = || -> bool {
        let answers = server.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        answers.first().is_some_and(|answer| answer.status == "200")
    };
    while !answered() {
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn peer_that_says_the_end_first_still_gets_all() {
    // Row 123.
    let server = Server::start();
    fs::write(server.root().join("big"), vec![b'x'; 3 << 20]).unwrap();
    assert_eq!(server.get("/big").body.len(), 3 << 20);
}

#[test]
fn one_peer_too_many_is_told_so_and_the_others_stay() {
    // Row 125.
    for of_one in [false, true] {
        let server = Server::with(|options| {
            let two = NonZeroUsize::new(2);
            if of_one {
                options.max_connections_per_ip = two;
            } else {
                options.max_connections = two.unwrap();
            }
        });
        let mut seated = [server.connect(), server.connect()];
        let ask = |stream: &mut TcpStream| {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
        };
        seated.iter_mut().for_each(ask);
        let mut refused = Vec::new();
        // What was not asked for needs not be read, so that nothing is reset.
        _ = server.connect().read_to_end(&mut refused);
        assert_eq!(answers(&refused, false)[0].status, "503");
        drop(seated);
        until_let_in(&server);
    }
}

#[test]
fn storm_of_peers_leaves_nothing_behind() {
    // Row 127.
    let server = Server::with(|options| options.max_connections = NonZeroUsize::MIN);
    for _ in 0..1000 {
        drop(server.connect());
    }
    until_let_in(&server);
}

#[test]
fn answer_that_was_begun_is_finished_before_the_end() {
    // Row 128.
    let mut server = Server::start();
    fs::write(server.root().join("big"), vec![b'x'; 32 << 20]).unwrap();
    let mut stream = server.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    server.stopper.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 32 << 20);
    server.end();
    assert!(TcpStream::connect(server.address).is_err());
}
