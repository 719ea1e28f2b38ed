//! How is text laid out in so many columns?
//!
//! A character counts as one column and an escape sequence for colour as none. That is wrong for
//! the wide characters of East Asian scripts, which names and addresses on a network rarely hold.

use std::iter;

/// Columns that `line` takes.
pub(crate) fn visible_width(line: &str) -> usize {
    pieces(line)
        .filter(|piece| !piece.starts_with(ESCAPE))
        .count()
}

/// The beginning of `line` that fits into `width` columns, its colours included.
pub(crate) fn clip(line: &str, width: usize) -> String {
    let mut left = width;
    pieces(line)
        .filter(|piece| {
            if piece.starts_with(ESCAPE) {
                return true;
            }
            let fits = left > 0;
            left = left.saturating_sub(1);
            fits
        })
        .collect()
}

/// The words of `text` in lines of at most `width` columns; a word longer than that stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let more = visible_width(word);
        if used > 0 && used + 1 + more > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is a first line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += more;
    }
    lines
}

/// Rows of cells as aligned columns. If they are too wide, the widest are wrapped until all fit
/// into `width` or none can shrink any more: no word is cut.
pub(crate) fn columns(rows: &[Vec<String>], width: usize) -> String {
    let widths = fit(rows, width);
    let mut page = String::new();
    for row in rows {
        let cells: Vec<Vec<String>> = iter::zip(row, &widths)
            .map(|(cell, width)| wrap(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for n in 0..height {
            let mut line = String::new();
            let mut column = 0;
            for (cell, width) in iter::zip(&cells, &widths) {
                let text = cell.get(n).map_or("", String::as_str);
                let gap = column - visible_width(&line).min(column);
                line.extend(iter::repeat_n(' ', if text.is_empty() { 0 } else { gap }));
                line.push_str(text);
                column += width + GAP;
            }
            page.push_str(&line);
            page.push('\n');
        }
    }
    page
}

/// The width of each column.
fn fit(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |n: usize, measure: &dyn Fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(n));
        cells.map(|cell| measure(cell)).max().unwrap_or(0)
    };
    let longest_word = |cell: &str| {
        cell.split_whitespace()
            .map(visible_width)
            .max()
            .unwrap_or(0)
    };
    let least: Vec<usize> = (0..count).map(|n| widest(n, &longest_word)).collect();
    let mut widths: Vec<usize> = (0..count).map(|n| widest(n, &visible_width)).collect();
    let gaps = GAP * count.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let shrinkable = (0..count).filter(|n| widths[*n] > least[*n]);
        // What sticks out of the last column puts nothing out of line.
        let tail = (count - 1..count).find(|n| widths[*n] > NARROWEST);
        let Some(n) = shrinkable.max_by_key(|n| widths[*n]).or(tail) else {
            break;
        };
        widths[n] -= 1;
    }
    widths
}

/// Cuts a line into characters and whole escape sequences (ECMA-48, section 5.4).
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = if first == ESCAPE {
            rest.find(|c: char| c.is_ascii_alphabetic())
                .map_or(rest.len(), |at| at + 1)
        } else {
            first.len_utf8()
        };
        let piece;
        (piece, rest) = rest.split_at(end);
        Some(piece)
    })
}

const ESCAPE: char = '\x1b';

/// How narrow the last column may become, whatever its longest word.
const NARROWEST: usize = 16;

/// Spaces between columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const RED: &str = "\x1b[31mred\x1b[0m";

    #[test]
    fn colour_takes_no_column_and_survives_the_cut() {
        assert_eq!(visible_width(RED), 3);
        assert_eq!(clip(RED, 2), "\x1b[31mre\x1b[0m");
        assert_eq!(clip("a…b", 2), "a…");
    }

    #[test]
    fn words_are_wrapped_and_never_cut() {
        for (text, expected) in [
            ("", &[""][..]),
            ("a bb ccc", &["a bb", "ccc"]),
            ("a longest b", &["a", "longest", "b"]),
        ] {
            assert_eq!(wrap(text, 4), expected, "{text:?}");
        }
    }

    #[test]
    fn columns_are_aligned_and_the_widest_gives_way() {
        let cells = |row: [&str; 3]| row.map(str::to_owned).to_vec();
        let rows = [
            cells(["NAME", "WHAT", "LAST"]),
            cells(["a", "many words that go on", RED]),
            cells(["b", "", "x"]),
        ];
        let expected = format!(
            "NAME  WHAT          LAST\na     many words    {RED}\n      that go on\nb                   x\n"
        );
        assert_eq!(columns(&rows, 24), expected);
        let long = [[
            "name".to_owned(),
            "see the_longest_word_of_all of it".to_owned(),
        ]
        .to_vec()];
        let expected = "name  see\n      the_longest_word_of_all\n      of it\n";
        assert_eq!(columns(&long, 22), expected);
    }
}
