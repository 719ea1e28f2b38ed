//! Starts Debian's Prometheus with a configuration, asks it, and ends it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::get;

/// A Prometheus that keeps what it scrapes as long as it is there.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

/// Whether it, and promtool, are installed.
pub(crate) fn is_there() -> bool {
    Command::new("promtool").arg("--version").output().is_ok()
}

impl Prometheus {
    /// Starts one that scrapes this address each second.
    pub(crate) fn scraping(target: SocketAddr) -> Self {
        Self::configured(&format!(
            "global: {{ scrape_interval: 1s }}\n\
             scrape_configs:\n- job_name: leadsman\n  static_configs: [{{ targets: ['{target}'] }}]\n"
        ))
    }

    /// Starts one with this configuration, in which promtool finds nothing wrong.
    pub(crate) fn configured(text: &str) -> Self {
        let directory = TempDir::new().expect("there is room");
        let config = directory.path().join("prometheus.yml");
        fs::write(&config, text).expect("it can be written");
        let checked = Command::new("promtool")
            .args(["check", "config"])
            .arg(&config)
            .output()
            .expect("it was just there");
        assert!(checked.status.success(), "{checked:?}");
        // Prometheus cannot be given port 0, so take one that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let address = free.expect("a port is free");
        let log = fs::File::create(directory.path().join("log")).expect("it can be written");
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Debian's package prometheus has both programs");
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("it is our child");
            let log = || fs::read_to_string(directory.path().join("log"));
            assert!(
                ended.is_none() && Instant::now() < end,
                "it does not listen: {:?}",
                log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            child,
            address,
            _directory: directory,
        }
    }

    /// The present value of each series of a metric that one job has, by one of its labels.
    pub(crate) fn values(&self, metric: &str, job: &str, label: &str) -> BTreeMap<String, String> {
        let query = format!("{metric}%7Bjob%3D%22{job}%22%7D");
        let answer = get(self.address, &format!("/api/v1/query?query={query}"));
        // It says in words that it is not ready yet.
        let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let series = answer["data"]["result"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        series
            .map(|series| (text(&series["metric"][label]), text(&series["value"][1])))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
