//! When an answer is given: to whom, and to what.

use serde_json::Value;

use crate::settings::{WhenSettings, Words};
use crate::template::lookup;
use crate::who::Who;

/// A request as conditions and templates see it: `claims`, `path`, `query`, `header`, `body`.
pub struct Asked<'a> {
    pub who: &'a Who,
    pub data: &'a Value,
}

impl WhenSettings {
    /// `None` if all of it holds, else what does not, in a sentence.
    pub fn lacks(&self, asked: &Asked<'_>) -> Option<String> {
        let who = asked.who;
        let words = |what: &str, wanted: &Option<Words>, has: &dyn Fn(&str) -> bool| {
            let wanted = wanted.as_ref()?;
            (!wanted.iter().any(has))
                .then(|| format!("{what} is not {}", wanted.iter().collect::<Vec<_>>().join(" or ")))
        };
        words("the role", &self.role, &|role| who.has_role(role))
            .or_else(|| words("the scope", &self.scope, &|scope| who.has_scope(scope)))
            .or_else(|| {
                words("the persona", &self.persona, &|name| who.persona() == Some(name) || who.sub() == Some(name))
            })
            .or_else(|| words("the subject", &self.sub, &|sub| who.sub() == Some(sub)))
            .or_else(|| words("the client", &self.client, &|client| who.client() == Some(client)))
            .or_else(|| self.lacks_anonymity(who))
            .or_else(|| self.lacks_values(asked))
    }

    fn lacks_anonymity(&self, who: &Who) -> Option<String> {
        match (self.anonymous, who.claims.is_none()) {
            (Some(true), false) => Some("somebody is logged in".to_owned()),
            (Some(false), true) => Some("nobody is logged in".to_owned()),
            _ => None,
        }
    }

    fn lacks_values(&self, asked: &Asked<'_>) -> Option<String> {
        for (place, wanted) in [("query", &self.query), ("header", &self.header), ("path", &self.path)] {
            for (name, wanted) in wanted {
                let key = if place == "header" { name.to_ascii_lowercase() } else { name.clone() };
                let given = asked.data.get(place).and_then(|values| values.get(&key)).map(text);
                if !given.is_some_and(|given| wanted == "*" || given == *wanted) {
                    return Some(format!("the {place} {name} is not {wanted:?}"));
                }
            }
        }
        for (place, wanted) in [("claims", &self.claim), ("body", &self.body)] {
            for (name, wanted) in wanted {
                let given = asked.data.get(place).and_then(|data| lookup(data, name));
                if !given.is_some_and(|given| fits(given, wanted)) {
                    return Some(format!("{name} of the {place} is not {wanted}"));
                }
            }
        }
        None
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Equal, or among several that are given.
fn fits(given: &Value, wanted: &Value) -> bool {
    given == wanted
        || matches!((given, wanted), (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64())
        || given.as_array().is_some_and(|several| several.contains(wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::KeySettings;

    fn lacks(when: &str) -> Option<String> {
        let who = Who::of_key(&KeySettings {
            persona: Some("alice".to_owned()),
            roles: vec!["user".to_owned()],
            scopes: vec!["orders:read".to_owned()],
            ..KeySettings::default()
        });
        let data = json!({
            "claims": {"tenant": "acme", "groups": ["a", "b"], "level": 3}, "query": {"q": "x"}, "path": {"id": "7"},
            "header": {"x-tenant": "acme"}, "body": {"a": {"b": true}},
        });
        let when: WhenSettings = toml::from_str(when).expect("a condition");
        when.lacks(&Asked { who: &who, data: &data })
    }

    #[test]
    fn all_that_is_said_must_hold() {
        for holds in [
            "",
            "role = 'user'",
            "role = ['admin', 'user']",
            "scope = 'orders:read'",
            "persona = 'alice'",
            "anonymous = false",
            "claim = { tenant = 'acme', groups = 'b', level = 3 }",
            "query = { q = '*' }\nheader = { X-Tenant = 'acme' }\npath = { id = '7' }",
            "body = { 'a.b' = true }",
        ] {
            assert_eq!(lacks(holds), None, "{holds}");
        }
        for fails in [
            "role = 'admin'",
            "role = 'user'\nscope = 'x'",
            "persona = 'bob'",
            "anonymous = true",
            "claim = { tenant = 'other' }",
            "claim = { nothing = 'acme' }",
            "query = { q = 'y' }",
            "query = { p = '*' }",
            "path = { id = '8' }",
            "body = { 'a.c' = true }",
        ] {
            assert!(lacks(fails).is_some(), "{fails}");
        }
        assert_eq!(lacks("role = 'admin'").as_deref(), Some("the role is not admin"));
    }
}
