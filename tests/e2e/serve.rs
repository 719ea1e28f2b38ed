//! Is a directory served to whoever asks for that by hand?

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::ask::ask;
use crate::program::{LEADSMAN, Program, signal};

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(LEADSMAN);
    command.arg("serve").args(arguments);
    command
}

/// A directory that is served until the test ends.
pub(crate) struct Served {
    program: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) directory: TempDir,
}

impl Served {
    /// Starts to serve a directory.
    pub(crate) fn directory(directory: TempDir) -> Self {
        Self::with(directory, &[])
    }

    /// The same, with further options.
    pub(crate) fn with(directory: TempDir, more: &[&str]) -> Self {
        Self::launch(Command::new(LEADSMAN), directory, more)
    }

    /// The same by what `command` leads to, which may be a program that gives something up first.
    pub(crate) fn launch(mut command: Command, directory: TempDir, more: &[&str]) -> Self {
        let path = directory.path().to_str().expect("it has a plain name");
        let mut program = command
            .args(["serve", path, "--listen", "127.0.0.1:0", "--threads", "2"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let mut output = BufReader::new(program.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it says where it is");
        let address = line.trim_end().rsplit(' ').next().unwrap_or_default();
        let address = address.parse().expect("the address comes last");
        Self {
            program,
            output,
            address,
            directory,
        }
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.program.kill();
        _ = self.program.wait();
    }
}

#[test]
fn directory_is_served_until_a_signal() {
    for name in ["INT", "TERM"] {
        let directory = TempDir::new().expect("there is room");
        fs::write(directory.path().join("file.txt"), "content").expect("there is room");
        let mut served = Served::directory(directory);
        let address = served.address;
        let answer = ask(address, "GET", "/file.txt", "");
        assert_eq!((answer.status, answer.body.as_str()), (200, "content"));
        assert_eq!(ask(address, "GET", "/none", "").status, 404);
        signal(served.program.id(), name);
        let ended = served.program.wait().expect("it is our child");
        assert_eq!(ended.code(), Some(0), "SIG{name}");
    }
}

#[test]
fn answers_are_logged_to_the_last_if_somebody_wants_it() {
    let directory = TempDir::new().expect("there is room");
    fs::write(directory.path().join("file.txt"), "content").expect("there is room");
    let mut served = Served::with(directory, &["--access-log", "common"]);
    for path in ["/file.txt", "/none"] {
        ask(served.address, "GET", path, "");
    }
    signal(served.program.id(), "TERM");
    let mut log = String::new();
    let read = served.output.read_to_string(&mut log);
    read.expect("it writes text");
    for expected in [
        "\"GET /file.txt HTTP/1.1\" 200 7\n",
        "\"GET /none HTTP/1.1\" 404 14\n",
    ] {
        assert!(log.contains(expected), "{log}");
    }
    assert!(log.lines().all(|line| line.starts_with("127.0.0.1 - - [")));
}

#[test]
fn what_is_served_beside_the_probes_is_counted_until_it_is_not_wanted_any_more() {
    let directory = TempDir::new().expect("there is room");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port is free");
    let program = Program::configured(&format!(
        "responders:\n- http: {{ listen: '{address}', directory: {:?} }}\n",
        directory.path()
    ));
    assert_eq!(ask(address, "GET", "/none", "").status, 404);
    let series = format!(
        "leadsman_http_server_requests_total\
         {{responder=\"http\",listen=\"{address}\",code=\"404\",method=\"GET\"}}"
    );
    let patience = Duration::from_secs(20);
    program.wait(patience, |metrics| metrics.value(&series) == Some(1.0));
    program.write("responders: []\n");
    program.signal("HUP");
    program.wait(patience, |metrics| {
        !metrics.body.contains("leadsman_http_server")
    });
}

#[test]
fn what_cannot_be_served_is_told() {
    for (arguments, expected) in [
        (
            vec!["/no/such/directory"],
            "cannot open the directory /no/such/directory to serve",
        ),
        (vec!["/", "--listen", "nowhere"], "--listen: "),
        (vec![], "<DIR>"),
    ] {
        let Output { status, stderr, .. } = serve(&arguments).output().expect("it was built");
        let told = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}
