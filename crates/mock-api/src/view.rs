//! What some do not get to see.

use serde_json::Value;

use crate::settings::{ViewSettings, WhenSettings};
use crate::when::Asked;

/// Members that are hidden, and from whom.
#[derive(Debug, Clone)]
pub struct View {
    when: WhenSettings,
    except: Option<WhenSettings>,
    hide: Vec<Vec<String>>,
}

impl View {
    pub fn new(settings: &ViewSettings) -> Self {
        let hide = settings.hide.iter().map(|path| path.split('.').map(str::to_owned).collect());
        Self { when: settings.when.clone().unwrap_or_default(), except: settings.except.clone(), hide: hide.collect() }
    }

    /// Takes out what is hidden from whoever asks.
    pub fn apply(&self, asked: &Asked<'_>, body: &mut Value) {
        let excepted = self.except.as_ref().is_some_and(|except| except.lacks(asked).is_none());
        if excepted || self.when.lacks(asked).is_some() {
            return;
        }
        for path in &self.hide {
            match &path[..] {
                [name] => everywhere(body, name),
                path => at(body, path),
            }
        }
    }
}

fn everywhere(value: &mut Value, name: &str) {
    match value {
        Value::Object(members) => {
            members.remove(name);
            members.values_mut().for_each(|value| everywhere(value, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| everywhere(item, name)),
        _ => {}
    }
}

fn at(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| at(item, path)),
        (Value::Object(members), [last]) => {
            members.remove(last);
        }
        (Value::Object(members), [first, rest @ ..]) => {
            members.get_mut(first).into_iter().for_each(|value| at(value, rest));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::KeySettings;
    use crate::who::Who;

    fn seen(role: &str) -> Value {
        let settings: ViewSettings =
            toml::from_str("except = { role = 'admin' }\nhide = ['margin', 'customer.tax']").expect("settings");
        let who = Who::of_key(&KeySettings { roles: vec![role.to_owned()], ..KeySettings::default() });
        let mut body = json!([{"margin": 1, "tax": 2, "customer": {"tax": 3, "name": "x"}, "lines": [{"margin": 4}]}]);
        View::new(&settings).apply(&Asked { who: &who, data: &json!({}) }, &mut body);
        body
    }

    #[test]
    fn members_are_hidden_from_some() {
        assert_eq!(seen("user"), json!([{"tax": 2, "customer": {"name": "x"}, "lines": [{}]}]));
        assert_eq!(seen("admin")[0]["margin"], 1);
    }
}
