//! Starts a program as a person would, and ends it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::{Answer, get};

/// A program that serves on a port of its own, in a directory of its own.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) directory: TempDir,
}

/// The path of the program under test.
pub(crate) const LEADSMAN: &str = env!("CARGO_BIN_EXE_leadsman");

impl Program {
    /// Starts leadsman with this configuration.
    pub(crate) fn configured(configuration: &str) -> Self {
        Self::start(LEADSMAN.as_ref(), Some(configuration))
    }

    /// Starts `program`; without a configuration its directory is empty.
    pub(crate) fn start(program: &Path, configuration: Option<&str>) -> Self {
        Self::launch(Command::new(program), configuration)
    }

    /// Starts what `command` leads to, which may be a program that gives up privileges first.
    pub(crate) fn launch(command: Command, configuration: Option<&str>) -> Self {
        Self::launch_with(command, &["--listen", "127.0.0.1:0"], configuration)
    }

    /// The same with these flags.
    pub(crate) fn launch_with(
        mut command: Command,
        flags: &[&str],
        configuration: Option<&str>,
    ) -> Self {
        let directory = TempDir::new().expect("there is room for a directory");
        if let Some(text) = configuration {
            fs::write(directory.path().join("leadsman.yml"), text).expect("it can be written");
        }
        let mut child = command
            .arg("run")
            .args(flags)
            .current_dir(directory.path())
            // What it leaves behind when it is killed is gone with the rest.
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let (lines, log) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody listens once the address is known, but the pipe must not fill up.
                _ = lines.send(line);
            }
        });
        let address = loop {
            let line = log
                .recv_timeout(Duration::from_secs(20))
                .expect("it says where it listens");
            if let Some((_, address)) = line.split_once("listening address=") {
                break address.parse().expect("an address");
            }
        };
        Self {
            child,
            address,
            directory,
        }
    }

    /// Replaces the configuration, without telling the program.
    pub(crate) fn write(&self, configuration: &str) {
        fs::write(self.configuration(), configuration).expect("it can be written");
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.path().join("leadsman.yml")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.address, path)
    }

    /// Looks at `/metrics` until `enough` says so, and fails after `patience`.
    pub(crate) fn wait(&self, patience: Duration, enough: impl Fn(&Answer) -> bool) -> Answer {
        let end = Instant::now() + patience;
        loop {
            let metrics = self.get("/metrics");
            if enough(&metrics) {
                return metrics;
            }
            assert!(
                Instant::now() < end,
                "not within {patience:?}:\n{}",
                metrics.body
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.process(), name);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self, patience: Duration) -> ExitStatus {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < end, "still there after {patience:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has written on standard output, once it has ended.
    pub(crate) fn output(&mut self) -> String {
        let mut output = String::new();
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        stdout.read_to_string(&mut output).expect("it writes text");
        output
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; a child that was waited for cannot be killed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Sends a signal by its name to a process that the test has started.
pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
}

/// Whether a test may go on without `thing`: says loudly that it is left out, or fails where that
/// must not be.
pub(crate) fn skipped(test: &str, thing: &str) {
    assert!(
        std::env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_none(),
        "{test} needs {thing}, which is not here"
    );
    // Not `eprintln!`, which the test harness keeps to itself where a test passes.
    writeln!(
        io::stderr(),
        "SKIPPED: {test} needs {thing}, which is not here"
    )
    .expect("it is open");
}
