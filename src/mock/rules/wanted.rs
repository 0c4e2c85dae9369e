//! Whether a request is meant by a rule.

use super::RuleError;
use super::settings::MatchSettings;
use crate::mock::glob::glob;
use crate::mock::place::Place;
use crate::mock::seen::Seen;

/// The conditions of one rule, ready to be held against requests.
#[derive(Debug, Clone)]
pub struct Wanted {
    settings: MatchSettings,
    place: Option<WantedPlace>,
}

#[derive(Debug, Clone)]
enum WantedPlace {
    AnyIssuer,
    Issuer(String),
    Api,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fits {
    Yes,
    /// It is for the right method, place and path, but not quite.
    Nearly(String),
    No,
}

impl Wanted {
    pub fn new(settings: &MatchSettings) -> Result<Self, RuleError> {
        let bad = |member: &str, why: String| Err(RuleError::invalid(format!("match.{member}"), why));
        if let Some(method) = &settings.method
            && (method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-'))
        {
            return bad("method", format!("{method:?} is no method"));
        }
        if let Some(path) = &settings.path
            && !path.starts_with(['/', '*'])
        {
            return bad("path", format!("{path:?} must begin with / or *"));
        }
        if let Some(probability) = settings.probability
            && !(0.0..=1.0).contains(&probability)
        {
            return bad("probability", format!("{probability} is not between 0 and 1"));
        }
        let place = settings.place.as_deref().map(|place| match place {
            "issuer" => WantedPlace::AnyIssuer,
            "api" => WantedPlace::Api,
            prefix => WantedPlace::Issuer(prefix.trim_matches('/').to_owned()),
        });
        Ok(Self { settings: settings.clone(), place })
    }

    pub fn probability(&self) -> Option<f64> {
        self.settings.probability
    }

    /// Everything but chance.
    pub fn fits(&self, seen: &Seen) -> Fits {
        if !self.is_about(seen) {
            return Fits::No;
        }
        match self.obstacle(seen) {
            None => Fits::Yes,
            Some(_) if self.settings.path.is_none() => Fits::No,
            Some(why) => Fits::Nearly(why),
        }
    }

    fn is_about(&self, seen: &Seen) -> bool {
        let wanted = &self.settings;
        let place = match (&self.place, &seen.place) {
            (_, Place::Control) => false,
            (None, _) | (Some(WantedPlace::AnyIssuer), Place::Issuer { .. }) | (Some(WantedPlace::Api), Place::Api) => {
                true
            }
            (Some(WantedPlace::Issuer(prefix)), Place::Issuer { prefix: found }) => prefix == found.trim_matches('/'),
            _ => false,
        };
        place && wanted.path.as_ref().is_none_or(|path| glob(path, &seen.path) || glob(path, &seen.full_path))
    }

    /// The first condition that does not hold, in words.
    fn obstacle(&self, seen: &Seen) -> Option<String> {
        let wanted = &self.settings;
        if let Some(method) = &wanted.method
            && !method.eq_ignore_ascii_case(seen.method.as_str())
        {
            return Some(format!("the method is {}, not {}", seen.method, method.to_ascii_uppercase()));
        }
        if let Some(client) = &wanted.client_id {
            let found = seen.client_id.iter();
            if let Some(why) = differs("client_id", client, found) {
                return Some(why);
            }
        }
        if let Some(grant) = &wanted.grant_type
            && let Some(why) = differs("grant_type", grant, values(seen, "grant_type"))
        {
            return Some(why);
        }
        for (name, value) in &wanted.parameters {
            if let Some(why) = differs(&format!("the parameter {name}"), value, values(seen, name)) {
                return Some(why);
            }
        }
        for (name, value) in &wanted.headers {
            let found: Vec<String> = seen
                .headers
                .get_all(name.as_str())
                .map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
                .collect();
            if let Some(why) = differs(&format!("the header {name}"), value, found.iter()) {
                return Some(why);
            }
        }
        None
    }
}

/// All values of a parameter.
fn values<'a>(seen: &'a Seen, name: &'a str) -> impl Iterator<Item = &'a String> + Clone {
    seen.form.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
}

fn differs<'a>(what: &str, wanted: &str, mut found: impl Iterator<Item = &'a String> + Clone) -> Option<String> {
    if found.clone().any(|value| glob(wanted, value)) {
        return None;
    }
    Some(match found.next() {
        Some(value) => format!("{what} is {value:?}, not {wanted:?}"),
        None => format!("{what} is absent, not {wanted:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::rules::sample::sample;

    fn wanted(json: serde_json::Value) -> Wanted {
        Wanted::new(&serde_json::from_value(json).expect("conditions")).expect("good conditions")
    }

    #[test]
    fn all_conditions_hold_or_the_first_that_does_not_is_named() {
        let mut seen = sample("POST", "/oauth2/token", "grant_type=refresh_token&scope=a");
        seen.request.client_id = Some("app".into());
        let good = serde_json::json!({"method": "post", "path": "/oauth2/*", "place": "issuer", "client_id": "app",
            "grant_type": "refresh_token", "parameters": {"scope": "a"}});
        assert_eq!(wanted(good).fits(&seen), Fits::Yes);
        let nearly = |extra: serde_json::Value| {
            let mut json = serde_json::json!({"path": "/oauth2/token"});
            json.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
            match wanted(json).fits(&seen) {
                Fits::Nearly(why) => why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(nearly(serde_json::json!({"method": "GET"})), "the method is POST, not GET");
        assert_eq!(nearly(serde_json::json!({"client_id": "x"})), "client_id is \"app\", not \"x\"");
        assert_eq!(nearly(serde_json::json!({"parameters": {"a": "1"}})), "the parameter a is absent, not \"1\"");
        assert_eq!(nearly(serde_json::json!({"headers": {"x-b": "1"}})), "the header x-b is absent, not \"1\"");
        for other in [
            serde_json::json!({"path": "/x"}),
            serde_json::json!({"place": "api"}),
            serde_json::json!({"place": "acme"}),
            serde_json::json!({"grant_type": "x"}),
        ] {
            assert_eq!(wanted(other).fits(&seen), Fits::No);
        }
    }
}
