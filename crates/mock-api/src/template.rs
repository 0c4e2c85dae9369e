//! Templates in bodies: `{{claims.sub}}`, `{{path.id}}`, `{{random.int 1 10}}`. There is no code in them.

use serde_json::{Map, Value};

use crate::generate::dice::Dice;
use crate::generate::words;
use latchway_core::Seconds;

/// What templates may name.
pub struct Scope<'a> {
    /// `claims`, `path`, `query`, `header`, `body`, each an object; `null` where there is nothing.
    pub data: &'a Value,
    /// In Unix seconds.
    pub now: Seconds,
}

/// Fills templates in; what they name and nobody knows is noted.
pub struct Filler<'a> {
    scope: &'a Scope<'a>,
    dice: Dice,
    pub unknown: Vec<String>,
}

impl<'a> Filler<'a> {
    pub fn new(scope: &'a Scope<'a>, dice: Dice) -> Self {
        Self { scope, dice, unknown: Vec::new() }
    }

    /// A value with all templates in its texts filled in. A text that is one template keeps the type of what it names.
    pub fn fill(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect()),
            Value::Object(members) => {
                let filled = members.iter().map(|(name, value)| (name.clone(), self.fill(value)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// A text with its templates filled in, as a text.
    pub fn fill_string(&mut self, text: &str) -> String {
        string(self.fill_text(text))
    }

    fn fill_text(&mut self, text: &str) -> Value {
        let Some((before, rest)) = text.split_once("{{") else { return Value::String(text.to_owned()) };
        if before.is_empty()
            && let Some((expression, "")) = rest.split_once("}}")
        {
            return self.value(expression);
        }
        let (mut filled, mut rest) = (before.to_owned(), rest);
        loop {
            let Some((expression, after)) = rest.split_once("}}") else {
                filled.push_str("{{");
                filled.push_str(rest);
                return Value::String(filled);
            };
            // What is filled in is never read for templates itself.
            filled.push_str(&string(self.value(expression)));
            match after.split_once("{{") {
                Some((between, next)) => {
                    filled.push_str(between);
                    rest = next;
                }
                None => {
                    filled.push_str(after);
                    return Value::String(filled);
                }
            }
        }
    }

    fn value(&mut self, expression: &str) -> Value {
        let words: Vec<&str> = expression.split_whitespace().collect();
        let known = match words[..] {
            ["now"] => Some(date_time(self.scope.now).into()),
            ["now.unix"] => Some(self.scope.now.into()),
            ["random.uuid"] => Some(self.dice.uuid().to_string().into()),
            ["random.int", low, high] => {
                low.parse().ok().zip(high.parse().ok()).map(|(low, high)| self.dice.between(low, high).into())
            }
            ["random.int"] => Some(self.dice.between(1, 1000).into()),
            ["random.name"] => Some(words::name(&mut self.dice).into()),
            ["random.email"] => Some(words::email(&mut self.dice).into()),
            ["random.word"] => Some(words::word(&mut self.dice).into()),
            ["random.bool"] => Some(self.dice.chance(50).into()),
            [path] => lookup(self.scope.data, path).cloned(),
            _ => None,
        };
        known.unwrap_or_else(|| {
            self.unknown.push(expression.trim().to_owned());
            Value::String(String::new())
        })
    }
}

fn string(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What `a.b.0` names.
pub fn lookup<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(data, |value, name| match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// RFC 3339
pub fn date_time(seconds: Seconds) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(value: Value) -> (Value, Vec<String>) {
        let data = json!({
            "claims": {"sub": "anna", "roles": ["user", "admin"], "evil": "{{now}}"},
            "path": {"id": "7"}, "query": {"q": "x"}, "header": {"x-tenant": "acme"}, "body": {"a": {"b": 2}},
        });
        let scope = Scope { data: &data, now: 1_800_000_000 };
        let mut filler = Filler::new(&scope, Dice::new(1, &["t"]));
        (filler.fill(&value), filler.unknown)
    }

    #[test]
    fn what_is_named_is_filled_in() {
        let (value, unknown) = filled(json!({
            "sub": "{{claims.sub}}", "roles": "{{ claims.roles }}", "first": "{{claims.roles.0}}", "b": "{{body.a.b}}",
            "text": "{{path.id}} of {{header.x-tenant}}: {{body.a}}", "at": "{{now}}", "unix": "{{now.unix}}",
            "plain": ["{", "{{", "a{{b", "}}", 1, null],
        }));
        assert_eq!(
            value,
            json!({
                "sub": "anna", "roles": ["user", "admin"], "first": "user", "b": 2, "text": "7 of acme: {\"b\":2}",
                "at": "2027-01-15T08:00:00Z", "unix": 1_800_000_000, "plain": ["{", "{{", "a{{b", "}}", 1, null],
            })
        );
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn what_is_unknown_is_empty_and_noted() {
        let (value, unknown) = filled(json!(["{{claims.no}}", "a{{nothing}}b", "{{random.int x 2}}"]));
        assert_eq!(value, json!(["", "ab", ""]));
        assert_eq!(unknown, ["claims.no", "nothing", "random.int x 2"]);
    }

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        assert_eq!(filled(json!("<{{claims.evil}}>")).0, json!("<{{now}}>"));
    }

    #[test]
    fn chance_follows_from_the_seed() {
        let templates = json!(["{{random.uuid}}", "{{random.int 1 10}}", "{{random.name}}", "{{random.email}}"]);
        let (first, unknown) = filled(templates.clone());
        assert_eq!(first, filled(templates).0);
        assert!(unknown.is_empty() && first[1].as_i64().is_some_and(|n| (1..=10).contains(&n)), "{first}");
    }
}
