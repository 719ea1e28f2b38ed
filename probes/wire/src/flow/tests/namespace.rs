//! How does a test get a network of its own?
//!
//! A thread that has left for a new network namespace; the namespace goes when the thread and the
//! sockets opened by it do. Needs `CAP_SYS_ADMIN` and the `ip` command.

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use crate::sys;

/// A network namespace, entered by running something in it.
pub(super) struct Namespace {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    thread_number: i32,
}

impl Namespace {
    /// Makes an empty network, or nothing where that takes more privilege than there is.
    pub(super) fn new() -> Option<Self> {
        let (jobs, queue) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (number, entered) = mpsc::channel();
        thread::spawn(move || {
            number
                .send(sys::enter_new_network().map(|()| sys::thread_number()))
                .unwrap();
            for job in queue {
                job();
            }
        });
        let thread_number = entered.recv().unwrap().ok()?;
        Some(Self {
            jobs,
            thread_number,
        })
    }

    /// Runs `job` inside and returns what it returns.
    pub(super) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (result, done) = mpsc::channel();
        let job = move || result.send(job()).unwrap();
        self.jobs.send(Box::new(job)).unwrap();
        done.recv().expect("the job did not panic")
    }

    /// Runs `ip` inside, once per line of `commands`; `PEER` stands for the other namespace.
    pub(super) fn ip(&self, peer: &Self, commands: &'static str) {
        let peer = peer.thread_number.to_string();
        self.run(move || {
            for line in commands
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
            {
                let arguments = line.replace("PEER", &peer);
                let status = Command::new("ip")
                    .args(arguments.split(' '))
                    .status()
                    .unwrap();
                assert!(status.success(), "ip {arguments}");
            }
        });
    }

    /// Runs `tc` inside.
    pub(super) fn tc(&self, arguments: &'static str) {
        self.run(move || {
            let status = Command::new("tc").args(arguments.split(' ')).status();
            assert!(status.unwrap().success(), "tc {arguments}");
        });
    }

    /// Sets kernel parameters inside, given as lines of path below `/proc/sys/net` and value.
    pub(super) fn sysctl(&self, settings: &'static str) {
        self.run(move || {
            for line in settings
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
            {
                let (name, value) = line.split_once(' ').unwrap();
                std::fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
            }
        });
    }
}
