//! What does a CEL expression say of a JSON body?
//!
//! The one variable is `body`. An expression that names another does not compile, as in
//! `blackbox_exporter`, rather than fail in every run.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use cel::common::ast::{EntryExpr, Expr, MapExpr, StructExpr};
use cel::{Context, IdedExpr, Program, Value};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A compiled expression of the Common Expression Language.
pub(crate) struct Expression {
    written: String,
    program: Program,
}

impl Expression {
    /// Whether it holds for this body, or why that cannot be said.
    pub(crate) fn holds(&self, body: &serde_json::Value) -> Result<bool, String> {
        let mut context = Context::default();
        let said = context
            .add_variable("body", body)
            .map_err(|why| why.to_string());
        said?;
        match self.program.execute(&context) {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(other) => Err(format!(
                "it is not true or false but of type {}",
                other.type_of()
            )),
            Err(why) => Err(why.to_string()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser's grammar is made by a generator, and has been seen to panic on odd input.
        let compiled = catch_unwind(AssertUnwindSafe(|| Program::compile(text)));
        let program = match compiled {
            Ok(Ok(program)) => program,
            Ok(Err(why)) => return Err(why.to_string().lines().collect::<Vec<_>>().join(" ")),
            Err(_) => return Err("the parser cannot make anything of it".to_owned()),
        };
        let mut known = vec!["body"];
        known.extend(TYPES);
        iterated(program.expression(), &mut known);
        let references = program.references();
        let mut variables = references.variables().into_iter();
        if let Some(name) = variables.find(|name| !known.contains(name)) {
            return Err(format!("there is no variable `{name}`, only `body`"));
        }
        Ok(Self {
            written: text.to_owned(),
            program,
        })
    }
}

/// Adds the variables that macros such as `all` and `exists` go through a list with.
fn iterated<'e>(expression: &'e IdedExpr, names: &mut Vec<&'e str>) {
    let mut parts: Vec<&'e IdedExpr> = Vec::new();
    match &expression.expr {
        Expr::Comprehension(each) => {
            names.push(&each.iter_var);
            names.extend(each.iter_var2.as_deref());
            parts.extend([&each.iter_range, &each.accu_init, &each.loop_cond]);
            parts.extend([&each.loop_step, &each.result]);
        }
        Expr::Call(call) => {
            parts.extend(call.target.as_deref());
            parts.extend(&call.args);
        }
        Expr::List(list) => parts.extend(&list.elements),
        Expr::Select(select) => parts.push(&select.operand),
        Expr::Map(MapExpr { entries }) | Expr::Struct(StructExpr { entries, .. }) => {
            for entry in entries {
                match &entry.expr {
                    EntryExpr::StructField(field) => parts.push(&field.value),
                    EntryExpr::MapEntry(entry) => parts.extend([&entry.key, &entry.value]),
                }
            }
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
    for part in parts {
        iterated(part, names);
    }
}

/// Names that stand for types.
const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.written)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why: String| {
            de::Error::custom(format!("not a CEL expression about `body`: {why}"))
        })
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_holds_or_does_not_or_cannot_say() {
        let nested = r#"{"foo": {"bar": "baz"}}"#;
        for (text, body, expected) in [
            ("body.foo.bar == 'baz'", nested, Some(true)),
            ("body.foo.bar == 'qux'", nested, Some(false)),
            ("body.foo.bar", nested, None),
            ("body.foo.bar == 'qux'", "{}", None),
            ("!has(body.foo)", "{}", Some(true)),
            ("body[2] == 'c'", r#"["a", "b", "c"]"#, Some(true)),
            ("body", "true", Some(true)),
            ("body.all(x, x > 0)", "[1, 2]", Some(true)),
            (
                "body.exists(x, x.a.all(y, y == 1))",
                r#"[{"a": [1]}]"#,
                Some(true),
            ),
            ("body.n > 1.5", r#"{"n": 2.5}"#, Some(true)),
        ] {
            let expression: Expression = text.parse().unwrap();
            let body = serde_json::from_str(body).unwrap();
            assert_eq!(expression.holds(&body).ok(), expected, "{text} {body}");
        }
    }

    #[test]
    fn what_does_not_compile_is_refused() {
        for text in [
            "foo.bar",
            "body ==",
            "body.foo == other",
            "body.all(x, z)",
            "",
            "(",
        ] {
            assert!(text.parse::<Expression>().is_err(), "{text:?}");
        }
    }
}
