//! Rules as people write them: the same in `[[rules]]` of mock.toml and in the JSON of `/mock/rules`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `{match, after, times, then}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// What it is called by in the list and in the journal; made up if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which requests; all, if absent.
    #[serde(default, rename = "match", skip_serializing_if = "MatchSettings::is_everything")]
    pub wanted: MatchSettings,
    /// So many that match go by first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after: u32,
    /// How many then meet with it; always, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    pub then: ThenSettings,
}

/// A named list of rules.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSettings {
    /// What it plays, in a few words.
    #[serde(default)]
    pub about: String,
    pub rules: Vec<RuleSettings>,
}

/// Which requests are meant: all that is given must hold. In texts `*` stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `issuer` (any), `api`, or the path prefix of one issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<String>,
    /// Of the query or of a form.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Of those that match otherwise, which part: 0 to 1, by the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

impl MatchSettings {
    fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens. One of them; `delay` and `slow_body` go with any other.
///
/// Those without members can be written as their name: `then = "drop"` is `then = { drop = true }`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ThenSettings {
    #[serde(flatten)]
    pub table: ThenTable,
}

/// The members of [`ThenSettings`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThenTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth_error: Option<OauthErrorSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// With `status`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// With `status`: text, or anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limited: Option<RateLimitedSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelaySettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<DropSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_body: Option<SlowBodySettings>,
    #[serde(skip_serializing_if = "is_false")]
    pub jwks_outage: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub rotate_keys: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub refresh_token_expired: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub device_pending: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub device_slow_down: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub pass: bool,
}

/// RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OauthErrorSettings {
    pub error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The one that belongs to the error, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitedSettings {
    /// Seconds.
    pub retry_after: u32,
}

/// `{ms}`, or `{median_ms, sigma}` for a log-normal distribution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DelaySettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SlowBodySettings {
    pub bytes_per_second: u32,
}

/// `true` or `"mid_body"`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropSettings {
    /// Without an answer.
    AtOnce,
    /// Half of the body is sent.
    MidBody,
}

impl Serialize for DropSettings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtOnce => serializer.serialize_bool(true),
            Self::MidBody => serializer.serialize_str("mid_body"),
        }
    }
}

impl<'de> Deserialize<'de> for DropSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = DropSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or \"mid_body\"")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<DropSettings, E> {
                if value { Ok(DropSettings::AtOnce) } else { Err(E::custom("leave drop out instead of false")) }
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<DropSettings, E> {
                match value {
                    "mid_body" => Ok(DropSettings::MidBody),
                    other => Err(E::unknown_variant(other, &["mid_body"])),
                }
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// What may be written as its name alone.
const SHORTHANDS: &[&str] =
    &["drop", "jwks_outage", "rotate_keys", "refresh_token_expired", "device_pending", "device_slow_down", "pass"];

impl<'de> Deserialize<'de> for ThenSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = ThenSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object such as {\"status\": 503}, or a name such as \"drop\"")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ThenSettings, E> {
                let mut table = ThenTable::default();
                match name {
                    "drop" => table.drop = Some(DropSettings::AtOnce),
                    "jwks_outage" => table.jwks_outage = true,
                    "rotate_keys" => table.rotate_keys = true,
                    "refresh_token_expired" => table.refresh_token_expired = true,
                    "device_pending" => table.device_pending = true,
                    "device_slow_down" => table.device_slow_down = true,
                    "pass" => table.pass = true,
                    other => return Err(E::unknown_variant(other, SHORTHANDS)),
                }
                Ok(ThenSettings { table })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThenSettings, A::Error> {
                ThenTable::deserialize(MapAccessDeserializer::new(map)).map(|table| ThenSettings { table })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        [[rules]]
        match = { path = "/oauth2/token", grant_type = "refresh_token", headers = { "x-app" = "*ios*" } }
        times = 2
        then = { oauth_error = { error = "invalid_grant" }, delay = { ms = 20 } }
        [[rules]]
        then = "jwks_outage"
        [[rules]]
        then = { status = 503, headers = { "retry-after" = "5" }, body = { down = true } }
        [[rules]]
        then = { drop = "mid_body", slow_body = { bytes_per_second = 10 } }
    "#;

    #[derive(Deserialize, Serialize)]
    struct File {
        rules: Vec<RuleSettings>,
    }

    #[test]
    fn toml_and_json_have_the_same_shape() {
        let file: File = toml::from_str(TOML).expect("rules");
        let json = serde_json::to_string(&file.rules).expect("JSON");
        let again: Vec<RuleSettings> = serde_json::from_str(&json).expect("rules");
        assert_eq!(again, file.rules, "{json}");
        assert!(file.rules[1].then.table.jwks_outage);
        assert_eq!(file.rules[3].then.table.drop, Some(DropSettings::MidBody));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for json in [
            r#"{"then": "dorp"}"#,
            r#"{"then": {"statos": 503}}"#,
            r#"{"match": {"paht": "/"}, "then": "drop"}"#,
            r#"{"then": {"drop": false}}"#,
            r#"{"then": {"delay": {"seconds": 3}}}"#,
            r#"{"match": {}}"#,
        ] {
            assert!(serde_json::from_str::<RuleSettings>(json).is_err(), "{json}");
        }
    }
}
