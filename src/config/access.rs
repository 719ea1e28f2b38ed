//! Who may connect to this program, and how does it speak with them?
//!
//! In a file of its own, named by `--web.config.file`, in the format that Prometheus's exporters
//! share: TLS, passwords, headers of the answers, and how often anybody may ask. This only reads its
//! text; the files that it names, and what comes of all of it, are not known here.

use std::collections::BTreeMap;
use std::path::Path;

use bcrypt::HashParts;
use hyper::header::{HeaderName, HeaderValue};
use leadsman_core::options::{Node, OptionsError, Period, Secret, Span, Step, read};
use leadsman_dial::ServerTlsOptions;
use serde::Deserialize;

use super::diagnose::{Problem, Problems};
use super::yaml;

/// What the file says. Its default is that anybody may connect, without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessOptions {
    /// How TLS is spoken, if it is.
    #[serde(rename = "tls_server_config")]
    pub(crate) tls: Option<ServerTlsOptions>,
    /// How HTTP is spoken.
    #[serde(rename = "http_server_config")]
    pub(crate) server: ServerOptions,
    /// Hashes of passwords by the user's name; nobody needs one if there are none.
    #[serde(rename = "basic_auth_users")]
    pub(crate) users: BTreeMap<String, Secret>,
    /// How often anybody may ask.
    pub(crate) rate_limit: RateLimit,
}

/// How HTTP is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerOptions {
    /// Whether HTTP/2 is offered in TLS.
    pub(crate) http2: bool,
    /// Fields that every answer gets.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            http2: true,
            headers: BTreeMap::new(),
        }
    }
}

/// How often anybody may ask, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RateLimit {
    /// The time from one request to the next; there is no limit if it is 0.
    pub(crate) interval: Period,
    /// How many may come at once; at least one may.
    pub(crate) burst: u32,
}

impl AccessOptions {
    /// Reads a text; `name` stands for it in messages. Files that it names lie beside it, unless
    /// their names begin at the root.
    pub(crate) fn parse(name: &Path, text: &str) -> Result<Self, Problems> {
        let shown = name.display().to_string();
        let is_empty = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        if text.lines().all(is_empty) {
            return Ok(Self::default());
        }
        let mut problems = Vec::new();
        let variables = |variable: &str| std::env::var(variable).ok();
        let root = yaml::parse(text, &variables, &mut problems);
        let options = root.map(|root| match read::<Self>(&root) {
            Ok(options) => {
                problems.extend(options.mistakes().into_iter().map(|mistake| {
                    let span = place(&root, &mistake);
                    Problem::of(OptionsError { span, ..mistake })
                }));
                options
            }
            Err(mistakes) => {
                problems.extend(mistakes.into_iter().map(Problem::of));
                Self::default()
            }
        });
        let mut options = options.unwrap_or_else(|problem| {
            problems.push(problem);
            Self::default()
        });
        let problems = Problems::new(&shown, text, problems);
        if problems.are_fatal() {
            return Err(problems);
        }
        let beside = name.parent().unwrap_or_else(|| Path::new(""));
        // As in the exporters, a section without anything in it is none.
        options.tls = options
            .tls
            .filter(|tls| *tls != ServerTlsOptions::default());
        if let Some(tls) = &mut options.tls {
            let files = [
                &mut tls.cert_file,
                &mut tls.key_file,
                &mut tls.client_ca_file,
            ];
            for file in files.into_iter().flatten() {
                *file = beside.join(&file);
            }
        }
        Ok(options)
    }

    /// What cannot be told from the shape of the file.
    fn mistakes(&self) -> Vec<OptionsError> {
        let mistake = |section: &str, key: &str, message: String| {
            let mut error = OptionsError::field(section.to_owned(), message);
            let key = key.to_owned();
            error.path.push(Step::Key(key));
            error
        };
        let users = self.users.iter().filter_map(|(user, hash)| {
            let why = unusable(hash.reveal())?;
            Some(mistake("basic_auth_users", user, why))
        });
        let headers = self.server.headers.iter().filter_map(|(name, value)| {
            let why = unknown(name, value)?;
            let mut error = mistake("http_server_config", "headers", why);
            let name = name.clone();
            error.path.push(Step::Key(name));
            Some(error)
        });
        users.chain(headers).collect()
    }
}

/// Why this is no hash of a password to be compared with; `None` if it is.
fn unusable(hash: &str) -> Option<String> {
    // The library counts in bytes.
    let parts = hash.is_ascii().then(|| hash.parse::<HashParts>());
    match parts {
        Some(Ok(parts)) if parts.get_cost() > HIGHEST_COST => Some(format!(
            "with a cost of {} each comparison takes minutes: make a hash of at most \
             {HIGHEST_COST}",
            parts.get_cost()
        )),
        Some(Ok(_)) => None,
        _ => Some(
            "this is no bcrypt hash of a password: make one with `htpasswd -nBC 10 USER`"
                .to_owned(),
        ),
    }
}

/// Why this field is not added to answers; `None` if it is.
fn unknown(name: &str, value: &str) -> Option<String> {
    let values: &[&str] = match name {
        "Content-Security-Policy" | "Strict-Transport-Security" | "X-XSS-Protection" => &[],
        "X-Content-Type-Options" => &["", "nosniff"],
        "X-Frame-Options" => &["", "deny", "sameorigin"],
        _ => {
            return Some(format!(
                "the field {name} cannot be set here; those that can: Content-Security-Policy, \
                 Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options and \
                 X-XSS-Protection"
            ));
        }
    };
    if HeaderName::try_from(name).is_err() || HeaderValue::from_str(value).is_err() {
        return Some("the value has characters that no field can have".to_owned());
    }
    let accepted = values.is_empty() || values.contains(&value.to_ascii_lowercase().as_str());
    (!accepted).then(|| format!("the value can be {}", values[1..].join(" or ")))
}

/// Where the value stands that a mistake is about, or the nearest around it.
fn place(node: &Node, mistake: &OptionsError) -> Option<Span> {
    let mut at = node;
    for step in &mistake.path {
        let Step::Key(key) = step else {
            break;
        };
        match at.field(key) {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at.span
}

/// The highest cost of a hash: one that takes about ten seconds.
const HIGHEST_COST: u32 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";

    fn parse(text: &str) -> Result<AccessOptions, String> {
        let parsed = AccessOptions::parse(Path::new("/etc/web/f.yml"), text);
        parsed.map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_file_of_an_exporter_is_understood() {
        let text = format!(
            "tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n\
             http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n\
             basic_auth_users:\n  alice: {HASH}\n\
             rate_limit:\n  interval: \"1s\"\n  burst: 20\n"
        );
        let options = parse(&text).unwrap();
        let tls = options.tls.unwrap();
        assert_eq!(tls.cert_file.unwrap(), Path::new("/etc/web/server.crt"));
        assert_eq!(tls.key_file.unwrap(), Path::new("/keys/server.key"));
        assert!(!options.server.http2);
        assert_eq!(options.server.headers["X-Frame-Options"], "deny");
        assert_eq!(options.users["alice"].reveal(), HASH);
        assert_eq!(options.rate_limit.burst, 20);
        for nothing in [
            "",
            "# only a remark\n\n",
            "tls_server_config:\n",
            "tls_server_config: {}",
        ] {
            assert_eq!(parse(nothing), Ok(AccessOptions::default()), "{nothing:?}");
        }
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        for (text, expected) in [
            ("tls: {}", "/etc/web/f.yml:1:1: unknown key `tls`"),
            (
                "basic_auth_users:\n  alice: secret",
                "/etc/web/f.yml:2:10: basic_auth_users.alice: this is no bcrypt hash",
            ),
            (
                "basic_auth_users: { a: $2b$31$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze }",
                "with a cost of 31 each comparison takes minutes",
            ),
            (
                "http_server_config: { headers: { X-Mine: a } }",
                "http_server_config.headers.X-Mine: the field X-Mine cannot be set here",
            ),
            (
                "http_server_config: { headers: { X-Frame-Options: maybe } }",
                "the value can be deny or sameorigin",
            ),
            (
                "http_server_config: { headers: { X-XSS-Protection: \"a\\nb\" } }",
                "no field can have",
            ),
            (
                "rate_limit: { interval: 5 }",
                "rate_limit.interval: a duration needs a unit",
            ),
            ("- a", "/etc/web/f.yml:1:1: expected keys with values"),
            (
                "tls_server_config: { client_auth_type: Perhaps }",
                "tls_server_config.client_auth_type: ",
            ),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
