//! Which phases does a run have, and how can it end?
//!
//! Two closed sets, for both become label values.

/// A phase of a run. A command's phase is from the first byte of it that is written to the last
/// byte of its reply that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Until it is known who takes the domain's mail.
    Mx,
    /// Until the addresses of an exchanger, or of the server, are known.
    Resolve,
    /// Until there is a connection.
    Connect,
    /// Until TLS is agreed on.
    Tls,
    /// Until the server has greeted.
    Banner,
    /// EHLO, with HELO where the server does not know that.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// EHLO once more, within TLS.
    EhloTls,
    /// AUTH, with all that it takes.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// Until the kernel has taken the message.
    Body,
    /// Until the server has answered for the message.
    Accept,
    /// QUIT; never in what a run comes to.
    Quit,
    /// What this program does by itself: it writes the message and waits for its turn.
    Own,
}

impl Phase {
    /// All, in the order in which they come.
    pub(crate) const ALL: [Self; 16] = [
        Self::Own,
        Self::Mx,
        Self::Resolve,
        Self::Connect,
        Self::Banner,
        Self::Ehlo,
        Self::Starttls,
        Self::Tls,
        Self::EhloTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Body,
        Self::Accept,
        Self::Quit,
    ];

    /// The value of the label `phase`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::Starttls => "starttls",
            Self::EhloTls => "ehlo_tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Accept => "accept",
            Self::Quit => "quit",
            Self::Own => "own",
        }
    }
}

/// The values of the label `phase`.
pub(crate) const PHASES: &[&str] = &{
    let mut labels = [""; Phase::ALL.len()];
    let mut at = 0;
    while at < labels.len() {
        labels[at] = Phase::ALL[at].label();
        at += 1;
    }
    labels
};

impl leadsman_dial::Phase for Phase {
    fn label(self) -> &'static str {
        Self::label(self)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All went well, as far as it was to go.
    Ok,
    /// The server says "not now" (4yz).
    TempFail,
    /// The server puts off whom it does not know yet.
    Greylisted,
    /// The server says "no" (5yz).
    PermFail,
    /// The domain takes no mail, and says so (RFC 7505).
    NullMx,
    /// Who takes the domain's mail cannot be found out now.
    DnsTemporary,
    /// The domain does not exist, or none of its exchangers has an address.
    DnsPermanent,
    /// No exchanger took a connection.
    ConnectFailed,
    /// The connection broke off in the dialogue.
    Disconnected,
    /// The time was over.
    Timeout,
    /// TLS was wanted and did not come about, or its certificate is not to be trusted.
    TlsFailed,
    /// What the server says is not SMTP.
    ProtocolError,
    /// More came with the reply to STARTTLS, which an attacker may have put there.
    StarttlsInjection,
    /// The server does not take our credentials, or could not be trusted with them.
    AuthFailed,
    /// This program kept itself back.
    RateLimited,
    /// Where the mail should go is an address that this program does not go to unless allowed.
    Forbidden,
    /// The message was sent, and nobody knows whether it was taken.
    UnknownDelivery,
}

impl Outcome {
    /// All, the good one first.
    pub(crate) const ALL: [Self; 17] = [
        Self::Ok,
        Self::TempFail,
        Self::Greylisted,
        Self::PermFail,
        Self::NullMx,
        Self::DnsTemporary,
        Self::DnsPermanent,
        Self::ConnectFailed,
        Self::Disconnected,
        Self::Timeout,
        Self::TlsFailed,
        Self::ProtocolError,
        Self::StarttlsInjection,
        Self::AuthFailed,
        Self::RateLimited,
        Self::Forbidden,
        Self::UnknownDelivery,
    ];

    /// The value of the label `outcome`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TempFail => "tempfail",
            Self::Greylisted => "greylisted",
            Self::PermFail => "permfail",
            Self::NullMx => "null_mx",
            Self::DnsTemporary => "dns_temporary",
            Self::DnsPermanent => "dns_permanent",
            Self::ConnectFailed => "connect_failed",
            Self::Disconnected => "disconnected",
            Self::Timeout => "timeout",
            Self::TlsFailed => "tls_failed",
            Self::ProtocolError => "protocol_error",
            Self::StarttlsInjection => "starttls_injection",
            Self::AuthFailed => "auth_failed",
            Self::RateLimited => "rate_limited",
            Self::Forbidden => "forbidden",
            Self::UnknownDelivery => "unknown_delivery",
        }
    }
}

/// The values of the label `outcome`.
pub(crate) const OUTCOMES: &[&str] = &{
    let mut labels = [""; Outcome::ALL.len()];
    let mut at = 0;
    while at < labels.len() {
        labels[at] = Outcome::ALL[at].label();
        at += 1;
    }
    labels
};
