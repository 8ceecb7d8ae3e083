//! The shape of a condition's JSON, for the API's document: the same words that [`Condition::parse`]
//! takes, from the same lists. A nested condition refers back to the shape by its name.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Condition, MAX_DEPTH, MAX_TESTS, Op, PROFILE_FIELDS};

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<Self>();
        let mut fields = PROFILE_FIELDS.to_vec();
        fields.extend(["group", "community", "directory"]);
        let ops: Vec<&str> = Op::ALL.iter().map(|(name, _)| *name).collect();
        let several = json_schema!({ "type": "array", "items": inner, "minItems": 1 });
        json_schema!({
            "description": format!(
                "For whom: a comparison, or several joined. At most {MAX_DEPTH} deep, with at most {MAX_TESTS} comparisons."
            ),
            "oneOf": [
                {
                    "title": "Comparison",
                    "type": "object",
                    "required": ["field", "op"],
                    "additionalProperties": false,
                    "properties": {
                        "field": { "anyOf": [
                            { "type": "string", "enum": fields },
                            { "type": "string", "pattern": "^attributes\\..+$" },
                        ] },
                        "op": { "type": "string", "enum": ops },
                        "value": { "description": "What is compared with; a list for `in`, true or false for `exists`." },
                    },
                },
                joined("all", &several),
                joined("any", &several),
                joined("not", &inner),
            ],
        })
    }
}

fn joined(word: &str, inner: &Schema) -> Schema {
    json_schema!({
        "type": "object",
        "required": [word],
        "additionalProperties": false,
        "properties": { (word): inner },
    })
}
