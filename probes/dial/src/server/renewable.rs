//! How does a server come to show a certificate that was renewed?
//!
//! Certificate and key lie in two files, which whoever renews them puts there one after the other.
//! What cannot be used is an error once, and what was shown before is shown on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ServerFiles, ServerTls, ServerTlsError, ServerTlsOptions};

/// How TLS is spoken with those who connect, by a certificate and its key in files that may change.
/// No client is asked for a certificate.
#[derive(Debug)]
pub struct Renewable {
    cert_file: PathBuf,
    options: ServerTlsOptions,
    alpn: &'static [&'static [u8]],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tls: ServerTls,
    /// What the files held when they were last looked at; `None` if one could not be read.
    seen: Option<ServerFiles>,
}

impl Renewable {
    /// Reads both files, which hold PEM. `alpn` are the protocols offered, the best one first.
    /// Blocks.
    pub fn open(
        cert_file: PathBuf,
        key_file: PathBuf,
        alpn: &'static [&'static [u8]],
    ) -> Result<Self, ServerTlsError> {
        let options = ServerTlsOptions {
            cert_file: Some(cert_file.clone()),
            key_file: Some(key_file),
            ..ServerTlsOptions::default()
        };
        let files = ServerFiles::read(&options)?;
        let tls = ServerTls::new(&options, &files, alpn)?;
        let seen = Some(files);
        Ok(Self {
            cert_file,
            options,
            alpn,
            state: Mutex::new(State { tls, seen }),
        })
    }

    /// The file of the certificate.
    pub fn cert_file(&self) -> &Path {
        &self.cert_file
    }

    /// How TLS is spoken now.
    pub fn tls(&self) -> ServerTls {
        self.state().tls.clone()
    }

    /// Speaks TLS by what is in the files from now on, if they have changed since they were last
    /// looked at; says whether they have. Blocks.
    pub fn look(&self) -> Result<bool, ServerTlsError> {
        let read = ServerFiles::read(&self.options);
        let mut state = self.state();
        if read.as_ref().ok() == state.seen.as_ref() {
            return Ok(false);
        }
        // Or what is wrong would be told again and again.
        state.seen = read.as_ref().ok().cloned();
        state.tls = ServerTls::new(&self.options, &read?, self.alpn)?;
        Ok(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
