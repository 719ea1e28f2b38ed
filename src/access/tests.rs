//! Is in force what the files say now, and never less than they said before?

use std::fs;

use tempfile::TempDir;

use super::*;

/// A directory with the file, and what it names.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(TempDir::new().unwrap());
        stage.certify();
        stage
    }

    fn put(&self, name: &str, content: &str) {
        let beside = self.0.path().join("new");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.0.path().join(name)).unwrap();
    }

    /// Makes a new certificate with its key.
    fn certify(&self) {
        let own = rcgen::generate_simple_self_signed(["door.test".to_owned()]).unwrap();
        self.put("key", &own.signing_key.serialize_pem());
        self.put("cert", &own.cert.pem());
    }

    fn open(&self) -> Result<Access, AccessError> {
        Access::open(Some(self.0.path().join("web.yml")))
    }
}

const TLS: &str = "tls_server_config: { cert_file: cert, key_file: key }\n";
const ALICE: &str =
    "basic_auth_users:\n  alice: $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze\n";

#[test]
fn a_change_is_in_force_once_it_makes_sense() {
    let stage = Stage::new();
    stage.put("web.yml", &format!("{TLS}{ALICE}"));
    let access = stage.open().unwrap();
    let look = |expected: Result<bool, &str>, users: usize| {
        let looked = access.look().map_err(|why| why.to_string());
        match (&looked, expected) {
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            _ => assert_eq!(looked.as_ref().ok(), expected.ok().as_ref(), "{looked:?}"),
        }
        let rules = access.rules();
        assert_eq!((rules.users.len(), rules.tls.is_some()), (users, true));
    };
    look(Ok(false), 1);
    stage.certify();
    look(Ok(true), 1);
    stage.put("key", "nonsense");
    look(Err("no private key"), 1);
    stage.certify();
    look(Ok(true), 1);
    stage.put("web.yml", "basic_auth_user: {}\n");
    look(Err("did you mean"), 1);
    stage.put("web.yml", &format!("{TLS}rate_limit: {{ interval: 1s }}\n"));
    look(Ok(true), 0);
    assert_eq!(access.rules().rate, Some((Duration::from_secs(1), 1)));
    // A door that was shut is not opened by a mistake.
    stage.put("web.yml", ALICE);
    look(Err("changes only with a restart"), 0);
    stage.put("web.yml", "");
    look(Err("changes only with a restart"), 0);
    fs::remove_file(stage.0.path().join("web.yml")).unwrap();
    look(Err("cannot read "), 0);
    stage.put("web.yml", &format!("{TLS}{ALICE}"));
    look(Ok(true), 1);
}

#[test]
fn what_cannot_be_put_in_force_is_told_at_the_start() {
    let stage = Stage::new();
    for (text, expected) in [
        (None, "cannot read "),
        (Some("tls: {}"), "unknown key"),
        (
            Some("tls_server_config: { cert_file: none, key_file: key }"),
            "tls_server_config: cannot read ",
        ),
        (
            Some("tls_server_config: { cert_file: cert }"),
            "tls_server_config: `key` or `key_file` is missing",
        ),
    ] {
        if let Some(text) = text {
            stage.put("web.yml", text);
        }
        let why = stage.open().unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
    assert!(Access::open(None).unwrap().rules().tls.is_none());
}
