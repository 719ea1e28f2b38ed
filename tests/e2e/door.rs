//! Who is let in, and how are they spoken with?

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::program::{LEADSMAN, Program, skipped};

const CONFIG: &str = "modules: { ping: { prober: icmp } }\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory with a web configuration, and the certificate that it names.
struct Web(TempDir);

impl Web {
    fn new(password: &str) -> Self {
        let web = Self(TempDir::new().expect("there is room"));
        web.certify();
        let hash = bcrypt::hash(password, 4).expect("it can be hashed");
        let text = format!(
            "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n\
             basic_auth_users:\n  alice: {hash}\n"
        );
        web.put("web.yml", &text);
        web
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("new"), content).expect("there is room");
        fs::rename(self.path("new"), self.path(name)).expect("it is the same directory");
    }

    /// Renews the certificate.
    fn certify(&self) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let own = own.expect("it is a name");
        self.put("server.key", &own.signing_key.serialize_pem());
        self.put("server.crt", &own.cert.pem());
    }

    /// Asks with curl; says which version of HTTP was spoken, and the status: `2 200`.
    fn curl(&self, program: &Program, flags: &[&str]) -> String {
        let asked = Command::new("curl")
            .args(["--silent", "--show-error", "--output", "/dev/null"])
            .args([
                "--max-time",
                "10",
                "--write-out",
                "%{http_version} %{http_code}",
            ])
            .args(["--cacert", &self.path("server.crt")])
            .args(flags)
            .arg(format!("https://{}/-/healthy", program.address))
            .output()
            .expect("curl is there");
        String::from_utf8_lossy(&asked.stdout).into_owned()
    }

    /// Asks again and again until this is the answer.
    fn soon(&self, program: &Program, flags: &[&str], expected: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.curl(program, flags);
            if said == expected {
                return;
            }
            assert!(Instant::now() < end, "{flags:?}: {said}, not {expected}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn curl_comes_in_with_a_password_over_http_2_and_follows_renewals() {
    if !is_there("curl") {
        return skipped("the door", "curl");
    }
    let web = Web::new("sesame");
    let file = web.path("web.yml");
    let flags = ["--listen", "127.0.0.1:0", "--web.config.file", &file];
    let program = Program::launch_with(Command::new(LEADSMAN), &flags, Some(CONFIG));
    let known = ["--user", "alice:sesame"];
    assert_eq!(web.curl(&program, &known), "2 200");
    assert_eq!(
        web.curl(&program, &["--http1.1", "--user", "alice:sesame"]),
        "1.1 200"
    );
    assert_eq!(web.curl(&program, &[]), "2 401");
    assert_eq!(web.curl(&program, &["--user", "alice:open"]), "2 401");
    // curl trusts the new certificate alone, so it has to be shown.
    web.certify();
    web.soon(&program, &known, "2 200");
    let text = fs::read_to_string(web.path("web.yml")).expect("it is there");
    web.put(
        "web.yml",
        &format!("{text}http_server_config:\n  http2: false\n"),
    );
    web.soon(&program, &known, "1.1 200");
    let hash = bcrypt::hash("other", 4).expect("it can be hashed");
    let other = format!("  alice: {hash}");
    let text = text
        .lines()
        .map(|line| if line.contains("alice") { &other } else { line });
    web.put("web.yml", &text.collect::<Vec<_>>().join("\n"));
    web.soon(&program, &known, "2 401");
    assert_eq!(web.curl(&program, &["--user", "alice:other"]), "2 200");
}

#[test]
fn prometheus_takes_the_same_file() {
    if !is_there("promtool") {
        return skipped("the web configuration", "promtool");
    }
    let web = Web::new("sesame");
    let checked = Command::new("promtool")
        .args(["check", "web-config", &web.path("web.yml")])
        .output()
        .expect("promtool is there");
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_door_that_cannot_be_shut_as_wanted_is_not_opened() {
    let web = Web::new("sesame");
    web.put("server.key", "nonsense");
    let started = Command::new(LEADSMAN)
        .args([
            "--listen=127.0.0.1:0",
            "--web.config.file",
            &web.path("web.yml"),
        ])
        .current_dir(web.0.path())
        .output()
        .expect("the program was built");
    assert_eq!(started.status.code(), Some(1));
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(
        said.contains("web.yml: tls_server_config: there is no private key"),
        "{said}"
    );
}

#[test]
fn a_changed_file_is_read_without_being_told_to() {
    let flags = ["--listen", "127.0.0.1:0", "--config.enable-auto-reload"];
    let flags = [&flags[..], &["--config.auto-reload-interval=100ms"]].concat();
    let program = Program::launch_with(Command::new(LEADSMAN), &flags, Some(CONFIG));
    let good = "leadsman_config_last_reload_successful";
    program.write("modules: { ping: { prober: icmp, icmp: { ttl: 256 } } }\n");
    program.wait(PATIENCE, |metrics| metrics.value(good) == Some(0.0));
    program.write("modules: { pong: { prober: icmp } }\n");
    program.wait(PATIENCE, |metrics| metrics.value(good) == Some(1.0));
    assert!(program.get("/config").body.contains("pong:"));
}

#[test]
fn systemd_may_have_opened_the_socket() {
    if !is_there("python3") {
        return skipped("socket activation", "python3");
    }
    // Does what systemd does: the socket is descriptor 3, and the environment says so.
    let activate = "import os, socket, sys
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
";
    let mut command = Command::new("python3");
    command.args(["-c", activate, LEADSMAN]);
    let program = Program::launch_with(command, &["--web.systemd-socket"], Some(CONFIG));
    assert_eq!(program.get("/-/healthy").status, 200);
    let alone = Command::new(LEADSMAN)
        .arg("--web.systemd-socket")
        .current_dir(program.directory.path())
        .output()
        .expect("the program was built");
    let said = String::from_utf8_lossy(&alone.stderr);
    assert!(said.contains("systemd has passed on no socket"), "{said}");
}
