//! How is a manual set for reading on a screen?
//!
//! Only the Markdown that manuals use is understood: headings, paragraphs, lists, tables, code
//! blocks, `code`, **strong** text and comments. Anything else is shown as it was written.

use crate::terminal::{columns, wrap};

/// Sets `text` in lines of `width` columns; headings and code stand out where colour is wanted.
pub(super) fn set(text: &str, width: usize, color: bool) -> String {
    let mut page = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        match Block::of(line) {
            Block::Fence => {
                for code in lines
                    .by_ref()
                    .take_while(|line| Block::of(line) != Block::Fence)
                {
                    page.push_str(format!("    {code}").trim_end());
                    page.push('\n');
                }
            }
            Block::Comment => {}
            Block::Blank => {
                // A comment leaves two blank lines where there should be one.
                if !page.is_empty() && !page.ends_with("\n\n") {
                    page.push('\n');
                }
            }
            Block::Heading(words) => {
                page.push_str(&styled(&inline(words, false), BOLD, color));
                page.push('\n');
            }
            Block::Row => {
                let mut rows = vec![cells(line, color)];
                while let Some(row) = lines.next_if(|line| Block::of(line) == Block::Row) {
                    rows.push(cells(row, color));
                }
                rows.retain(|row| {
                    !row.iter()
                        .all(|cell| cell.chars().all(|c| ":-".contains(c)))
                });
                page.push_str(&columns(&rows, width));
            }
            Block::Item | Block::Text => {
                let mut paragraph = line.trim().to_owned();
                while let Some(more) = lines.next_if(|line| Block::of(line) == Block::Text) {
                    paragraph.push(' ');
                    paragraph.push_str(more.trim());
                }
                let first = line.len() - line.trim_start().len();
                let hanging = if Block::of(line) == Block::Item {
                    first + paragraph.find(' ').map_or(0, |at| at + 1)
                } else {
                    first
                };
                let words = inline(&paragraph, color);
                for (n, line) in wrap(&words, width.saturating_sub(hanging))
                    .iter()
                    .enumerate()
                {
                    let indent = if n == 0 { first } else { hanging };
                    page.extend(std::iter::repeat_n(' ', indent));
                    page.push_str(line);
                    page.push('\n');
                }
            }
        }
    }
    page
}

/// What a line begins or belongs to.
#[derive(Debug, PartialEq)]
enum Block<'a> {
    Blank,
    Comment,
    Fence,
    Heading(&'a str),
    Item,
    Row,
    Text,
}

impl<'a> Block<'a> {
    fn of(line: &'a str) -> Self {
        let start = line.trim_start();
        let number = start.trim_start_matches(|c: char| c.is_ascii_digit());
        if start.is_empty() {
            Self::Blank
        } else if start.starts_with("<!--") {
            Self::Comment
        } else if start.starts_with("```") {
            Self::Fence
        } else if line.starts_with('#') {
            Self::Heading(line.trim_start_matches('#').trim())
        } else if start.starts_with('|') {
            Self::Row
        } else if start.starts_with("- ")
            || start.starts_with("* ")
            || (number.len() < start.len() && number.starts_with(". "))
        {
            Self::Item
        } else {
            Self::Text
        }
    }
}

/// The cells of a table's row; `\|` is a bar inside one.
fn cells(row: &str, color: bool) -> Vec<String> {
    let row = row.trim().replace("\\|", "\0");
    let inner = row.trim_matches('|').split('|');
    inner
        .map(|cell| inline(&cell.trim().replace('\0', "|"), color))
        .collect()
}

/// Text with its code and strong words in colour, or without their marks where there is none.
/// Each word is coloured by itself, so that a line may be broken between any two.
fn inline(text: &str, color: bool) -> String {
    let mut set = String::new();
    let mut rest = text;
    let next = |text: &str| {
        let marks = [("`", CODE), ("**", BOLD)].into_iter();
        marks
            .filter_map(|(mark, style)| Some((text.find(mark)?, mark, style)))
            .min()
    };
    while let Some((at, mark, style)) = next(rest) {
        let (before, marked) = rest.split_at(at);
        let Some((inside, after)) = marked[mark.len()..].split_once(mark) else {
            break;
        };
        set.push_str(before);
        let words: Vec<_> = inside
            .split(' ')
            .map(|word| styled(word, style, color))
            .collect();
        set.push_str(&words.join(" "));
        rest = after;
    }
    set + rest
}

fn styled(text: &str, style: &str, color: bool) -> String {
    if color && !text.is_empty() {
        format!("{style}{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

const BOLD: &str = "\x1b[1m";
const CODE: &str = "\x1b[36m";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(set(text, 20, false), expected, "{text:?}");
    }

    #[test]
    fn every_kind_of_block_is_set() {
        check("# A `b`\n\ntwo\nlines", "A b\n\ntwo lines\n");
        check(
            "a long paragraph of many words",
            "a long paragraph of\nmany words\n",
        );
        check(
            "- an item that is wrapped\n- b",
            "- an item that is\n  wrapped\n- b\n",
        );
        check("1. one\n   more\n2. two", "1. one more\n2. two\n");
        check("```sh\na  b\n\n```\nc", "    a  b\n\nc\n");
        check("a\n\n<!-- made -->\n\nb", "a\n\nb\n");
        check(
            "| N | W |\n|---|:-:|\n| `a` | b \\| c |",
            "N  W\na  b | c\n",
        );
    }

    #[test]
    fn marks_become_colour_word_by_word() {
        for (text, expected) in [
            ("`a b` c", "\x1b[36ma\x1b[0m \x1b[36mb\x1b[0m c"),
            ("**a**", "\x1b[1ma\x1b[0m"),
            ("2 * 3", "2 * 3"),
            ("an `open end", "an `open end"),
        ] {
            assert_eq!(inline(text, true), expected, "{text:?}");
        }
    }
}
