//! What is an answer worth?
//!
//! Decided from the options and what came, in `blackbox_exporter`'s order: the code, then the rules
//! for each section. The first flaw is the cause; what stands behind it is not looked at.

use leadsman_core::{Cause, Fault};

use crate::answer::{Answer, Section};
use crate::codes::Rcode;
use crate::options::{Rule, Rules, Written};

/// Why an answer is not good enough.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the server answers {0}")]
    Rcode(Rcode),
    #[error("in the {0} section is no record, and {1:?} should match each")]
    NoneToMatch(Section, String),
    #[error("in the {section} section, {text:?} matches {regexp:?}")]
    Matches {
        section: Section,
        text: String,
        regexp: String,
    },
    #[error("in the {section} section, {text:?} does not match {regexp:?}")]
    MatchesNot {
        section: Section,
        text: String,
        regexp: String,
    },
    #[error("in the {0} section every record matches")]
    AllMatch(Section),
    #[error("in the {0} section not every record matches")]
    NotAllMatch(Section),
    #[error("in the {0} section no record matches")]
    NoneMatches(Section),
}

/// Whether an answer is good; `inverted` takes `fail_if_all_match_regexp` for its opposite, as
/// `blackbox_exporter` does: a failure if not every record matches every expression.
pub(crate) fn judge(options: &Written, answer: &Answer, inverted: bool) -> Result<(), Flaw> {
    // They were read when the probe was aimed.
    let valid = options.rcodes().unwrap_or_default();
    if !valid.contains(&answer.rcode) {
        return Err(Flaw::Rcode(answer.rcode));
    }
    for (section, rules) in [
        (Section::Answer, &options.validate_answer_rrs),
        (Section::Authority, &options.validate_authority_rrs),
        (Section::Additional, &options.validate_additional_rrs),
    ] {
        if rules.is_empty() {
            continue;
        }
        let records = answer.section(section).iter();
        let texts: Vec<_> = records.map(|record| answer.text(record)).collect();
        records_are_good(rules, section, &texts, inverted)?;
    }
    Ok(())
}

fn records_are_good(
    rules: &Rules,
    section: Section,
    texts: &[String],
    inverted: bool,
) -> Result<(), Flaw> {
    if texts.is_empty() {
        if let Some(rule) = rules.fail_if_not_matches_regexp.first() {
            return Err(Flaw::NoneToMatch(section, rule.as_str().to_owned()));
        }
        return if rules.fail_if_none_matches_regexp.is_empty() {
            Ok(())
        } else {
            Err(Flaw::NoneMatches(section))
        };
    }
    for text in texts {
        let own = |rule: &Rule| (text.clone(), rule.as_str().to_owned());
        if let Some(rule) = rules
            .fail_if_matches_regexp
            .iter()
            .find(|rule| rule.is_in(text))
        {
            let (text, regexp) = own(rule);
            return Err(Flaw::Matches {
                section,
                text,
                regexp,
            });
        }
        let mut missed = rules.fail_if_not_matches_regexp.iter();
        if let Some(rule) = missed.find(|rule| !rule.is_in(text)) {
            let (text, regexp) = own(rule);
            return Err(Flaw::MatchesNot {
                section,
                text,
                regexp,
            });
        }
    }
    let all = &rules.fail_if_all_match_regexp;
    if !all.is_empty() {
        let every = texts
            .iter()
            .all(|text| all.iter().all(|rule| rule.is_in(text)));
        let each = texts
            .iter()
            .all(|text| all.iter().any(|rule| rule.is_in(text)));
        match inverted {
            true if !every => return Err(Flaw::NotAllMatch(section)),
            false if each => return Err(Flaw::AllMatch(section)),
            _ => {}
        }
    }
    let none = &rules.fail_if_none_matches_regexp;
    let found = texts
        .iter()
        .any(|text| none.iter().any(|rule| rule.is_in(text)));
    if none.is_empty() || found {
        Ok(())
    } else {
        Err(Flaw::NoneMatches(section))
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Self {
        let cause = match &flaw {
            Flaw::Rcode(_) => Cause::Rejected,
            _ => Cause::Mismatch,
        };
        Self::target(cause, flaw.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules by the letters `m`atches, `a`ll, `n`ot and n`o`ne, each with its expression.
    fn rules(written: &[(char, &str)]) -> Rules {
        let mut rules = Rules::default();
        for (letter, regexp) in written {
            let list = match letter {
                'm' => &mut rules.fail_if_matches_regexp,
                'a' => &mut rules.fail_if_all_match_regexp,
                'n' => &mut rules.fail_if_not_matches_regexp,
                _ => &mut rules.fail_if_none_matches_regexp,
            };
            list.push(Rule::from((*regexp).to_owned()));
        }
        rules
    }

    #[test]
    fn the_first_rule_that_is_broken_is_told() {
        for (written, texts, expected, as_original) in [
            (&[][..], &["a", "b"][..], "", ""),
            (
                &[('m', "c"), ('m', "b")],
                &["a", "b"],
                "\"b\" matches \"b\"",
                "\"b\" matches \"b\"",
            ),
            (&[('m', "c")], &["a", "b"], "", ""),
            (&[('m', ".*")], &[], "", ""),
            (&[('n', "[ab]")], &["a", "b"], "", ""),
            (
                &[('n', "."), ('n', "a")],
                &["a", "b"],
                "\"b\" does not match",
                "\"b\" does not match",
            ),
            (&[('n', ".*")], &[], "is no record", "is no record"),
            (&[('o', "c"), ('o', "b")], &["a", "b"], "", ""),
            (
                &[('o', "c")],
                &["a", "b"],
                "no record matches",
                "no record matches",
            ),
            (
                &[('o', ".*")],
                &[],
                "no record matches",
                "no record matches",
            ),
            (&[('a', "[ab]")], &["a", "b"], "every record matches", ""),
            (&[('a', "a")], &["a", "b"], "", "not every record matches"),
            (
                &[('a', "a"), ('a', "b")],
                &["a", "b"],
                "every record matches",
                "not every",
            ),
            (&[('a', ".*")], &[], "", ""),
            (
                &[('m', "a"), ('n', "b")],
                &["a"],
                "matches \"a\"",
                "matches \"a\"",
            ),
        ] {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            for (inverted, expected) in [(false, expected), (true, as_original)] {
                let said = records_are_good(&rules(written), Section::Answer, &texts, inverted);
                let said = said.err().map(|flaw| flaw.to_string()).unwrap_or_default();
                assert!(said.contains(expected), "{written:?} {texts:?}: {said}");
                assert_eq!(
                    said.is_empty(),
                    expected.is_empty(),
                    "{written:?} {texts:?}: {said}"
                );
            }
        }
    }
}
