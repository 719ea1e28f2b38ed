//! What did the person write in a YAML file, and where does each word stand?
//!
//! The events of a YAML parser become a [`Node`] tree. Anchors, merge keys and tags are resolved
//! here and `${env:NAME}` is replaced, so that nothing behind this module knows of them; each
//! keeps the place where it was written. A copy made by an alias keeps the place of its anchor.
//!
//! It does not decide what a scalar means, and it does not know the configuration.

mod binary;
mod environment;
mod syntax;

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use leadsman_core::options::{Kind, Node, Span};

use super::diagnose::Problem;

/// Reads the one document in `text`. Problems that do not hide the rest of the file are added to
/// `problems`, and reading goes on; `variables` looks up the environment.
pub(super) fn parse(
    text: &str,
    variables: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Result<Node, Problem> {
    if u32::try_from(text.len()).is_err() {
        return Err(Problem::error(None, "the file is larger than 4 GiB"));
    }
    let limits = granit_parser::options! {
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut reader = Reader {
        text,
        events: Parser::new_from_str_with_options(text, limits),
        variables,
        anchors: HashMap::new(),
        tag: None,
        copied: 0,
        problems,
    };
    reader.document()
}

struct Reader<'t, 'c> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    variables: &'c dyn Fn(&str) -> Option<String>,
    anchors: HashMap<usize, Node>,
    /// Where the tag of the last event stands, if it has one.
    tag: Option<Span>,
    /// Nodes that aliases have copied so far.
    copied: usize,
    problems: &'c mut Vec<Problem>,
}

impl<'t> Reader<'t, '_> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(..), span) if root.is_some() => {
                    return Err(Problem::error(Some(span), "a second document starts here")
                        .help("a configuration is one document: remove the line `---`"));
                }
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (event, span) => root = Some(self.node(event, span, 0)?),
            }
        }
        root.filter(|root| root.kind != Kind::Null).ok_or_else(|| {
            Problem::error(None, "the file is empty")
                .help("it needs at least `probes:` or `modules:`")
        })
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                self.tag = span.tag_span().map(|tag| self.span(tag.start, tag.end));
                Ok((event, self.span(span.start, span.end)))
            }
            Some(Err(error)) => {
                let at = self.span(*error.marker(), *error.marker());
                Err(syntax::explain(error.kind(), self.text, at))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn span(&self, start: granit_parser::Marker, end: granit_parser::Marker) -> Span {
        let offset = |marker: granit_parser::Marker| {
            let offset = marker.byte_offset().unwrap_or(0).min(self.text.len());
            u32::try_from(offset).expect("the length of the text was checked at the start")
        };
        Span {
            source: 0,
            start: offset(start),
            end: offset(end),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_deref(), span)?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["seq"]);
                (anchor, self.list(span, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["map"]);
                (anchor, self.map(span, depth)?)
            }
            Event::Alias(anchor) => (0, self.alias(anchor, span, depth)?),
            _ => return Err(Problem::error(Some(span), "a value was expected here")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let last = elements.last().and_then(|node: &Node| node.span);
                    let span = Some(around(start, last, end));
                    let kind = Kind::List(elements);
                    return Ok(Node { span, kind });
                }
                (event, span) => elements.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        let end = loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) => break end,
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if value.kind == Kind::Null && value.span.is_none_or(|span| span.start == span.end) {
                // There is no text to point at, and the parser is already at what comes next.
                value.span = key.span;
            }
            match &key.kind {
                Kind::Scalar { text, plain: true } if text == "<<" => merged.push(value),
                Kind::Scalar { .. } => entries.push((key, value)),
                _ => self.problems.push(
                    Problem::error(key.span, "a key must be one word or quoted text")
                        .help("quote a value that starts with `{`, `[`, `*` or `&`"),
                ),
            }
        };
        let last = entries.last().and_then(|(_, value)| value.span);
        let span = Some(around(start, last, end));
        self.drop_duplicates(&mut entries);
        for value in merged {
            self.merge(&mut entries, value);
        }
        let kind = Kind::Map(entries);
        Ok(Node { span, kind })
    }

    /// Reports each key that was given before, and keeps the first.
    fn drop_duplicates(&mut self, entries: &mut Vec<(Node, Node)>) {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|at| entries[*at].0.text());
        let mut dropped: Vec<usize> = Vec::new();
        for pair in order.windows(2) {
            let (first, second) = (&entries[pair[0]].0, &entries[pair[1]].0);
            if first.text() == second.text() {
                let name = second.text().unwrap_or_default();
                let line = first.span.map_or(0, |span| self.line(span));
                self.problems.push(
                    Problem::error(second.span, format!("the key `{name}` is given twice"))
                        .help(format!("it is already on line {line}: keep one of the two")),
                );
                dropped.push(pair[1]);
            }
        }
        dropped.sort_unstable();
        for at in dropped.into_iter().rev() {
            entries.remove(at);
        }
    }

    fn line(&self, span: Span) -> usize {
        self.text[..span.start as usize].matches('\n').count() + 1
    }

    /// Adds what `<<` names, unless the map has it already; of several, the first counts.
    fn merge(&mut self, entries: &mut Vec<(Node, Node)>, value: Node) {
        match value.kind {
            Kind::Map(more) => {
                for (key, value) in more {
                    if entries.iter().all(|(known, _)| known.text() != key.text()) {
                        entries.push((key, value));
                    }
                }
            }
            Kind::List(maps) if maps.iter().all(|map| matches!(map.kind, Kind::Map(_))) => {
                for map in maps {
                    self.merge(entries, map);
                }
            }
            _ => self.problems.push(
                Problem::error(value.span, "`<<` can only merge keys with values")
                    .help("name an anchor that stands on keys with values: `<<: *anchor`"),
            ),
        }
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(
                Problem::error(Some(span), "this alias stands inside its own anchor")
                    .help("an alias repeats something that is already complete"),
            );
        };
        let (nodes, levels) = extent(node);
        self.copied += nodes;
        if self.copied > MOST_COPIED {
            return Err(Problem::error(
                Some(span),
                format!("the aliases up to here repeat more than {MOST_COPIED} values"),
            )
            .help("aliases of aliases multiply: write fewer of them"));
        }
        if depth + levels > DEEPEST {
            return Err(Problem::error(
                Some(span),
                format!("this alias nests deeper than {DEEPEST} levels"),
            ));
        }
        Ok(node.clone())
    }

    fn scalar(
        &mut self,
        written: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Problem> {
        let at = Some(span);
        let name = self.check_tag(tag, &["str", "int", "float", "bool", "null", "binary"]);
        let plain = match name {
            Some("str" | "binary") => false,
            Some(_) => true,
            None => style == ScalarStyle::Plain && tag.is_none(),
        };
        if plain && matches!(written, "" | "~" | "null" | "Null" | "NULL") {
            return Ok(Node {
                span: at,
                kind: Kind::Null,
            });
        }
        if name == Some("binary") {
            let bytes = binary::decode(written);
            let bytes =
                bytes.ok_or_else(|| Problem::error(at, "a `!!binary` value must be base64"))?;
            let kind = match String::from_utf8(bytes) {
                Ok(text) => Kind::Scalar { text, plain },
                Err(other) => Kind::Bytes(other.into_bytes()),
            };
            return Ok(Node { span: at, kind });
        }
        let text = self.substituted(written, span);
        let plain = plain || (tag.is_none() && environment::is_reference(written));
        let kind = Kind::Scalar { text, plain };
        Ok(Node { span: at, kind })
    }

    /// Replaces `${env:NAME}`; reports a name that is not set, and leaves its place empty.
    fn substituted(&mut self, text: &str, span: Span) -> String {
        environment::substitute(text, self.variables, |mistake| {
            let written = &self.text[span.start as usize..span.end as usize];
            // The scalar's text is not the source's where there are escapes: then mark it all.
            let span = written.find(mistake.written).map_or(span, |at| Span {
                start: span.start + at as u32,
                end: span.start + (at + mistake.written.len()) as u32,
                ..span
            });
            self.problems
                .push(Problem::error(Some(span), mistake.message).help(mistake.help));
        })
    }

    /// The short name of a tag of YAML's own that is one of `known`; reports any other tag.
    fn check_tag<'g>(&mut self, tag: Option<&'g Tag>, known: &[&str]) -> Option<&'g str> {
        let tag = tag?;
        let own = tag.handle() == "tag:yaml.org,2002:" || tag.handle() == "!!";
        if own && known.contains(&tag.suffix()) {
            return Some(tag.suffix());
        }
        // `!` alone only says that a scalar is text.
        if tag.to_string() != "!" {
            self.problems.push(
                Problem::error(self.tag, format!("the tag `{tag}` means nothing here"))
                    .help("remove it"),
            );
        }
        None
    }
}

/// From the start of a collection to its last value, or to its bracket if that is further.
fn around(start: Span, last: Option<Span>, end: Span) -> Span {
    // A block's end is only noticed at whatever comes next, and then it is an empty place.
    let bracket = if end.start < end.end { end.end } else { 0 };
    let last = last.map_or(start.end, |span| span.end);
    Span {
        end: last.max(bracket).max(start.start),
        ..start
    }
}

/// How many nodes there are in a tree, and how many levels.
fn extent(node: &Node) -> (usize, usize) {
    let of = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes
            .map(extent)
            .fold((1, 1), |(count, deepest), (nodes, levels)| {
                (count + nodes, deepest.max(levels + 1))
            })
    };
    match &node.kind {
        Kind::Null | Kind::Scalar { .. } | Kind::Bytes(_) => (1, 1),
        Kind::List(elements) => of(&mut elements.iter()),
        Kind::Map(entries) => of(&mut entries.iter().flat_map(|(key, value)| [key, value])),
    }
}

/// Levels that a file may nest; trees are walked by recursion.
const DEEPEST: usize = 64;

/// Nodes that all aliases of a file may copy: enough to give each of 100,000 targets the same
/// labels, and too few for aliases of aliases to fill the memory.
const MOST_COPIED: usize = 1_000_000;

#[cfg(test)]
mod tests;
