//! Starts servers that others have written, on ports of their own and in directories of their own.
//!
//! Each ends with the value that stands for it, and with the test's thread where that does not come to
//! drop it. What needs a privilege or a package that is not here is `None`, and has been told.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::program::{signal, skipped};

/// A server that runs.
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Where its files lie.
    pub(super) directory: TempDir,
}

/// Postfix with its two ports.
pub(super) struct Postfix {
    pub(super) server: Server,
    /// Where TLS comes before everything else.
    pub(super) implicit: SocketAddr,
}

impl Server {
    /// A file in its directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts what `command` leads to and waits until it listens.
    fn start(command: &Command, address: SocketAddr, directory: TempDir) -> Self {
        // Dies with us, and is asked to end in the way of its kind.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "TERM", "--"]);
        bound.arg(command.get_program()).args(command.get_args());
        let log = || fs::File::create(directory.path().join("log")).expect("there is room");
        let child = bound
            .current_dir(directory.path())
            // So that its own children are asked as well.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log())
            .spawn()
            .expect("setpriv is there");
        let mut server = Self {
            child,
            address,
            directory,
        };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "{command:?} does not listen: {}",
                server.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What it complains of.
    fn log(&self) -> String {
        let read = |name| fs::read(self.path(name)).unwrap_or_default();
        let log = [read("log"), read("postfix.log")].concat();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.child.id(), "TERM");
        }
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// An address of this host, with a port on which nobody listens there or elsewhere.
pub(super) fn free(host: impl Into<IpAddr>) -> SocketAddr {
    let host = host.into();
    loop {
        let listener = TcpListener::bind((host, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        // A name server needs it twice, and those on other addresses want the same.
        let all = (Ipv4Addr::UNSPECIFIED, address.port());
        drop(listener);
        if TcpListener::bind(all).is_ok() && UdpSocket::bind(all).is_ok() {
            return address;
        }
    }
}

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Postfix's own sink, with these options, at an address.
pub(super) fn smtp_sink(test: &str, address: SocketAddr, options: &[&str]) -> Option<Server> {
    let program = program("smtp-sink", test, "Debian's package postfix")?;
    let mut command = Command::new("setpriv");
    if is_root() {
        // It refuses to be root; and with another user, it would outlive us if we did not say it again.
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command.args(["-h", "sink.test"]).args(options);
    command.args([address.to_string(), "128".to_owned()]);
    Some(Server::start(&command, address, directory()))
}

/// Postfix, which delivers mail for `probe@example.test` to the Maildir `mail/probe` and takes
/// no other; its certificate for `mx.test` lies in `cert.pem`.
pub(super) fn postfix(test: &str) -> Option<Postfix> {
    started(test, "virtual")
}

/// Postfix, which passes mail for `probe@example.test` on by LMTP to whoever listens there.
pub(super) fn postfix_relaying(test: &str, to: SocketAddr) -> Option<Postfix> {
    let (host, port) = (to.ip(), to.port());
    started(test, &format!("lmtp:inet:{host}:{port}"))
}

fn started(test: &str, transport: &str) -> Option<Postfix> {
    let check = program("postfix", test, "Debian's package postfix")?;
    let openssl = program("openssl", test, "openssl")?;
    if !is_root() {
        skipped(test, "the right to start postfix");
        return None;
    }
    let directory = directory();
    let path = directory.path();
    for name in ["conf", "queue", "data", "mail"] {
        fs::create_dir(path.join(name)).expect("there is room");
    }
    run(Command::new("chown")
        .args(["postfix", "data"])
        .current_dir(path));
    run(Command::new("chown")
        .args(["nobody:", "mail"])
        .current_dir(path));
    run(certificate(&openssl).current_dir(path));
    let (address, implicit) = (free(LOCALHOST), free(LOCALHOST));
    let fill = |text: &str| text.replace("@DIR@", path.to_str().expect("it has a plain name"));
    let services = format!(
        "{address} inet n - n - - smtpd\n\
         {implicit} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n{SERVICES}"
    );
    let main = fill(MAIN) + "virtual_transport = " + transport + "\n";
    fs::write(path.join("conf/main.cf"), main).expect("there is room");
    fs::write(path.join("conf/master.cf"), services).expect("there is room");
    let conf = path.join("conf");
    run(Command::new(check).arg("-c").arg(&conf).arg("check"));
    let mut master = Command::new("/usr/lib/postfix/sbin/master");
    master.arg("-c").arg(&conf).arg("-d");
    let server = Server::start(&master, address, directory);
    Some(Postfix { server, implicit })
}

/// Exim, which delivers mail for `probe@example.test` to the Maildir `mail` and takes no other.
pub(super) fn exim(test: &str) -> Option<Server> {
    let unpacked = unpacked("exim4-daemon-light", test)?;
    let directory = directory();
    let address = free(LOCALHOST);
    let path = directory.path().to_str().expect("it has a plain name");
    let fill = |text: &str| {
        text.replace("@DIR@", path)
            .replace("@PORT@", &address.port().to_string())
            .replace("@X@", unpacked.to_str().expect("it has a plain name"))
    };
    fs::write(directory.path().join("exim.conf"), fill(EXIM)).expect("there is room");
    fs::write(directory.path().join("run"), fill(EXIM_RUN)).expect("there is room");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-e"])
        .arg(directory.path().join("run"));
    Some(Server::start(&command, address, directory))
}

/// `OpenSMTPD`, which delivers mail for `probe@example.test` to the Maildir `spool/probe/Maildir` and
/// takes no other.
pub(super) fn opensmtpd(test: &str) -> Option<Server> {
    let unpacked = unpacked("opensmtpd", test)?;
    let directory = directory();
    let address = free(LOCALHOST);
    let path = directory.path().to_str().expect("it has a plain name");
    let fill = |text: &str| {
        text.replace("@DIR@", path)
            .replace("@PORT@", &address.port().to_string())
            .replace("@X@", unpacked.to_str().expect("it has a plain name"))
    };
    fs::write(directory.path().join("smtpd.conf"), fill(OPENSMTPD)).expect("there is room");
    fs::write(directory.path().join("run"), fill(OPENSMTPD_RUN)).expect("there is room");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-e"])
        .arg(directory.path().join("run"));
    Some(Server::start(&command, address, directory))
}

/// A name server for the zone `test`, and for nothing else.
pub(super) fn knot(test: &str, zone: &str) -> Option<Server> {
    let knotd = program("knotd", test, "Debian's package knot")?;
    let directory = directory();
    let address = free(LOCALHOST);
    let path = directory.path().to_str().expect("it has a plain name");
    let conf = KNOT
        .replace("@DIR@", path)
        .replace("@PORT@", &address.port().to_string());
    fs::write(directory.path().join("knot.conf"), conf).expect("there is room");
    fs::write(directory.path().join("test.zone"), zone).expect("there is room");
    let mut command = Command::new(knotd);
    command.arg("-c").arg(directory.path().join("knot.conf"));
    Some(Server::start(&command, address, directory))
}

/// Where a program lies, which may be where only root looks.
pub(super) fn program(name: &str, test: &str, package: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skipped(test, package);
    }
    found
}

/// Where the files of a package lie that cannot be installed beside the others; `tests/run` unpacks
/// it there.
fn unpacked(package: &str, test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/peers")
        .join(package);
    if !path.exists() {
        skipped(
            test,
            &format!("Debian's package {package}, which tests/run unpacks"),
        );
        return None;
    }
    if !is_root() {
        skipped(
            test,
            &format!("the right to start {package} in a namespace of its own"),
        );
        return None;
    }
    Some(path)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory into which servers that are not root may look.
fn directory() -> TempDir {
    let directory = TempDir::new().expect("there is room");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("it is ours");
    directory
}

/// Makes a key and a certificate that vouches for itself.
fn certificate(openssl: &Path) -> Command {
    let mut command = Command::new(openssl);
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    command.args([
        "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
    ]);
    command.args([
        "-subj",
        "/CN=mx.test",
        "-addext",
        "subjectAltName=DNS:mx.test",
    ]);
    // Or else it could vouch for others, but not be shown itself.
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it is there");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}

const MAIN: &str = "compatibility_level = 3.6
queue_directory = @DIR@/queue
data_directory = @DIR@/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test
mydestination =
local_recipient_maps =
virtual_mailbox_domains = example.test
virtual_mailbox_base = @DIR@/mail
virtual_mailbox_maps = inline:{ {probe@example.test = probe/} }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_peername_lookup = no
smtputf8_enable = yes
alias_maps =
alias_database =
maillog_file = @DIR@/postfix.log
maillog_file_prefixes = @DIR@
smtpd_tls_security_level = may
smtpd_tls_chain_files = @DIR@/key.pem, @DIR@/cert.pem
";

const SERVICES: &str = "pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

const EXIM: &str = "exim_path = @X@/usr/sbin/exim4
primary_hostname = mx.test
deliver_drop_privilege = true
spool_directory = @DIR@/spool
log_file_path = @DIR@/spool/%slog
pid_file_path = @DIR@/spool/pid
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
daemon_smtp_ports = @PORT@
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
smtp_enforce_sync = true
acl_smtp_rcpt = rcpt
keep_environment =
begin acl
rcpt:
  accept domains = example.test
         local_parts = probe
  deny message = relay not permitted
begin routers
here:
  driver = accept
  domains = example.test
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = @DIR@/mail
  maildir_format
  create_directory
";

/// The user that exim is compiled for is not there, save in its namespace.
const EXIM_RUN: &str = "cd @DIR@
mkdir spool mail
cp /etc/passwd /etc/group .
echo 'Debian-exim:x:2010:2010::/nonexistent:/usr/sbin/nologin' >> passwd
echo 'Debian-exim:x:2010:' >> group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
chown -R 2010:2010 spool mail
exec @X@/usr/sbin/exim4 -C @DIR@/exim.conf -bdf -q10m
";

const OPENSMTPD: &str = "listen on 127.0.0.1 port @PORT@ hostname mx.test
table users { \"probe@example.test\" = \"probe\" }
action \"maildir\" maildir \"/var/spool/probe/Maildir\" virtual <users>
match from any for domain \"example.test\" action \"maildir\"
";

const OPENSMTPD_RUN: &str = "cd @DIR@
cp /etc/passwd /etc/group .
echo 'opensmtpd:x:2001:2001::/var/lib/opensmtpd/empty:/usr/sbin/nologin
opensmtpq:x:2002:2002::/var/lib/opensmtpd/empty:/usr/sbin/nologin
probe:x:2003:2003::/var/spool/probe:/bin/sh' >> passwd
echo 'opensmtpd:x:2001:
opensmtpq:x:2002:
probe:x:2003:' >> group
mkdir -p spool/smtpd spool/probe
chmod 711 spool/smtpd
chown 2003 spool/probe
mount --bind passwd /etc/passwd
mount --bind group /etc/group
mount --bind @X@/usr/libexec /usr/libexec
mount --bind spool /var/spool
mount -t tmpfs tmpfs /var/lib -o mode=755
mkdir -p /var/lib/opensmtpd/empty
mount -t tmpfs tmpfs /run -o mode=755
exec @X@/usr/sbin/smtpd -d -f @DIR@/smtpd.conf
";

const KNOT: &str = "server:
    rundir: \"@DIR@\"
    listen: 127.0.0.1@@PORT@
database:
    storage: \"@DIR@/db\"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: \"@DIR@\"
    file: \"%s.zone\"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: test
";
