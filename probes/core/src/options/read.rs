//! How is an author's options struct filled from what was written?
//!
//! A [`Node`] is deserialized by what the struct asks for, not by what the text looks like: a
//! `String` takes `1.10` as written, a `u8` wants it to be a number. Serde stops at the first
//! mistake, so [`read`] leaves out the entry at fault and reads again until nothing is left to
//! complain about; the tree itself is never changed. How a scalar's text is understood is decided
//! in [`scalar`], and the words of a mistake in [`mistake`].

mod mistake;
mod scalar;
mod variant;

use std::collections::HashSet;
use std::slice;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Kind, Node, OptionsError, Step};
use mistake::{Mistake, got};
use scalar::Literal;
use variant::Variant;

/// Fills `T` from `node`, or reports every mistake at once, in the order of their positions.
///
/// Where nothing was written (`key:`), a struct, map or list is read as an empty one, an `Option`
/// as `None`, and anything else is an error. `Deserialize` implementations that check more than
/// the shape report through `Error::custom`; that points at the value they were given.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<OptionsError>> {
    let mut errors: Vec<OptionsError> = Vec::new();
    let mut left_out = Vec::new();
    for _ in 0..MOST_ERRORS {
        let mistake = match T::deserialize(Reader {
            node,
            left_out: &left_out,
        }) {
            Ok(value) if errors.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(mistake) => mistake,
        };
        let culprit = mistake.culprit.unwrap_or(node);
        errors.extend(mistake.at(node).into_error(&errors));
        if std::ptr::eq(culprit, node) {
            break;
        }
        left_out.push(culprit);
    }
    errors.sort_by_key(|error| error.span.map(|span| (span.source, span.start)));
    Err(errors)
}

/// One value on its way into a type, without the entries that are already known to be wrong.
#[derive(Clone, Copy)]
struct Reader<'a, 'l> {
    node: &'a Node,
    left_out: &'l [&'a Node],
}

impl<'a> Reader<'a, '_> {
    fn of(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn leaves_out(self, node: &Node) -> bool {
        self.left_out.iter().any(|out| std::ptr::eq(*out, node))
    }

    fn text(self, expected: &str) -> Result<&'a str, Mistake<'a>> {
        self.node.text().ok_or_else(|| self.not(expected))
    }

    fn literal<T: Literal>(self) -> Result<T, Mistake<'a>> {
        match &self.node.kind {
            Kind::Scalar { text, plain: true } => {
                T::from_word(text).ok_or_else(|| self.not(T::EXPECTED))
            }
            Kind::Scalar { text, plain: false } if T::from_word(text).is_some() => {
                Err(self.not(T::EXPECTED).help("remove the quotes"))
            }
            _ => Err(self.not(T::EXPECTED)),
        }
    }

    /// The mistake is placed by whoever took the step to this node, for it knows what to leave out.
    fn not(self, expected: &str) -> Mistake<'a> {
        let message = match self.node.kind {
            Kind::Null => format!("the value is missing: expected {expected}"),
            _ => format!("expected {expected}, got {}", got(self.node)),
        };
        Mistake::new(message)
    }
}

impl<'de, 'a> de::Deserializer<'de> for Reader<'a, '_> {
    type Error = Mistake<'a>;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Bytes(bytes) => visitor.visit_bytes(bytes),
            Kind::Scalar { text, plain: false } => visitor.visit_str(text),
            Kind::Scalar { text, plain: true } => {
                if let Some(truth) = scalar::truth(text) {
                    visitor.visit_bool(truth)
                } else if let Some(number) = u64::from_word(text) {
                    visitor.visit_u64(number)
                } else if let Some(number) = i64::from_word(text) {
                    visitor.visit_i64(number)
                } else if let Some(number) = f64::from_word(text) {
                    visitor.visit_f64(number)
                } else {
                    visitor.visit_str(text)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_bool(self.literal()?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_i8(self.literal()?)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_i16(self.literal()?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_i32(self.literal()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_i64(self.literal()?)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_u8(self.literal()?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_u16(self.literal()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_u32(self.literal()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_u64(self.literal()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_f64(self.literal()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_f64(self.literal()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_str(self.text("one character")?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_str(self.text("text")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        match &self.node.kind {
            Kind::Bytes(bytes) => visitor.visit_bytes(bytes),
            // Bytes may also be written under a key that says how.
            Kind::Map(_) => self.deserialize_map(visitor),
            _ => visitor.visit_bytes(self.text("text")?.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        match self.node.kind {
            Kind::Null => visitor.visit_unit(),
            _ => Err(self.not("nothing")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        let elements = match &self.node.kind {
            Kind::List(elements) => elements.as_slice(),
            Kind::Null => &[],
            Kind::Scalar { .. } => {
                return Err(self.not("a list").help("put it in brackets: [ ]"));
            }
            Kind::Map(_) | Kind::Bytes(_) => return Err(self.not("a list")),
        };
        visitor.visit_seq(Elements {
            reader: self,
            index: 0,
            rest: elements.iter(),
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        let entries = match &self.node.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Null => &[],
            Kind::Scalar { .. } | Kind::Bytes(_) | Kind::List(_) => {
                let help = "write { key: value }, or {} for all defaults";
                return Err(self.not("keys with values").help(help));
            }
        };
        visitor.visit_map(Entries {
            reader: self,
            seen: HashSet::new(),
            value: None,
            rest: entries.iter(),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        match &self.node.kind {
            Kind::Scalar { text, .. } => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Map(entries) if let [(key, value)] = entries.as_slice() => {
                visitor.visit_enum(Variant {
                    reader: self,
                    key,
                    value,
                })
            }
            _ => Err(self.not(&mistake::one_of(variants))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake<'a>> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { unit_struct }
}

/// The elements of a list that have not been read yet.
struct Elements<'a, 'l> {
    reader: Reader<'a, 'l>,
    /// Of the next element, left out or not.
    index: usize,
    rest: slice::Iter<'a, Node>,
}

impl<'de, 'a> de::SeqAccess<'de> for Elements<'a, '_> {
    type Error = Mistake<'a>;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake<'a>> {
        for node in self.rest.by_ref() {
            self.index += 1;
            if !self.reader.leaves_out(node) {
                return seed
                    .deserialize(self.reader.of(node))
                    .map(Some)
                    .map_err(|mistake| mistake.at(node).within(Step::Index(self.index - 1)));
            }
        }
        Ok(None)
    }
}

/// The entries of a map that have not been read yet, and the value of the one half read.
struct Entries<'a, 'l> {
    reader: Reader<'a, 'l>,
    seen: HashSet<&'a str>,
    value: Option<(&'a str, &'a Node)>,
    rest: slice::Iter<'a, (Node, Node)>,
}

impl<'de, 'a> de::MapAccess<'de> for Entries<'a, '_> {
    type Error = Mistake<'a>;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake<'a>> {
        for (key, value) in self.rest.by_ref() {
            if self.reader.leaves_out(value) {
                continue;
            }
            let placed = |mistake: Mistake<'a>| mistake.at_key(key, value);
            let name = self.reader.of(key).text("a key").map_err(placed)?;
            if !self.seen.insert(name) {
                let message = format!("the key `{name}` is given twice");
                return Err(placed(Mistake::new(message).help("keep one of the two")));
            }
            self.value = Some((name, value));
            return seed
                .deserialize(self.reader.of(key))
                .map(Some)
                .map_err(placed);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Mistake<'a>> {
        let (name, value) = self
            .value
            .take()
            .expect("serde asks for a key before its value");
        seed.deserialize(self.reader.of(value))
            .map_err(|mistake| mistake.at(value).within(Step::Key(name.to_owned())))
    }
}

/// After these many, reading again for one more does not help anybody.
const MOST_ERRORS: usize = 50;

#[cfg(test)]
mod tests;
