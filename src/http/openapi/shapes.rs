//! JSON Schemas (2020-12, which is OpenAPI 3.1's) of what the API takes and gives, read off the types
//! that serde reads and writes. What is taken and what is given may differ in one type (a field with a
//! default may be left out, but is always told), so each side has a generator of its own.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::operations::MAX_LIMIT;

const HOME: &str = "/components/schemas";
const REF: &str = "#/components/schemas/";

/// All the shapes that a document names.
#[derive(Debug)]
pub(crate) struct Shapes {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

fn generator(contract: Contract) -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = HOME.into();
            settings.meta_schema = None;
            settings.contract = contract;
        })
        .into_generator()
}

impl Shapes {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            taken: generator(Contract::Deserialize),
            given: generator(Contract::Serialize),
        }
    }

    /// The schema of something that is sent to us. Its references are told apart from those of what
    /// we answer only in the end, where [`Self::named`] sees which names stand for two shapes.
    pub(super) fn taken<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.taken.subschema_for::<T>().to_value();
        rename(&mut schema, &|name| format!("{name}{TAKEN}"));
        schema
    }

    /// The schema of something we answer.
    pub(super) fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }

    /// The parameters of a query, one for each field of its type.
    pub(super) fn query<T: JsonSchema>(&mut self) -> Vec<Value> {
        let mut schema = T::json_schema(&mut self.taken).to_value();
        let required = schema["required"].take();
        let Value::Object(fields) = schema["properties"].take() else {
            return Vec::new();
        };
        let is_required = |name: &str| {
            let all = required.as_array();
            all.is_some_and(|all| all.iter().any(|one| one == name))
        };
        let parameter = |(name, mut schema): (String, Value)| {
            not_null(&mut schema);
            if name == "limit" {
                schema["minimum"] = json!(1);
                schema["maximum"] = json!(MAX_LIMIT);
            }
            let description = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"))
                .unwrap_or_else(|| json!(usual(&name)));
            json!({
                "name": name, "in": "query", "required": is_required(&name),
                "description": description, "schema": schema,
            })
        };
        fields.into_iter().map(parameter).collect()
    }

    /// Every named shape, and the document with its references put right.
    pub(super) fn named(mut self, document: &mut Value) -> Map<String, Value> {
        let mut all = self.given.take_definitions(true);
        let taken = self.taken.take_definitions(true);
        let differ = |name: &str| all.get(name).is_some_and(|given| *given != taken[name]);
        let last = |name: &str| {
            let bare = name.strip_suffix(TAKEN).unwrap_or(name);
            if name.ends_with(TAKEN) && differ(bare) {
                format!("{bare}Body")
            } else {
                bare.to_owned()
            }
        };
        rename(document, &last);
        let renamed: Vec<(String, Value)> = taken
            .iter()
            .map(|(name, schema)| {
                let mut schema = schema.clone();
                rename(&mut schema, &|inner| last(&format!("{inner}{TAKEN}")));
                (last(&format!("{name}{TAKEN}")), schema)
            })
            .collect();
        all.extend(renamed);
        all
    }
}

/// Marks the references of what is taken, until the document is whole.
const TAKEN: &str = "\u{1}taken";

fn rename(schema: &mut Value, name: &dyn Fn(&str) -> String) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "$ref" => {
                        if let Some(old) = text.strip_prefix(REF) {
                            *text = format!("{REF}{}", name(old));
                        }
                    }
                    other => rename(other, name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        _ => {}
    }
}

/// A parameter that is left out is not there; it is never null.
fn not_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array_mut() {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|one| !one.is_null());
    }
    let one = schema["anyOf"].as_array().and_then(|options| {
        let mut there = options.iter().filter(|one| one["type"] != "null");
        there.next().filter(|_| there.next().is_none()).cloned()
    });
    match (schema.as_object_mut(), one) {
        (Some(fields), Some(Value::Object(one))) => {
            fields.remove("anyOf");
            fields.extend(one);
        }
        (Some(fields), _) if fields.get("type") == Some(&Value::Null) => {
            fields.remove("type");
        }
        _ => {}
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// What is said of parameters that many lists have.
fn usual(name: &str) -> &'static str {
    match name {
        "limit" => "How many rows a page has: 1 to 200, 50 when not said.",
        "cursor" => "`next_cursor` of the page before, as it came.",
        "organization_id" => "Only of this organization.",
        "directory_id" => "Only of this directory.",
        "profile_id" => "Only about this person.",
        "since" => "Not before this instant.",
        "until" => "Before this instant.",
        "q" => "Text to look for.",
        _ => "Only those with this value.",
    }
}
