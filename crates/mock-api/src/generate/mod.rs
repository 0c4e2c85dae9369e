//! Values made up from schemas: the same ones for the same seed and the same request.

mod array;
pub mod dice;
mod merge;
mod number;
mod object;
mod pattern;
mod text;
pub mod words;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::schema::Direction;
use crate::json_pointer;
use dice::Dice;

/// Deeper than this nothing optional is made.
const SHALLOW: usize = 6;
/// Deeper than this nothing is made at all.
const DEEPEST: usize = 40;
/// So often another value is tried before one is given that does not quite fit.
const ATTEMPTS: usize = 16;

/// Whether the examples that schemas bring are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examples {
    Used,
    Ignored,
}

/// How much is made of what may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Optional {
    Mostly,
    Never,
}

pub(super) struct Generator<'a> {
    root: &'a Value,
    dice: Dice,
    examples: Examples,
    optional: Optional,
    /// References that lead to what is being made, for schemas that contain themselves.
    within: Vec<String>,
}

/// A value that a schema allows, if one is found: there are schemas that allow none.
pub fn value(root: &Value, schema: &Value, validator: Option<&Validator>, dice: &Dice, examples: Examples) -> Value {
    let attempts = (0..ATTEMPTS).map(|attempt| {
        let optional = if attempt < ATTEMPTS / 2 { Optional::Mostly } else { Optional::Never };
        (optional, if attempt == 0 { examples } else { Examples::Ignored })
    });
    first_valid(root, schema, validator, dice, attempts)
}

/// The same with nothing in it that may be left out.
pub fn least(root: &Value, schema: &Value, validator: Option<&Validator>, dice: &Dice) -> Value {
    let attempts = (0..ATTEMPTS).map(|_| (Optional::Never, Examples::Ignored));
    first_valid(root, schema, validator, dice, attempts)
}

fn first_valid(
    root: &Value,
    schema: &Value,
    validator: Option<&Validator>,
    dice: &Dice,
    attempts: impl Iterator<Item = (Optional, Examples)>,
) -> Value {
    let (mut dice, mut first) = (dice.clone(), None);
    for (optional, examples) in attempts {
        let mut generator = Generator { root, dice: dice.clone(), examples, optional, within: Vec::new() };
        let made = generator.make(schema, "", 0);
        if validator.is_none_or(|validator| validator.is_valid(&made)) {
            return made;
        }
        first.get_or_insert(made);
        dice.next();
    }
    first.unwrap_or(Value::Null)
}

impl Generator<'_> {
    /// A value for a schema, as the member of this name.
    fn make(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        let within = self.within.len();
        let flat = self.flat(schema);
        let made = self.make_flat(&flat, name, depth);
        self.within.truncate(within);
        made
    }

    fn make_flat(&mut self, schema: &Map<String, Value>, name: &str, depth: usize) -> Value {
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if self.examples == Examples::Used
            && let Some(example) = example(schema)
        {
            return example.clone();
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            let told: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
            let at = self.dice.below(told.len());
            return told.get(at).map_or(Value::Null, |value| (*value).clone());
        }
        match self.kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => number::integer(schema, &mut self.dice),
            "number" => number::number(schema, &mut self.dice),
            "boolean" => Value::Bool(self.dice.chance(50)),
            "null" => Value::Null,
            _ => Value::String(text::text(schema, name, &mut self.dice)),
        }
    }

    /// The type that a value is to have: said, or to be guessed from what else is said.
    fn kind<'s>(&mut self, schema: &'s Map<String, Value>) -> &'s str {
        const HINTS: [(&str, &[&str]); 4] = [
            ("object", &["properties", "required", "additionalProperties", "patternProperties", "minProperties"]),
            ("array", &["items", "prefixItems", "minItems", "uniqueItems", "contains"]),
            ("string", &["pattern", "format", "minLength", "maxLength"]),
            ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
        ];
        match schema.get("type") {
            Some(Value::String(one)) => one,
            Some(Value::Array(some)) => {
                let told: Vec<&str> = some.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
                self.dice.pick(&told).unwrap_or("null")
            }
            _ => HINTS
                .iter()
                .find(|(_, keywords)| keywords.iter().any(|keyword| schema.contains_key(*keyword)))
                .map_or("string", |(kind, _)| kind),
        }
    }

    /// One schema without references, `allOf` and alternatives: of these one is taken.
    fn flat(&mut self, schema: &Value) -> Map<String, Value> {
        let mut flat = Map::new();
        self.flatten(schema, &mut flat, 0);
        flat
    }

    fn flatten(&mut self, schema: &Value, flat: &mut Map<String, Value>, hops: usize) {
        let Value::Object(members) = schema else {
            return;
        };
        if hops > DEEPEST {
            return;
        }
        let branches = ["allOf", "anyOf", "oneOf", "$ref", "discriminator"];
        let own = members.iter().filter(|(name, _)| !branches.contains(&name.as_str()));
        merge::into(flat, own.map(|(name, value)| (name.clone(), value.clone())).collect());
        if let Some((pointer, target)) = self.target(members) {
            self.within.push(pointer);
            self.flatten(target, flat, hops + 1);
        }
        if let Some(Value::Array(all)) = members.get("allOf") {
            all.iter().for_each(|one| self.flatten(one, flat, hops + 1));
        }
        for keyword in ["anyOf", "oneOf"] {
            let Some(Value::Array(some)) = members.get(keyword) else { continue };
            let Some(one) = self.branch(some) else { continue };
            self.flatten(one, flat, hops + 1);
            if let Some((property, name)) = members.get("discriminator").and_then(|says| branch_name(says, one))
                && self.may_be(flat, &property, &name)
            {
                let properties = flat.entry("properties").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(properties) = properties {
                    properties.insert(property, serde_json::json!({"const": name}));
                }
            }
        }
    }

    /// Whether a schema lets a property have this name of a branch for its value: what the schema says comes before a name
    /// that the discriminator only implies.
    fn may_be(&mut self, schema: &Map<String, Value>, property: &str, name: &str) -> bool {
        let Some(property) = schema.get("properties").and_then(|properties| properties.get(property)).cloned() else {
            return true;
        };
        let within = self.within.len();
        let flat = self.flat(&property);
        self.within.truncate(within);
        let listed =
            flat.get("enum").and_then(Value::as_array).is_none_or(|values| values.iter().any(|one| one == name));
        listed && flat.get("const").is_none_or(|only| only == name)
    }

    fn target<'s>(&self, schema: &'s Map<String, Value>) -> Option<(String, &'s Value)>
    where
        Self: 's,
    {
        let pointer = json_pointer::local(schema.get("$ref")?.as_str()?)?;
        let target = self.root.pointer(&pointer)?;
        Some((pointer, target))
    }

    /// One of some alternatives: rather not null, and rather not what is being made already.
    fn branch<'s>(&mut self, some: &'s [Value]) -> Option<&'s Value> {
        let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
        let told: Vec<&Value> = some.iter().filter(|one| !is_null(one)).collect();
        let fresh: Vec<&Value> = told.iter().copied().filter(|one| !self.recurs(one)).collect();
        let of = [fresh, told, some.iter().collect()].into_iter().find(|of| !of.is_empty())?;
        of.get(self.dice.below(of.len())).copied()
    }

    /// Whether a schema is part of itself here.
    fn recurs(&self, schema: &Value) -> bool {
        let Value::Object(members) = schema else { return false };
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            return json_pointer::local(reference).is_some_and(|pointer| self.within.contains(&pointer));
        }
        let lists = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| members.get(keyword)?.as_array());
        let single = ["items", "additionalProperties"].into_iter().filter_map(|keyword| members.get(keyword));
        lists.flatten().chain(single).any(|one| self.recurs(one))
    }
}

/// An example that a schema brings.
pub fn example(schema: &Map<String, Value>) -> Option<&Value> {
    let listed = || schema.get("examples").and_then(Value::as_array).and_then(|list| list.first());
    schema.get("example").or_else(listed).or_else(|| schema.get("default"))
}

/// OpenAPI, Discriminator Object: a property, and its value that says that it is this of the alternatives.
fn branch_name(discriminator: &Value, branch: &Value) -> Option<(String, String)> {
    let property = discriminator.get("propertyName").and_then(Value::as_str)?;
    let reference = branch.get("$ref").and_then(Value::as_str)?;
    let mapped = discriminator.get("mapping").and_then(Value::as_object).and_then(|mapping| {
        mapping.iter().find(|(name, target)| {
            target.as_str() == Some(reference)
                || target.as_str().is_some_and(|target| reference.ends_with(&format!("/{target}"))) && !name.is_empty()
        })
    });
    let name = mapped.map_or_else(|| reference.rsplit('/').next().unwrap_or_default(), |(name, _)| name.as_str());
    Some((property.to_owned(), name.to_owned()))
}

/// Whether a property is not there in answers.
fn is_hidden(root: &Value, property: &Value) -> bool {
    let says = |schema: &Value| schema.get(Direction::Answer.absent()) == Some(&Value::Bool(true));
    let target = property.get("$ref").and_then(Value::as_str).and_then(json_pointer::local);
    says(property) || target.and_then(|at| root.pointer(&at)).is_some_and(says)
}

/// Takes out of a value what its schema says is only written.
pub fn strip(root: &Value, schema: &Value, value: &mut Value) {
    strip_to(root, schema, value, 0);
}

fn strip_to(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(json_pointer::local)
        && let Some(target) = root.pointer(&pointer)
    {
        strip_to(root, target, value, depth + 1);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let some = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
        some.for_each(|one| strip_to(root, one, value, depth + 1));
    }
    match value {
        Value::Array(items) => {
            let schema = schema.get("items").into_iter();
            schema.for_each(|schema| items.iter_mut().for_each(|item| strip_to(root, schema, item, depth + 1)));
        }
        Value::Object(members) => {
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if is_hidden(root, property) {
                    members.remove(name);
                } else if let Some(value) = members.get_mut(name) {
                    strip_to(root, property, value, depth + 1);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
