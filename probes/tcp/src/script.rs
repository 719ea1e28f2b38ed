//! What is to be said to a peer that was reached, and how?

use leadsman_core::{Fault, OptionsError};
use leadsman_dial::{Peer, Step, Tls, TlsCache, TlsOptions};
use serde::{Deserialize, Deserializer, de};

/// What is to be said, and to whom.
#[derive(Debug)]
pub(crate) struct Script<'s> {
    pub(crate) peer: Peer<'s>,
    /// The name that the peer's certificate must have.
    pub(crate) name: &'s str,
    pub(crate) steps: &'s [Step],
    /// Whether TLS is spoken from the first byte.
    pub(crate) from_the_first_byte: bool,
    /// How TLS is spoken, where it is.
    pub(crate) tls: Option<Tls>,
}

/// How TLS is spoken, if it is spoken at all, with its files read.
pub(crate) async fn prepared(
    from_the_first_byte: bool,
    steps: &[Step],
    options: &TlsOptions,
    cache: &TlsCache,
) -> Result<Option<Tls>, Fault> {
    if !from_the_first_byte && !steps.iter().any(Step::starts_tls) {
        return Ok(None);
    }
    let tls = Box::pin(cache.tls(options)).await;
    tls.map(Some).map_err(Fault::own)
}

/// Reads options of TLS that do not contradict themselves.
pub(crate) fn consistent<'de, D: Deserializer<'de>>(reader: D) -> Result<TlsOptions, D::Error> {
    let options = TlsOptions::deserialize(reader)?;
    match options.contradiction() {
        Some(why) => Err(de::Error::custom(why)),
        None => Ok(options),
    }
}

/// Refuses what this program cannot speak.
pub(crate) fn spoken(options: &TlsOptions) -> Result<(), OptionsError> {
    if options.can_be_spoken() {
        return Ok(());
    }
    let message = "this program speaks TLS 1.2 and 1.3 only";
    let help = "set max_version to TLS12 or TLS13, or leave it out";
    Err(OptionsError::field("tls_config", message).help(help))
}
