//! What does `${env:NAME}` stand for?
//!
//! `${env:NAME}` is the variable's value, `${env:NAME:-text}` falls back to `text` if it is unset
//! or empty, and `$${env:NAME}` stands for itself. Any other `$` is left alone, for regular
//! expressions and templates are full of them.
//!
//! YAML wants quotes around a reference inside braces, so quotes around nothing but a reference do
//! not say that its value is text.

/// A reference that stands for nothing.
pub(super) struct Mistake<'t> {
    /// The reference as it stands in the scalar.
    pub(super) written: &'t str,
    pub(super) message: String,
    pub(super) help: String,
}

/// Replaces every reference in `text`; one that stands for nothing becomes nothing.
pub(super) fn substitute<'t>(
    text: &'t str,
    variables: &dyn Fn(&str) -> Option<String>,
    mut report: impl FnMut(Mistake<'t>),
) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, reference) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            result += before;
            result += OPEN;
            rest = &reference[OPEN.len()..];
            continue;
        }
        result += before;
        let Some(close) = reference.find('}') else {
            report(Mistake {
                written: reference,
                message: "this `${env:` has no closing brace".to_owned(),
                help: "write ${env:NAME}; if it is meant as text, write $${env:".to_owned(),
            });
            return result;
        };
        let (name, default) = match reference[OPEN.len()..close].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&reference[OPEN.len()..close], None),
        };
        match (variables(name), default) {
            (Some(value), None) => result += &value,
            (Some(value), Some(_)) if !value.is_empty() => result += &value,
            (_, Some(default)) => result += default,
            (None, None) => report(Mistake {
                written: &reference[..=close],
                message: format!("the environment variable `{name}` is not set"),
                help: format!("set it, or give a default: ${{env:{name}:-text}}"),
            }),
        }
        rest = &reference[close + 1..];
    }
    result + rest
}

/// Whether `text` is one reference and nothing else.
pub(super) fn is_reference(text: &str) -> bool {
    let inside = text
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|inside| !inside.contains('}'))
}

const OPEN: &str = "${env:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_values_and_other_dollars_stay() {
        let variables = |name: &str| match name {
            "SITE" => Some("fra".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected, mistakes) in [
            ("${env:SITE}", "fra", 0),
            ("a-${env:SITE}-${env:SITE}.b", "a-fra-fra.b", 0),
            ("${env:EMPTY}", "", 0),
            ("${env:EMPTY:-x}", "x", 0),
            ("${env:NONE:-a b}", "a b", 0),
            ("${env:NONE:-}", "", 0),
            ("$${env:SITE}", "${env:SITE}", 0),
            ("${1} $$ ^a$ ${SITE}", "${1} $$ ^a$ ${SITE}", 0),
            ("a${env:NONE}b${env:OTHER}", "ab", 2),
            ("a${env:SITE", "a", 1),
        ] {
            let mut reported = 0;
            let result = substitute(text, &variables, |_| reported += 1);
            assert_eq!((result.as_str(), reported), (expected, mistakes), "{text}");
        }
    }
}
