//! Lists.

use serde_json::{Map, Value};

use super::{Generator, Optional, SHALLOW};

/// More than this is made of a list only if it must be.
const FEW: usize = 3;
/// More than this is not made even then.
const MOST: usize = 1000;

impl Generator<'_> {
    pub(super) fn array(&mut self, schema: &Map<String, Value>, name: &str, depth: usize) -> Value {
        let length = |keyword: &str| {
            schema.get(keyword).and_then(Value::as_f64).map(|number| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
                let length = number.clamp(0.0, 1000.0) as usize;
                length
            })
        };
        let any = Value::Bool(true);
        let items = schema.get("items").unwrap_or(&any);
        let mut list: Vec<Value> = Vec::new();
        if let Some(Value::Array(first)) = schema.get("prefixItems") {
            for one in first {
                let made = self.make(one, name, depth + 1);
                list.push(made);
            }
        }
        if let Some(contained) = schema.get("contains") {
            for _ in 0..length("minContains").unwrap_or(1) {
                let made = self.make(contained, name, depth + 1);
                list.push(made);
            }
        }
        let least = length("minItems").unwrap_or(0);
        let most = length("maxItems").unwrap_or(MOST).min(MOST);
        let wanted = if items == &Value::Bool(false) {
            list.len()
        } else if self.optional == Optional::Never || depth > SHALLOW || self.recurs(items) {
            least
        } else {
            let (low, high) = (least.max(1).min(most), least.max(FEW).min(most));
            low + self.dice.below(high + 1 - low)
        };
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let singular = name.strip_suffix('s').unwrap_or(name).to_owned();
        let mut failures = 0;
        while list.len() < wanted.min(most) && failures < 50 {
            let made = self.make(items, &singular, depth + 1);
            if unique && list.contains(&made) {
                failures += 1;
                // Another value is wanted now, and not the same example again.
                self.examples = super::Examples::Ignored;
            } else {
                list.push(made);
            }
        }
        Value::Array(list)
    }
}
