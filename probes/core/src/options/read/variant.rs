//! How is a variant that carries a value read: `{ range: { least: 1 } }`?
//!
//! It is a map of one key, as serde tags enums by default. A variant without a value is written as
//! its name alone, and does not come here.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::super::{Kind, Node, Step};
use super::{Mistake, Reader};

/// A variant with its value, on its way into an enum.
#[derive(Clone, Copy)]
pub(super) struct Variant<'a, 'l> {
    pub(super) reader: Reader<'a, 'l>,
    pub(super) key: &'a Node,
    pub(super) value: &'a Node,
}

impl<'a> Variant<'a, '_> {
    fn placed(self, mistake: Mistake<'a>) -> Mistake<'a> {
        let name = self.key.text().unwrap_or_default().to_owned();
        mistake
            .at_key(self.value, self.reader.node)
            .within(Step::Key(name))
    }
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a, '_> {
    type Error = Mistake<'a>;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), Mistake<'a>> {
        let placed = |mistake: Mistake<'a>| mistake.at_key(self.key, self.reader.node);
        let name = self.reader.of(self.key).text("a key").map_err(placed)?;
        let name: StrDeserializer<'_, Mistake<'a>> = name.into_deserializer();
        let variant = seed.deserialize(name).map_err(placed)?;
        Ok((variant, self))
    }
}

impl<'de, 'a> de::VariantAccess<'de> for Variant<'a, '_> {
    type Error = Mistake<'a>;

    fn unit_variant(self) -> Result<(), Mistake<'a>> {
        match self.value.kind {
            Kind::Null => Ok(()),
            _ => Err(self.placed(self.reader.of(self.value).not("nothing under it"))),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, Mistake<'a>> {
        seed.deserialize(self.reader.of(self.value))
            .map_err(|mistake| self.placed(mistake))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        let value = self.reader.of(self.value);
        de::Deserializer::deserialize_tuple(value, length, visitor)
            .map_err(|mistake| self.placed(mistake))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake<'a>> {
        let value = self.reader.of(self.value);
        de::Deserializer::deserialize_map(value, visitor).map_err(|mistake| self.placed(mistake))
    }
}
