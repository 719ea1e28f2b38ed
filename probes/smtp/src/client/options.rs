//! What may be chosen about a mail server and a message?
//!
//! What contradicts itself is refused while it is read. Nothing is ever sent, and nobody is named
//! as a recipient, that the configuration or the person at the terminal does not name.

mod server;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{Period, Secret};
use leadsman_core::{Options, OptionsError, Preference, Target};
use leadsman_dial::{TlsCache, TlsOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use server::ServerName;

use super::auth::Mechanism;
use super::dialogue::{Until, Wanted};
use super::probe::{Aimed, SmtpProbe};
use super::rails::Rate;
use crate::mailbox::{Mailbox, is_host};

/// Options of the SMTP probe, with what was made of them.
#[derive(Debug, Default)]
pub(crate) struct SmtpOptions {
    pub(crate) written: Written,
    pub(crate) tls: TlsCache,
    /// The same, but without trust: where no TLS at all would do, any certificate does.
    pub(crate) lax_tls: TlsCache,
}

/// The options as they are written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own, as people know them"
)]
pub(crate) struct Written {
    /// Server to ask, HOST or HOST:PORT, in place of the mail exchangers of the recipient's domain.
    pub(crate) server: Option<ServerName>,
    /// Recipient where the target is a server.
    pub(crate) to: Option<String>,
    /// Sender; empty for the empty path `<>`.
    pub(crate) from: String,
    /// Recipients that may be asked for over the network, as targets of `/probe`, each in full.
    pub(crate) recipients: Vec<String>,
    /// Send a message to the recipient. Otherwise nothing is sent.
    pub(crate) send: bool,
    /// Last step before QUIT: mx, banner, ehlo, tls, auth, mail, rcpt or data; rcpt if none is given, or auth where there is no recipient.
    pub(crate) stop_after: Option<StopAfter>,
    /// Port where none is written: 25, 465 with `tls`, and 24 with `lmtp`.
    pub(crate) port: Option<u16>,
    /// Speak TLS from the first byte on.
    pub(crate) tls: bool,
    /// Whether to go on in TLS by STARTTLS: off, opportunistic or required.
    pub(crate) starttls: Starttls,
    /// TLS with the server.
    pub(crate) tls_config: TlsOptions,
    /// User name and password, or token, to send.
    pub(crate) auth: Option<Auth>,
    /// Send user name and password even where others may read them.
    pub(crate) allow_insecure_auth: bool,
    /// Name that this program gives itself; the host's if that has a domain, else its address in brackets.
    pub(crate) hello: Option<String>,
    /// Speak LMTP in place of SMTP.
    pub(crate) lmtp: bool,
    /// Send MAIL, RCPT and DATA at once if the server takes that.
    pub(crate) pipelining: bool,
    /// Send the message with BDAT if the server takes that.
    pub(crate) chunking: bool,
    /// Reports about the message to ask for, where the server can: never, success, or empty for what it usually does.
    pub(crate) notify: Notify,
    /// Which exchangers to ask: fallback, the first that takes a connection; first, no other than the first; all, one after the other.
    pub(crate) mx: MxPolicy,
    /// DNS server to ask, ADDRESS:PORT, in place of the system's.
    pub(crate) dns_server: Option<SocketAddr>,
    /// Seed of the order of exchangers with the same preference; another order each time if none is given.
    pub(crate) seed: Option<u64>,
    /// Address family to use if a name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if a name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Address of this host to connect from; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Go to mail exchangers whose address is private, such as that of this host.
    pub(crate) allow_private: bool,
    /// Whether "not now" from the server is a failure or a success.
    pub(crate) tempfail_is: TempFailIs,
    /// Longest wait for a connection, for each address.
    pub(crate) connect_timeout: Period,
    /// Longest wait for the greeting.
    pub(crate) greeting_timeout: Period,
    /// Longest wait for the answer to a command, for TLS, and for the server to take in a message.
    pub(crate) command_timeout: Period,
    /// Longest wait for the answer to a message.
    pub(crate) accept_timeout: Period,
    /// Shortest time between two messages to one domain, whoever sends them.
    pub(crate) min_interval: Period,
    /// Most messages in a minute, of all probes together.
    pub(crate) most_per_minute: u32,
    /// Accept a `min_interval` below a minute and `most_per_minute` above 10: for servers of your own.
    pub(crate) allow_frequent: bool,
    /// Subject of the message; its token if none is given.
    pub(crate) subject: Option<String>,
    /// Text of the message.
    pub(crate) body: Option<String>,
    /// File with the text of the message, read anew each time.
    pub(crate) body_file: Option<PathBuf>,
    /// How long a message may be on its way until it is seen at a sink or in a mailbox of this program.
    pub(crate) delivery_timeout: Period,
    /// Maildir in which messages are seen when they arrive, if this host has that of the recipient: the directory with `new` in it.
    pub(crate) maildir: Option<PathBuf>,
    /// Delete this program's messages from `maildir` once they were seen.
    pub(crate) maildir_delete: bool,
}

/// The last step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StopAfter {
    /// The look-up of exchangers and their addresses: nobody is connected to.
    Mx,
    /// The greeting.
    Banner,
    /// EHLO.
    Ehlo,
    /// TLS, and EHLO within.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, without a message.
    Data,
}

/// Whether to use STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Starttls {
    /// Never.
    Off,
    /// If it is offered, whatever the certificate.
    Opportunistic,
    /// Always, with a certificate to be trusted.
    Required,
}

/// What reports to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Notify {
    /// None at all.
    #[serde(rename = "never")]
    Never,
    /// That it has arrived, or has not.
    #[serde(rename = "success")]
    Success,
    /// What the server does unless asked.
    #[serde(rename = "")]
    Usual,
}

/// Which exchangers to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MxPolicy {
    /// No other than the first.
    First,
    /// All, one after the other.
    All,
    /// The first that takes a connection.
    Fallback,
}

/// What "not now" is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TempFailIs {
    /// A failure of the run.
    Failure,
    /// A success: the server lives.
    Success,
}

/// Who this program is to the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Auth {
    /// User name.
    pub(crate) username: String,
    /// Password, or the token of xoauth2.
    pub(crate) password: Option<Secret>,
    /// File with the password or token, read anew each time.
    pub(crate) password_file: Option<PathBuf>,
    /// Mechanism: plain, login or xoauth2; the first of plain and login that is offered if none is given.
    pub(crate) mechanism: Option<Mechanism>,
}

impl Default for Written {
    fn default() -> Self {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Self {
            server: None,
            to: None,
            from: String::new(),
            recipients: Vec::new(),
            send: false,
            stop_after: None,
            port: None,
            tls: false,
            starttls: Starttls::Opportunistic,
            tls_config: TlsOptions::default(),
            auth: None,
            allow_insecure_auth: false,
            hello: None,
            lmtp: false,
            pipelining: false,
            chunking: false,
            notify: Notify::Never,
            mx: MxPolicy::Fallback,
            dns_server: None,
            seed: None,
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            allow_private: false,
            tempfail_is: TempFailIs::Failure,
            connect_timeout: seconds(5),
            greeting_timeout: seconds(10),
            command_timeout: seconds(10),
            accept_timeout: seconds(30),
            min_interval: Period(LEAST_INTERVAL),
            most_per_minute: MOST_PER_MINUTE,
            allow_frequent: false,
            subject: None,
            body: None,
            body_file: None,
            delivery_timeout: seconds(300),
            maildir: None,
            maildir_delete: false,
        }
    }
}

impl Options for SmtpOptions {
    type Probe = SmtpProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<SmtpProbe, OptionsError> {
        let written = &self.written;
        let (to, server) = if target.address.contains('@') {
            let to = mailbox(&target.address).map_err(OptionsError::new)?;
            let listed = |other: &String| mailbox(other).as_ref() == Ok(&to);
            if target.foreign && !written.recipients.iter().any(listed) {
                let message = "nobody may ask for this recipient over the network";
                return Err(OptionsError::new(message)
                    .help("name it in `recipients` of the module if it may be asked for"));
            }
            if written.to.is_some() {
                let message = "the target is a recipient already";
                return Err(OptionsError::field("to", message));
            }
            (Some(to), written.server.clone())
        } else {
            if let Some(server) = &written.server {
                let message = format!("the target is a server already, and {server} is another");
                return Err(OptionsError::field("server", message));
            }
            let (host, port) = target.host_port(Some(written.usual_port()))?;
            if target.foreign && (written.send || written.auth.is_some()) {
                let message = "to a server that is asked for over the network, neither mail nor \
                               a password is sent";
                return Err(OptionsError::new(message)
                    .help("name it in `server` of the module, and ask for a recipient"));
            }
            let to = written.to.as_deref().map(mailbox).transpose();
            let to = to.map_err(|message| OptionsError::field("to", message))?;
            (to, Some(ServerName::new(host, Some(port))))
        };
        if !written.tls_config.can_be_spoken() {
            let message = "this program speaks TLS 1.2 and 1.3 only";
            return Err(OptionsError::field("tls_config", message)
                .help("set max_version to TLS12 or TLS13, or leave it out"));
        }
        let until = written.until(to.is_some());
        if to.is_none() && until.is_some_and(|until| until > Until::Auth) {
            let message = "there is no recipient";
            return Err(OptionsError::field("to", message)
                .help("name one in `to`, or make an address of mail the target"));
        }
        let from = match &*written.from {
            "" => None,
            from => Some(mailbox(from).map_err(|why| OptionsError::field("from", why))?),
        };
        let aimed = Aimed {
            to,
            from,
            server,
            hostname: target.hostname.as_deref().map(str::to_owned),
            until,
        };
        Ok(SmtpProbe::new(Arc::clone(self), aimed))
    }
}

impl Written {
    /// The last step of the dialogue; `None` if there is none.
    fn until(&self, has_recipient: bool) -> Option<Until> {
        Some(match self.stop_after {
            _ if self.send => Until::Sent,
            None if has_recipient => Until::Rcpt,
            Some(StopAfter::Mx) => return None,
            Some(StopAfter::Banner) => Until::Banner,
            Some(StopAfter::Ehlo) => Until::Ehlo,
            Some(StopAfter::Tls) => Until::Tls,
            None | Some(StopAfter::Auth) => Until::Auth,
            Some(StopAfter::Mail) => Until::Mail,
            Some(StopAfter::Rcpt) => Until::Rcpt,
            Some(StopAfter::Data) => Until::Data,
        })
    }

    /// The port of a server where none is written.
    pub(crate) fn usual_port(&self) -> u16 {
        let usual = match (self.lmtp, self.tls) {
            (true, _) => 24,
            (false, true) => 465,
            (false, false) => 25,
        };
        self.port.unwrap_or(usual)
    }

    /// Whether and how TLS is wanted.
    pub(crate) fn wanted_tls(&self) -> Wanted {
        match self.starttls {
            _ if self.tls => Wanted::Implicit,
            Starttls::Off => Wanted::Off,
            Starttls::Opportunistic => Wanted::Offered,
            Starttls::Required => Wanted::Required,
        }
    }

    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
    }

    /// How often messages may go.
    pub(crate) fn rate(&self) -> Rate {
        Rate {
            interval: *self.min_interval,
            per_minute: self.most_per_minute,
        }
    }

    /// What contradicts itself in these options, in words.
    fn contradiction(&self) -> Option<String> {
        let auth = self.auth.as_ref();
        let passwords = auth.map(|auth| (auth.password.is_some(), auth.password_file.is_some()));
        let rare = *self.min_interval >= LEAST_INTERVAL && self.most_per_minute <= MOST_PER_MINUTE;
        let fixed = if self.send && self.stop_after.is_some() {
            "`send` goes to the end: leave out `stop_after`"
        } else if self.send && self.mx == MxPolicy::All {
            "`send` and `mx: all` would send a message to each exchanger: use one of them"
        } else if self.body.is_some() && self.body_file.is_some() {
            "of `body` and `body_file` at most one may be given"
        } else if passwords.is_some_and(|(inline, file)| inline == file) {
            "`auth` needs one of `password` and `password_file`"
        } else if auth.is_some_and(|auth| auth.username.contains('\0')) {
            "a `username` has no NUL"
        } else if self.tls && self.starttls == Starttls::Required {
            "with `tls` there is nothing left for `starttls: required`"
        } else if !rare && !self.allow_frequent {
            "more than a message a minute to a domain, or ten a minute in all, needs \
             `allow_frequent`: only for servers that are your own"
        } else if self.port == Some(0) {
            "a `port` is a number from 1 to 65535"
        } else {
            ""
        };
        if !fixed.is_empty() {
            return Some(fixed.to_owned());
        }
        if let Some(why) = self.tls_config.contradiction() {
            return Some(why.to_owned());
        }
        if let Some(hello) = self.hello.as_deref().filter(|hello| !is_host(hello)) {
            let hello = hello.escape_debug();
            return Some(format!(
                "`{hello}` is no `hello`: it is a name, or an address in brackets"
            ));
        }
        let hello = self.hello.as_deref();
        let unnamed = hello.filter(|_| self.send && self.from.is_empty());
        if let Some(why) = unnamed.and_then(|hello| author(hello).err()) {
            return Some(why);
        }
        let senders = Some(&self.from).filter(|from| !from.is_empty());
        let mut named = self.recipients.iter().chain(&self.to).chain(senders);
        named.find_map(|text| mailbox(text).err())
    }
}

impl Notify {
    /// As it stands in RCPT.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Never => "NEVER",
            Self::Success => "SUCCESS,FAILURE",
            Self::Usual => "",
        }
    }
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).map_err(|why| format!("`{}`: {why}", text.escape_debug()))
}

/// Who has written a message whose sender nobody has named: somebody at the host that sends it.
pub(crate) fn author(host: &str) -> Result<Mailbox, String> {
    mailbox(&format!("probe@{host}")).map_err(|why| format!("name a sender in `from`: {why}"))
}

impl<'de> Deserialize<'de> for SmtpOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if let Some(why) = written.contradiction() {
            return Err(de::Error::custom(why));
        }
        Ok(Self {
            written,
            ..Self::default()
        })
    }
}

impl Serialize for SmtpOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for SmtpOptions {
    fn schema_name() -> Cow<'static, str> {
        "SmtpOptions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

/// How often messages may go to a domain unless somebody knows what they do.
const LEAST_INTERVAL: Duration = Duration::from_mins(1);
/// How many may go in a minute to whomever.
const MOST_PER_MINUTE: u32 = 10;

#[cfg(test)]
mod tests;
