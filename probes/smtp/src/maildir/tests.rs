//! Is what arrives seen, whatever else lies there?

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::delivery::{Account, Taken, taken};
use crate::message::Token;

/// A Maildir, what is expected there, and who looks.
struct Trial {
    directory: TempDir,
    account: Account,
    look: Look,
}

impl Trial {
    fn new(deletes: bool) -> Self {
        let directory = TempDir::new().unwrap();
        for name in ["tmp", "new", "cur"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self {
            look: Look::new(directory.path(), deletes),
            account: Account::new(Duration::from_hours(1)),
            directory,
        }
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.directory.path().join("new").join(name.as_ref())
    }

    /// Issues a token that is expected.
    fn token(&self) -> Token {
        let token = Token::fresh().unwrap();
        self.account
            .expect(token, Instant::now())
            .sent(Instant::now());
        token
    }

    /// Delivers a message as a mail server does.
    fn deliver(&self, name: impl AsRef<OsStr>, text: &str) {
        let made = self.directory.path().join("tmp").join(name.as_ref());
        fs::write(&made, text).unwrap();
        fs::rename(made, self.path(name)).unwrap();
    }

    fn look(&mut self) -> Result<(), String> {
        let looked = self.look.again(Instant::now(), SystemTime::now());
        looked.map_err(|why| why.to_string())
    }
}

/// Whether a message was seen before, which counts as seeing it.
fn was_seen(token: Token) -> bool {
    taken(token, Instant::now()) == Taken::Unknown
}

fn message(token: Token) -> String {
    format!("Received: by a\n\tfor b\nX-Probe-Id: {token}\n\nText\n")
}

#[test]
fn messages_are_seen_once_and_deleted_if_somebody_wants_that() {
    for deletes in [false, true] {
        let mut trial = Trial::new(deletes);
        trial.look().unwrap();
        let (token, other) = (trial.token(), trial.token());
        trial.deliver("1.host", &message(token));
        // Names and texts of others mean nothing, even if they are no UTF-8.
        trial.deliver(OsStr::from_bytes(b"\xff\xfe"), &message(other));
        trial.deliver("foreign", "Subject: a\n\nX-Probe-Id: 0\n");
        let old = "X-Probe-Id: 00000000000000000000000000000000deadbeefdeadbeef\n\n";
        trial.deliver("forged", old);
        for _ in 0..2 {
            trial.look().unwrap();
        }
        assert!(was_seen(token) && was_seen(other));
        let left = fs::read_dir(trial.path("")).unwrap().count();
        assert_eq!(left, if deletes { 2 } else { 4 });
        assert!(trial.path("foreign").exists() && trial.path("forged").exists());
    }
}

#[test]
fn time_of_arrival_is_that_of_the_file_and_not_that_of_the_look() {
    let mut trial = Trial::new(false);
    let begin = Instant::now();
    let clock = SystemTime::now();
    trial.look.again(begin, clock).unwrap();
    let token = Token::fresh().unwrap();
    trial.account.expect(token, begin).sent(begin);
    trial.deliver("1", &message(token));
    let arrived = SystemTime::now().duration_since(clock).unwrap();
    // It is looked late, as if an hour had passed.
    let late = Duration::from_mins(50);
    trial.look.again(begin + late, clock + late).unwrap();
    let tally = trial.account.tally(begin + late);
    let took = tally.took.expect("it has arrived");
    // Files have a coarse clock.
    let most = arrived + Duration::from_millis(20);
    assert!(took <= most, "{took:?} of {most:?}");
}

#[test]
fn file_that_grows_is_looked_at_until_its_header_is_whole() {
    let mut trial = Trial::new(true);
    let token = trial.token();
    let mut file = File::create(trial.path("part")).unwrap();
    trial.look().unwrap();
    let text = message(token);
    let (first, second) = text.split_at(40);
    for part in [first, second] {
        trial.look().unwrap();
        assert!(trial.path("part").exists());
        file.write_all(part.as_bytes()).unwrap();
        file.sync_all().unwrap();
    }
    trial.look().unwrap();
    assert!(!trial.path("part").exists() && was_seen(token));
}

#[test]
fn whatever_else_lies_there_does_no_harm() {
    let mut trial = Trial::new(true);
    let token = trial.token();
    // Nobody writes into the first, and nobody could read all of the last.
    mkfifoat(CWD, trial.path("fifo"), Mode::RUSR).unwrap();
    fs::create_dir(trial.path("directory")).unwrap();
    symlink("/dev/zero", trial.path("device")).unwrap();
    let elsewhere = trial.directory.path().join("elsewhere");
    fs::write(&elsewhere, message(token)).unwrap();
    symlink(&elsewhere, trial.path("link")).unwrap();
    symlink("nowhere", trial.path("dangling")).unwrap();
    let huge = File::create(trial.path("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    trial.deliver("header", &format!("{}\n", "a: b\n".repeat(20_000)));
    trial.deliver(".hidden", &message(token));
    let begin = Instant::now();
    for _ in 0..3 {
        trial.look().unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(fs::read_dir(trial.path("")).unwrap().count(), 8);
    assert!(elsewhere.exists());
    assert!(matches!(taken(token, Instant::now()), Taken::InTime(_)));
}

#[test]
fn what_vanishes_while_it_is_looked_for_was_never_there() {
    let mut trial = Trial::new(false);
    let path = trial.path("");
    // Files come and go as fast as they can.
    let (stop, stopped) = channel::<()>();
    let busy = thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            for at in 0..20 {
                fs::write(path.join(at.to_string()), "a: b\n\n").unwrap();
            }
            for at in 0..20 {
                fs::remove_file(path.join(at.to_string())).unwrap();
            }
        }
    });
    for _ in 0..200 {
        trial.look().unwrap();
    }
    drop(stop);
    busy.join().unwrap();
    trial.look().unwrap();
    assert_eq!(fs::read_dir(trial.path("")).unwrap().count(), 0);
}

#[test]
fn mailbox_that_is_not_there_is_told_and_seen_when_it_comes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("mail");
    let watcher = Watcher::of(&path, false).unwrap();
    let wait = |expected: bool| {
        let end = Instant::now() + Duration::from_secs(20);
        while watcher.trouble().is_some() != expected {
            assert!(Instant::now() < end);
            thread::sleep(Duration::from_millis(5));
        }
    };
    wait(true);
    let told = watcher.trouble().unwrap();
    assert!(
        told.starts_with("cannot read the Maildir's directory "),
        "{told}"
    );
    // Whoever asks for the same gets the same.
    assert!(Arc::ptr_eq(&watcher, &Watcher::of(&path, false).unwrap()));
    let account = Account::new(Duration::from_mins(1));
    let token = Token::fresh().unwrap();
    account.expect(token, Instant::now()).sent(Instant::now());
    fs::create_dir_all(path.join("new")).unwrap();
    fs::write(path.join("new/1"), message(token)).unwrap();
    wait(false);
    assert!(was_seen(token));
    let absent = Arc::downgrade(&watcher);
    drop(watcher);
    assert!(absent.upgrade().is_none());
}
