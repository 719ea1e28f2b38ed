//! Does the daemon keep going, and does it end, whatever a reload comes upon?

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use async_trait::async_trait;
use leadsman_core::schemars::{self, JsonSchema};
use leadsman_core::{Responder, ResponderOptions, ResponderPlugin};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use super::*;

/// How long something may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a reload that hangs waits for.
static RELEASE: std::sync::Mutex<Option<Receiver<()>>> = std::sync::Mutex::new(None);
static HANGS: Notify = Notify::const_new();
/// Held by whoever waits for signals, for they reach the whole process.
static SIGNALS: Mutex<()> = Mutex::const_new(());

static BUOY: ResponderPlugin = ResponderPlugin::new::<Buoy>("buoy", "Is hard to read");

#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Buoy;

impl<'de> Deserialize<'de> for Buoy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert_eq!(String::deserialize(deserializer)?, "hangs", "it sank");
        let release = RELEASE.lock().unwrap().take().unwrap();
        HANGS.notify_one();
        _ = release.recv();
        Ok(Self)
    }
}

#[async_trait]
impl ResponderOptions for Buoy {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        Err("a buoy does not float in a test".into())
    }
}

/// A host without probes that will read `file` when it reloads, its driver, and what stops both.
async fn host(file: &Path) -> (Arc<Host>, JoinHandle<()>, Stopper) {
    let own = Own::new("1.2.3");
    let services = Arc::new(Services {
        resolver: Arc::new(Resolver::system()),
        own: own.clone(),
        history: History::new(1),
        follow_ups: FollowUps::new().0,
        log_prober: None,
    });
    let (stopper, stop) = Stopper::new();
    let (driver, helm) = Driver::new(Arc::clone(&services), 0);
    let driver = tokio::spawn(driver.run(stop.clone()));
    let host = Host::start(
        Registry::of(
            Registry::linked().unwrap().probes().iter().copied(),
            [&BUOY],
        )
        .unwrap(),
        Source::choose(Some(file.to_owned()), &Registry::linked().unwrap()).unwrap(),
        Config::default(),
        Store::new([], own).unwrap(),
        services,
        helm,
        stop,
    );
    (host.await.unwrap(), driver, stopper)
}

fn signal_myself(name: &str) {
    let me = std::process::id().to_string();
    let sent = Command::new("kill").args(["-s", name, &me]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn a_reload_that_hangs_keeps_nobody_from_the_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "responders: [buoy: hangs]").unwrap();
    let (release, released) = channel();
    *RELEASE.lock().unwrap() = Some(released);
    let _mine = SIGNALS.lock().await;
    let mut signals = Signals::catch().unwrap();
    let (host, mut driver, stopper) = host(file.path()).await;
    let ending = async {
        let hang_then_end = async {
            signal_myself("HUP");
            HANGS.notified().await;
            signal_myself("TERM");
        };
        let (asked, ()) = tokio::join!(signals.until_the_end(&host, &mut driver), hang_then_end);
        asked.unwrap();
        // Another one waits for its turn, as POST does.
        let waiting = Arc::clone(&host);
        let waiting = tokio::spawn(async move { waiting.reload().await });
        stopper.stop();
        assert!(matches!(waiting.await, Ok(Err(ReloadError::Stopping))));
        host.close().await;
    };
    let ended = timeout(PATIENCE, ending).await;
    // The runtime of a test waits for its threads.
    drop(release);
    ended.expect("the end does not wait for the reload");
}

#[tokio::test]
async fn a_plugin_that_panics_ends_only_the_reload() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "responders: [buoy: sinks]").unwrap();
    let (host, _driver, _stopper) = host(file.path()).await;
    let why = host.reload().await.unwrap_err().to_string();
    assert!(why.contains("panic") && why.contains("it sank"), "{why}");
    std::fs::write(&file, "web: { history: 7 }").unwrap();
    host.reload().await.unwrap();
    assert_eq!(host.config.load().web.history, 7);
}

#[tokio::test]
async fn the_end_of_the_driver_is_noticed() {
    let (host, mut driver, _stopper) = host(Path::new("no-such-file.yml")).await;
    let _mine = SIGNALS.lock().await;
    let mut signals = Signals::catch().unwrap();
    driver.abort();
    let ending = signals.until_the_end(&host, &mut driver);
    let ended = timeout(PATIENCE, ending).await;
    ended.expect("it is noticed").unwrap_err();
}
