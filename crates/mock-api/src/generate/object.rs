//! Objects.

use serde_json::{Map, Value};

use super::{Generator, Optional, SHALLOW, is_hidden, pattern, words};

impl Generator<'_> {
    pub(super) fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (least, most) =
            (count("minProperties").unwrap_or(0).min(1000), count("maxProperties").unwrap_or(usize::MAX));
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();

        let mut object = Map::new();
        // In the order of the document, which is how people read it.
        let mut left_out = Vec::new();
        for (name, property) in properties {
            if is_hidden(self.root, property) {
                continue;
            }
            let open =
                most.saturating_sub(object.len()) > required.iter().filter(|name| !object.contains_key(**name)).count();
            if required.contains(&name.as_str()) || (open && self.wants(property, depth)) {
                let made = self.make(property, name, depth + 1);
                object.insert(name.clone(), made);
            } else if property != &Value::Bool(false) {
                left_out.push((name, property));
            }
        }
        for name in required {
            if !object.contains_key(name) && !properties.get(name).is_some_and(|known| is_hidden(self.root, known)) {
                let made = self.extra(schema, name, depth);
                object.insert(name.to_owned(), made);
            }
        }
        self.follow_dependencies(schema, properties, &mut object, depth);
        for (name, property) in left_out {
            if object.len() >= least {
                break;
            }
            let made = self.make(property, name, depth + 1);
            object.insert(name.clone(), made);
        }
        let is_map = properties.is_empty()
            && self.optional == Optional::Mostly
            && depth < SHALLOW
            && ["additionalProperties", "patternProperties"]
                .iter()
                .any(|keyword| schema.get(*keyword).is_some_and(|value| value.is_object() && !self.recurs(value)));
        let wanted = if is_map { least.max(2) } else { least }.min(most);
        for _ in 0..wanted.saturating_mul(4) {
            if object.len() >= wanted {
                break;
            }
            let Some(name) = self.new_name(schema) else { break };
            if !object.contains_key(&name) {
                let made = self.extra(schema, &name, depth);
                object.insert(name, made);
            }
        }
        Value::Object(object)
    }

    fn wants(&mut self, property: &Value, depth: usize) -> bool {
        property != &Value::Bool(false)
            && self.optional == Optional::Mostly
            && depth < SHALLOW
            && !self.recurs(property)
            && self.dice.chance(90)
    }

    /// A member that no property describes.
    fn extra(&mut self, schema: &Map<String, Value>, name: &str, depth: usize) -> Value {
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let matching = patterns.into_iter().flatten().find(|(pattern, _)| {
            jsonschema::options()
                .build(&serde_json::json!({"pattern": pattern}))
                .is_ok_and(|validator| validator.is_valid(&Value::String(name.to_owned())))
        });
        let any = Value::Bool(true);
        let schema = matching.map(|(_, schema)| schema).or_else(|| schema.get("additionalProperties")).unwrap_or(&any);
        let schema = schema.clone();
        self.make(&schema, name, depth + 1)
    }

    /// A name for a member that no property describes.
    fn new_name(&mut self, schema: &Map<String, Value>) -> Option<String> {
        let of_pattern = |generator: &mut Self, pattern: &str| pattern::text(pattern, &mut generator.dice, 0);
        if let Some(names) = schema.get("propertyNames") {
            let names = names.clone();
            return self.make(&names, "", 0).as_str().map(str::to_owned);
        }
        let first =
            schema.get("patternProperties").and_then(Value::as_object).and_then(|patterns| patterns.keys().next());
        if let Some(pattern) = first {
            // What is open at its end gets a word there, so that there are several.
            let end = if pattern.ends_with('$') { "" } else { words::word(&mut self.dice) };
            return of_pattern(self, &pattern.clone()).map(|name| name + end);
        }
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            return None;
        }
        Some(words::word(&mut self.dice).to_owned())
    }

    fn follow_dependencies(
        &mut self,
        schema: &Map<String, Value>,
        properties: &Map<String, Value>,
        object: &mut Map<String, Value>,
        depth: usize,
    ) {
        let Some(Value::Object(dependencies)) = schema.get("dependentRequired") else { return };
        // A chain is no longer than there are properties.
        for _ in 0..=dependencies.len() {
            let missing: Vec<String> = dependencies
                .iter()
                .filter(|(name, _)| object.contains_key(*name))
                .filter_map(|(_, needed)| needed.as_array())
                .flatten()
                .filter_map(Value::as_str)
                .filter(|name| !object.contains_key(*name))
                .map(str::to_owned)
                .collect();
            if missing.is_empty() {
                break;
            }
            for name in missing {
                let made = match properties.get(&name) {
                    Some(property) => self.make(property, &name, depth + 1),
                    None => self.extra(schema, &name, depth),
                };
                object.insert(name, made);
            }
        }
    }
}
