//! What does a mistake against YAML's grammar mean to somebody who does not know the grammar?

use granit_parser::ErrorKind;
use leadsman_core::options::Span;

use crate::config::diagnose::Problem;

/// Puts the parser's complaint about a place in `text` into words, with advice for the mistakes
/// that people make most.
pub(super) fn explain(kind: &ErrorKind, text: &str, place: Span) -> Problem {
    use ErrorKind as E;
    let after = &text[place.start as usize..];
    let (message, help) = match kind {
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabAtBlockScalarStart
        | E::TabInPlainScalar => {
            let place = tab(text, place);
            return Problem::error(Some(place), "a tab cannot indent YAML").help("use spaces");
        }
        E::ExpectedFlowMappingSeparator | E::ExpectedFlowSequenceSeparator
            if after.starts_with("{env:") =>
        {
            (
                "inside braces and brackets, `${env:…}` needs quotes",
                "write \"${env:NAME}\"",
            )
        }
        E::ExpectedFlowMappingSeparator => (
            "a comma or `}` is missing before this place",
            "entries in braces are separated by commas: { a: 1, b: 2 }",
        ),
        E::ExpectedFlowSequenceSeparator => (
            "a comma or `]` is missing before this place",
            "elements in brackets are separated by commas: [a, b]",
        ),
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofImplicitFlowMapping => (
            "an opening bracket or brace is not closed",
            "close it, or check the commas before this place",
        ),
        E::InvalidColonPlacement => (
            "a colon cannot stand here",
            "check whether a bracket or brace above is not closed",
        ),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => (
            "this does not close what was opened last",
            "check the brackets and braces before this place",
        ),
        E::UnknownAnchor => (
            "no anchor of this name stands before this alias",
            "write `&name` where the value is first given; quote text that starts with `*`",
        ),
        E::MappingValueNotAllowed | E::SimpleKeyExpected | E::MappingKeyNotAllowed => (
            "a key with a value cannot stand here",
            "check the indentation, and quote text that contains a colon and a space",
        ),
        E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry
        | E::BlockSequenceEntryNotAllowed
        | E::InvalidIndentation => (
            "this line does not fit those above it",
            "keys of one map, and dashes of one list, start in the same column",
        ),
        E::UnclosedQuotedScalar => ("the text in quotes does not end", "add the closing quote"),
        E::UnknownQuotedScalarEscape => (
            "in double quotes a backslash starts an escape, and this one is unknown",
            "use single quotes, which keep backslashes as they are",
        ),
        E::RecursionLimitExceeded => (
            "this nests too deeply",
            "no configuration needs that many levels",
        ),
        E::UnexpectedCharacter { character } => {
            return Problem::error(
                Some(place),
                format!("nothing can start with `{character}` here"),
            )
            .help("put the text into quotes");
        }
        other => return Problem::error(Some(place), other.to_string()),
    };
    Problem::error(Some(place), message).help(help)
}

/// The first tab in the indentation of the line that the parser complains about, or of a line
/// below: it may complain at the start of the text that the tab ends, or behind the tab.
fn tab(text: &str, place: Span) -> Span {
    let start = place.start as usize;
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut lines = text[line..].split_inclusive('\n').scan(line, |next, line| {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line[..indent].find('\t').map(|tab| *next + tab);
        *next += line.len();
        Some(tab)
    });
    // A tab behind the dash of a list is no indentation, and the parser stands behind it.
    let behind = text[..start].ends_with('\t').then(|| start - 1);
    match behind.or_else(|| lines.find_map(|tab| tab)) {
        Some(tab) => Span {
            start: tab as u32,
            end: tab as u32 + 1,
            ..place
        },
        None => place,
    }
}
