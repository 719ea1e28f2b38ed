//! What proves to a server of HTTP who is asking?
//!
//! Files of secrets are read anew in each run, so that a changed one is noticed. One that cannot be
//! read is never the target's fault.

mod options;

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use leadsman_core::Fault;
use leadsman_core::options::Secret;
use percent_encoding::percent_decode_str;
use url::Url;

pub use options::{Authorization, BasicAuth, FieldValues};

/// Why a credential cannot be sent.
#[derive(Debug, thiserror::Error)]
enum CredentialError {
    /// Its file cannot be read.
    #[error("cannot read {path}, the file of `{option}`")]
    File {
        option: &'static str,
        path: String,
        source: io::Error,
    },
    /// It holds what no field of a header may hold.
    #[error("`{0}` holds a line break or a control character, so it cannot be sent")]
    Unsendable(&'static str),
}

/// What the options say about who is asking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// A user name and a password.
    pub basic_auth: Option<&'a BasicAuth>,
    /// Any other content of the field `Authorization`.
    pub authorization: Option<&'a Authorization>,
    /// A token of the scheme Bearer.
    pub bearer_token: Option<&'a Secret>,
    /// The file of such a token.
    pub bearer_token_file: Option<&'a str>,
}

impl Credentials<'_> {
    /// How many ways there are to say who is asking; at most one may be given.
    pub fn ways(&self) -> usize {
        let ways = [
            self.basic_auth.is_some(),
            self.authorization.is_some(),
            self.bearer_token.is_some(),
            self.bearer_token_file.is_some(),
        ];
        ways.iter().filter(|given| **given).count()
    }

    /// What contradicts itself inside one of them, in words.
    pub fn contradiction(&self) -> Option<&'static str> {
        let basic_auth = self.basic_auth.and_then(BasicAuth::contradiction);
        basic_auth.or_else(|| self.authorization.and_then(Authorization::contradiction))
    }

    /// The field `Authorization` that they make, with their files read now.
    pub async fn field(&self) -> Result<Option<HeaderValue>, Fault> {
        let text = if let Some(basic_auth) = self.basic_auth {
            Some(of_user(basic_auth).await?)
        } else if let Some(authorization) = self.authorization {
            of_scheme(authorization).await?
        } else {
            let (token, file) = (self.bearer_token, self.bearer_token_file);
            let token = secret("bearer_token_file", token, file).await?;
            token.map(|token| format!("Bearer {token}"))
        };
        text.map(|text| sensitive("authorization", &text))
            .transpose()
    }
}

/// The field `Authorization` of a URL with a user name (RFC 3986, section 3.2.1).
pub fn of_url(url: &Url) -> Option<HeaderValue> {
    let (user, password) = (url.username(), url.password());
    if user.is_empty() && password.is_none() {
        return None;
    }
    sensitive("target", &basic(user, password.unwrap_or_default())).ok()
}

/// `Basic` with a user name and a password, both still percent-encoded.
pub fn basic(user: &str, password: &str) -> String {
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
    plain_basic(&decoded(user), &decoded(password))
}

/// `Basic` with a user name and a password (RFC 7617, section 2).
pub fn plain_basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )
}

/// Adds a field with all its values; its files are read now.
pub async fn add_fields(
    fields: &mut HeaderMap,
    name: &str,
    values: &FieldValues,
) -> Result<(), Fault> {
    let name = HeaderName::try_from(name).map_err(Fault::own)?;
    let mut texts: Vec<String> = values.values.clone();
    texts.extend(
        values
            .secrets
            .iter()
            .map(|secret| secret.reveal().to_owned()),
    );
    for path in &values.files {
        texts.extend(secret("http_headers", None, Some(path)).await?);
    }
    for text in texts {
        fields.append(name.clone(), sensitive("http_headers", &text)?);
    }
    Ok(())
}

/// A text of the options or of a file, in which white space at the ends does not count.
pub async fn secret(
    option: &'static str,
    inline: Option<&Secret>,
    path: Option<&str>,
) -> Result<Option<String>, Fault> {
    let Some(path) = path else {
        return Ok(inline.map(|secret| secret.reveal().to_owned()));
    };
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(source) => Err(Fault::own(CredentialError::File {
            option,
            path: path.to_owned(),
            source,
        })),
    }
}

async fn of_user(options: &BasicAuth) -> Result<String, Fault> {
    let user = match &options.username_file {
        Some(path) => secret("username_file", None, Some(path)).await?,
        None => options.username.clone(),
    };
    let password = options.password.as_ref();
    let password = secret("password_file", password, options.password_file.as_deref()).await?;
    Ok(plain_basic(
        &user.unwrap_or_default(),
        &password.unwrap_or_default(),
    ))
}

async fn of_scheme(options: &Authorization) -> Result<Option<String>, Fault> {
    let scheme = options.scheme.as_deref().unwrap_or("Bearer").trim();
    let credentials = options.credentials.as_ref();
    let file = options.credentials_file.as_deref();
    let credentials = secret("credentials_file", credentials, file).await?;
    Ok(credentials.map(|credentials| format!("{scheme} {credentials}")))
}

fn sensitive(option: &'static str, text: &str) -> Result<HeaderValue, Fault> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| Fault::own(CredentialError::Unsendable(option)))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_a_url_is_decoded_before_it_is_sent() {
        for (url, expected) in [
            ("http://a.test/", None),
            ("http://user:pass@a.test/", Some("Basic dXNlcjpwYXNz")),
            ("http://us%65r:pa%73s@a.test/", Some("Basic dXNlcjpwYXNz")),
            ("http://a+b:c%26d@a.test/", Some("Basic YStiOmMmZA==")),
            ("http://a&b:c&d@a.test/", Some("Basic YSZiOmMmZA==")),
        ] {
            let field = of_url(&url.parse().unwrap());
            let field = field.as_ref().map(|field| field.to_str().unwrap());
            assert_eq!(field, expected, "{url}");
        }
    }
}
