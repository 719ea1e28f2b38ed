//! What is an answer worth?
//!
//! Decided from the options and what came, in `blackbox_exporter`'s order: the status, the header,
//! the body, the version, TLS. The first flaw is the cause; what stands behind it is not looked at.

use hyper::{HeaderMap, StatusCode, Version};
use leadsman_core::{Cause, Fault};

use super::options::{Expression, HeaderMatch, Pattern, Written};

/// Why an answer is not good enough.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the status {0} is not a valid one")]
    Status(StatusCode),
    #[error("the field {header} matches {regexp:?}")]
    Header { header: String, regexp: String },
    #[error("no field {header} matches {regexp:?}")]
    NoHeader { header: String, regexp: String },
    #[error("there is no field {0} in the header")]
    Missing(String),
    #[error("{0:?} is found in the body")]
    Body(String),
    #[error("{0:?} is not found in the body")]
    NotBody(String),
    #[error("the CEL expression {0:?} holds for the body")]
    Holds(String),
    #[error("the CEL expression {0:?} does not hold for the body")]
    HoldsNot(String),
    #[error(
        "it cannot be told whether the CEL expression {expression:?} holds for the body: {why}"
    )]
    CannotTell { expression: String, why: String },
    #[error(
        "the body of a redirect that is not followed is not read, and a pattern is to be found in it or not"
    )]
    UnreadByRegex,
    #[error(
        "the body of a redirect that is not followed is not read, and a CEL expression is to hold for it or not"
    )]
    UnreadByCel,
    #[error("the version {0:?} is not a valid one")]
    Version(Version),
    #[error("the answer came over TLS")]
    Tls,
    #[error("the answer did not come over TLS")]
    NoTls,
}

impl Flaw {
    /// Whether a regular expression found it.
    pub(crate) fn is_by_regex(&self) -> bool {
        matches!(
            self,
            Self::Header { .. }
                | Self::NoHeader { .. }
                | Self::Missing(_)
                | Self::Body(_)
                | Self::NotBody(_)
                | Self::UnreadByRegex
        )
    }

    /// Whether a CEL expression found it.
    pub(crate) fn is_by_cel(&self) -> bool {
        matches!(
            self,
            Self::Holds(_) | Self::HoldsNot(_) | Self::CannotTell { .. } | Self::UnreadByCel
        )
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Self {
        let cause = match flaw {
            Flaw::Status(_) => Cause::Rejected,
            _ => Cause::Mismatch,
        };
        Self::target(cause, flaw.to_string())
    }
}

/// Looks at status and header.
pub(crate) fn head(rules: &Written, status: StatusCode, fields: &HeaderMap) -> Result<(), Flaw> {
    let codes = &rules.valid_status_codes;
    let valid = if codes.is_empty() {
        status.is_success()
    } else {
        codes.contains(&status.as_u16())
    };
    if !valid {
        return Err(Flaw::Status(status));
    }
    for rule in &rules.fail_if_header_matches {
        if has_match(rule, fields)? == Some(true) {
            return Err(Flaw::Header {
                header: rule.header.clone(),
                regexp: rule.regexp.as_str().to_owned(),
            });
        }
    }
    for rule in &rules.fail_if_header_not_matches {
        if has_match(rule, fields)? == Some(false) {
            return Err(Flaw::NoHeader {
                header: rule.header.clone(),
                regexp: rule.regexp.as_str().to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether any value of a rule's field matches; `None` if the field may be missing, and is.
fn has_match(rule: &HeaderMatch, fields: &HeaderMap) -> Result<Option<bool>, Flaw> {
    let mut values = fields.get_all(&rule.header).iter().peekable();
    if values.peek().is_none() {
        let missing = || Flaw::Missing(rule.header.clone());
        return rule.allow_missing.then_some(None).ok_or_else(missing);
    }
    Ok(Some(
        values.any(|value| rule.regexp.is_in(value.as_bytes())),
    ))
}

/// Whether the bytes of the body are looked at.
pub(crate) fn reads_body(rules: &Written) -> bool {
    rules.fail_if_body_json_matches_cel.is_some()
        || rules.fail_if_body_json_not_matches_cel.is_some()
        || !rules.fail_if_body_matches_regexp.is_empty()
        || !rules.fail_if_body_not_matches_regexp.is_empty()
}

/// Looks at the body, its coding already taken off.
pub(crate) fn body(rules: &Written, body: &[u8]) -> Result<(), Flaw> {
    let text = |pattern: &Pattern| pattern.as_str().to_owned();
    let mut unwanted = rules.fail_if_body_matches_regexp.iter();
    if let Some(pattern) = unwanted.find(|pattern| pattern.is_in(body)) {
        return Err(Flaw::Body(text(pattern)));
    }
    let mut wanted = rules.fail_if_body_not_matches_regexp.iter();
    if let Some(pattern) = wanted.find(|pattern| !pattern.is_in(body)) {
        return Err(Flaw::NotBody(text(pattern)));
    }
    if let Some(expression) = &rules.fail_if_body_json_matches_cel
        && holds(expression, body)?
    {
        return Err(Flaw::Holds(expression.as_str().to_owned()));
    }
    if let Some(expression) = &rules.fail_if_body_json_not_matches_cel
        && !holds(expression, body)?
    {
        return Err(Flaw::HoldsNot(expression.as_str().to_owned()));
    }
    Ok(())
}

/// Judges a body that was not read: no rule about it is satisfied.
pub(crate) fn no_body(rules: &Written) -> Result<(), Flaw> {
    if !rules.fail_if_body_matches_regexp.is_empty()
        || !rules.fail_if_body_not_matches_regexp.is_empty()
    {
        return Err(Flaw::UnreadByRegex);
    }
    if reads_body(rules) {
        return Err(Flaw::UnreadByCel);
    }
    Ok(())
}

fn holds(expression: &Expression, body: &[u8]) -> Result<bool, Flaw> {
    let body = serde_json::from_slice(body).map_err(|why| format!("it is not JSON: {why}"));
    let told = body.and_then(|body| expression.holds(&body));
    told.map_err(|why| Flaw::CannotTell {
        expression: expression.as_str().to_owned(),
        why,
    })
}

/// Looks at how the answer came.
pub(crate) fn transport(rules: &Written, version: Version, tls: bool) -> Result<(), Flaw> {
    let versions = &rules.valid_http_versions;
    if !versions.is_empty() && !versions.iter().any(|valid| valid.is(version)) {
        return Err(Flaw::Version(version));
    }
    if tls && rules.fail_if_ssl {
        return Err(Flaw::Tls);
    }
    if !tls && rules.fail_if_not_ssl {
        return Err(Flaw::NoTls);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use leadsman_core::testing::read;
    use serde_json::{Value, json};

    use super::*;

    fn rules(options: &Value) -> Written {
        read(options).unwrap()
    }

    #[test]
    fn status_and_header_are_judged_in_this_order() {
        fn check(options: &Value, status: u16, fields: &[(&str, &str)], expected: &str) {
            let fields = fields.iter().map(|(name, value)| {
                (
                    HeaderName::try_from(*name).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            });
            let status = StatusCode::from_u16(status).unwrap();
            let judged = head(&rules(options), status, &fields.collect());
            let said = judged
                .err()
                .map(|flaw| flaw.to_string())
                .unwrap_or_default();
            assert_eq!(said, expected, "{options} {status}");
        }
        let bad = |status| format!("the status {status} is not a valid one");
        check(&json!({}), 200, &[], "");
        check(&json!({}), 299, &[], "");
        check(&json!({}), 302, &[], &bad("302 Found"));
        check(&json!({ "valid_status_codes": [404] }), 404, &[], "");
        check(
            &json!({ "valid_status_codes": [404] }),
            200,
            &[],
            &bad("200 OK"),
        );
        let unwanted = json!({ "fail_if_header_matches": [{ "header": "x-a", "regexp": "b" }] });
        check(
            &unwanted,
            200,
            &[("X-A", "abc")],
            r#"the field x-a matches "b""#,
        );
        check(
            &unwanted,
            200,
            &[("X-A", "c"), ("X-A", "b")],
            r#"the field x-a matches "b""#,
        );
        check(&unwanted, 200, &[("X-A", "c")], "");
        check(&unwanted, 200, &[], "there is no field x-a in the header");
        check(
            &unwanted,
            500,
            &[("X-A", "b")],
            &bad("500 Internal Server Error"),
        );
        let rule = json!({ "header": "x-a", "regexp": "^b$", "allow_missing": true });
        let wanted = json!({ "fail_if_header_not_matches": [rule] });
        check(&wanted, 200, &[], "");
        check(&wanted, 200, &[("X-A", "a"), ("X-A", "b")], "");
        check(
            &wanted,
            200,
            &[("X-A", "a")],
            r#"no field x-a matches "^b$""#,
        );
    }

    #[test]
    fn a_body_is_judged_by_every_rule() {
        fn check(options: &Value, text: &str, expected: Option<(bool, bool)>) {
            let flaw = body(&rules(options), text.as_bytes()).err();
            let by = flaw.map(|flaw| (flaw.is_by_regex(), flaw.is_by_cel()));
            assert_eq!(by, expected, "{options} {text}");
        }
        let (regex, cel) = (Some((true, false)), Some((false, true)));
        check(&json!({}), "anything", None);
        check(
            &json!({ "fail_if_body_matches_regexp": ["a", "b"] }),
            "xb",
            regex,
        );
        check(&json!({ "fail_if_body_matches_regexp": ["a"] }), "x", None);
        check(
            &json!({ "fail_if_body_not_matches_regexp": ["a", "b"] }),
            "a",
            regex,
        );
        check(
            &json!({ "fail_if_body_not_matches_regexp": ["a", "b"] }),
            "ba",
            None,
        );
        check(
            &json!({ "fail_if_body_json_matches_cel": "body.a == 1" }),
            r#"{"a":1}"#,
            cel,
        );
        check(
            &json!({ "fail_if_body_json_matches_cel": "body.a == 1" }),
            r#"{"a":2}"#,
            None,
        );
        check(
            &json!({ "fail_if_body_json_matches_cel": "body.a == 1" }),
            "no json",
            cel,
        );
        check(
            &json!({ "fail_if_body_json_not_matches_cel": "body.a == 1" }),
            "{}",
            cel,
        );
        check(
            &json!({ "fail_if_body_json_not_matches_cel": "body" }),
            "true",
            None,
        );
    }

    #[test]
    fn version_and_tls_are_judged() {
        for (options, version, tls, expected) in [
            (json!({}), Version::HTTP_10, false, None),
            (
                json!({ "valid_http_versions": ["HTTP/1.1", "HTTP/2.0"] }),
                Version::HTTP_10,
                false,
                Some(Flaw::Version(Version::HTTP_10)),
            ),
            (
                json!({ "valid_http_versions": ["HTTP/2.0"] }),
                Version::HTTP_2,
                true,
                None,
            ),
            (
                json!({ "fail_if_ssl": true }),
                Version::HTTP_11,
                true,
                Some(Flaw::Tls),
            ),
            (
                json!({ "fail_if_not_ssl": true }),
                Version::HTTP_11,
                false,
                Some(Flaw::NoTls),
            ),
            (
                json!({ "fail_if_not_ssl": true }),
                Version::HTTP_11,
                true,
                None,
            ),
        ] {
            assert_eq!(
                transport(&rules(&options), version, tls).err(),
                expected,
                "{options}"
            );
        }
    }
}
