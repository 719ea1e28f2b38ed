//! How does a test get a network of its own, with the kernel's own routers?
//!
//! A namespace here has no name that another process could stumble over and no mount: it is a
//! descriptor of this process and goes with it, however that ends. Commands and sockets get into it
//! by being made in it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::Ipv6Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::panic::resume_unwind;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{process, thread};

use leadsman_wire::laboratory;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace, with its loopback interface up.
///
/// Needs `CAP_SYS_ADMIN`; in a shell of `unshare -Urn` everybody has it.
#[derive(Debug)]
pub struct Namespace {
    handle: File,
    filters: AtomicU32,
}

impl Namespace {
    /// Makes a namespace.
    pub fn new() -> Result<Self, NamespaceError> {
        let made = thread::spawn(|| {
            laboratory::enter_new_network()?;
            File::open("/proc/thread-self/ns/net")
        });
        let made = made.join().unwrap_or_else(|panic| resume_unwind(panic));
        let namespace = Self {
            handle: made.map_err(|source| NamespaceError::New { source })?,
            filters: AtomicU32::new(0),
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Runs something inside, on a thread of its own, and returns what it returns. Sockets opened
    /// and threads started there stay there.
    ///
    /// # Panics
    ///
    /// If `job` panics.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("whoever made the namespace may enter it");
            job()
        };
        let ended = thread::scope(|scope| scope.spawn(inside).join());
        ended.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Starts a program inside.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        self.run(|| command.spawn())
    }

    /// Runs a program inside to its end with `input`, and returns what it wrote.
    pub fn output(&self, command: &mut Command, input: &str) -> Result<String, NamespaceError> {
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = command.get_program().display().to_string();
        let mut run = || {
            let mut child = self.spawn(command)?;
            if let Some(mut stdin) = child.stdin.take() {
                // Whoever does not read its input tells why on the way out.
                stdin.write_all(input.as_bytes()).ok();
            }
            child.wait_with_output()
        };
        let output = run().map_err(|source| NamespaceError::Start {
            program: program.clone(),
            source,
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(NamespaceError::Failed {
                program,
                input: input.to_owned(),
                told: text(&output.stderr),
            })
        }
    }

    /// Runs the lines of a batch of `ip(8)` inside.
    pub fn ip(&self, batch: &str) -> Result<(), NamespaceError> {
        self.output(Command::new("ip").args(["-batch", "-"]), batch)?;
        Ok(())
    }

    /// Waits until an interface carries packets. One whose peer came up after it drops what it is
    /// given until a worker of the kernel has noticed.
    pub fn await_link(&self, name: &str) -> Result<(), NamespaceError> {
        self.await_told(&["-o", "link", "show", "dev", name], "state UP")
    }

    /// Waits until packets to an own IPv6 address are taken in: that, too, is a worker's.
    pub fn await_address(&self, address: Ipv6Addr) -> Result<(), NamespaceError> {
        let address = address.to_string();
        let show = ["-6", "route", "show", "table", "local", &address];
        self.await_told(&show, &address)
    }

    /// Runs `ip(8)` until it tells what is wanted.
    fn await_told(&self, arguments: &[&str], wanted: &str) -> Result<(), NamespaceError> {
        for _ in 0..1_000 {
            let told = self.output(Command::new("ip").args(arguments), "")?;
            if told.contains(wanted) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(NamespaceError::NotReady {
            asked: arguments.join(" "),
            wanted: wanted.to_owned(),
        })
    }

    /// Sets kernel parameters inside, by their path below `/proc/sys/net`.
    pub fn set(&self, parameters: &[(&str, &str)]) -> Result<(), NamespaceError> {
        let set = |(path, value): &(&str, &str)| {
            let written = fs::write(format!("/proc/sys/net/{path}"), value);
            written.map_err(|source| NamespaceError::Parameter {
                path: (*path).to_owned(),
                source,
            })
        };
        self.run(|| parameters.iter().try_for_each(set))
    }

    /// Drops the packets that match `what`, in the words of `nft(8)`, at one of the hooks
    /// `prerouting`, `input`, `forward`, `output` and `postrouting`; and counts them.
    pub fn drop_at(&self, hook: &str, what: &str) -> Result<Counter<'_>, NamespaceError> {
        let name = format!("dropped{}", self.filters.fetch_add(1, Ordering::Relaxed));
        self.filter(&format!(
            "table inet lab {{
                counter {name} {{ }}
                chain {name} {{
                    type filter hook {hook} priority 0
                    {what} counter name {name} drop
                }}
            }}"
        ))?;
        Ok(Counter {
            namespace: self,
            name,
        })
    }

    /// Loads a rule set of `nft(8)`.
    pub fn filter(&self, rules: &str) -> Result<(), NamespaceError> {
        self.output(Command::new("nft").args(["-f", "-"]), rules)?;
        Ok(())
    }

    /// The path by which `ip(8)` finds this namespace for as long as it is there: `link add …
    /// netns PATH`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.handle.as_raw_fd())
    }
}

/// A count that the kernel keeps.
#[derive(Debug)]
pub struct Counter<'a> {
    namespace: &'a Namespace,
    name: String,
}

impl Counter<'_> {
    /// How many packets it has counted.
    ///
    /// # Panics
    ///
    /// If `nft` says something else.
    pub fn packets(&self) -> Result<u64, NamespaceError> {
        let mut list = Command::new("nft");
        list.args(["list", "counter", "inet", "lab", &self.name]);
        let told = self.namespace.output(&mut list, "")?;
        let mut words = told
            .split_whitespace()
            .skip_while(|word| *word != "packets");
        let count = words.nth(1).and_then(|word| word.parse().ok());
        Ok(count.expect("nft tells how many packets"))
    }
}

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The kernel makes no namespace for us.
    #[error("cannot make a network namespace: run as root, or in `unshare -Urn`")]
    New {
        /// What the kernel said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program}: is it installed?")]
    Start {
        /// Which.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A program did not do what it was told.
    #[error("{program} failed on {input:?}: {told}")]
    Failed {
        /// Which.
        program: String,
        /// What it was told.
        input: String,
        /// What it said.
        told: String,
    },
    /// The kernel does not get ready.
    #[error("after five seconds `ip {asked}` still does not tell {wanted:?}")]
    NotReady {
        /// What was asked.
        asked: String,
        /// What should have been told.
        wanted: String,
    },
    /// A kernel parameter could not be set.
    #[error("cannot set the kernel parameter {path}")]
    Parameter {
        /// Its path below `/proc/sys/net`.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The TUN device could not be made.
    #[error("cannot make a TUN device: is /dev/net/tun there?")]
    Tun {
        /// What the kernel said.
        source: io::Error,
    },
}

impl NamespaceError {
    /// Whether this host lacks a privilege or a program; everything else is a mistake.
    pub fn is_lack(&self) -> bool {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match self {
            Self::New { .. } => true,
            Self::Start { source, .. } | Self::Tun { source } => {
                matches!(source.kind(), NotFound | PermissionDenied)
            }
            Self::Failed { .. } | Self::NotReady { .. } | Self::Parameter { .. } => false,
        }
    }
}

/// Returns what was made, or `None` with a line on standard error where this host lacks what it
/// takes: for tests that must be left out there.
///
/// # Panics
///
/// If something else went wrong, or if `LEADSMAN_TEST_MUST_NOT_SKIP` is set.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn or_skip<T>(made: Result<T, NamespaceError>) -> Option<T> {
    match made {
        Ok(made) => Some(made),
        Err(error) => {
            let must_not = std::env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_some();
            assert!(error.is_lack() && !must_not, "{error}: {error:?}");
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests;
