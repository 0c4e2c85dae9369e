//! What a good token says.

use crate::confirmation::Confirmation;
use crate::json::{Object, OneOrMany};
use crate::token::Invalid;
use latchway_core::Seconds;
use latchway_oauth_types::NumericDate;

/// Who calls, and what they may do, as the issuer says. The guard attaches it to the request; a handler that has it as a
/// parameter gets it, or is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// The person, or of a machine its client.
    pub sub: String,
    /// The app or machine that calls.
    pub client_id: String,
    pub scope: Vec<String>,
    /// RFC 9068 §2.2.3.1; of people only.
    pub roles: Vec<String>,
    /// The APIs that the token is for; this one is among them.
    pub aud: Vec<String>,
    /// When the person last proved who they are, in Unix seconds.
    pub auth_time: Option<Seconds>,
    /// How they did (OIDC Core §2).
    pub acr: Option<String>,
    /// The name of the token, for a log. It is no secret.
    pub jti: Option<String>,
    pub iat: Option<Seconds>,
    /// `None` for an API key that does not expire.
    pub exp: Option<Seconds>,
    /// The key that the token is bound to. Only [`ResourceServer::verify_bound`](crate::ResourceServer::verify_bound) accepts
    /// such a token, so that a handler sees `None`.
    pub confirmation: Option<Confirmation>,
    /// How it came.
    pub presented: Presented,
}

/// How credentials are presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Presented {
    /// An access token in `Authorization` (RFC 6750 §2.1).
    Bearer,
    /// An access token in the cookie of a browser app.
    Cookie,
    /// An API key, in `X-API-Key` or `Authorization`.
    ApiKey,
}

impl Claims {
    /// Claims with a name and nothing else, for the test of a handler. Those of a request are made by the server alone.
    pub fn new(sub: impl Into<String>, client_id: impl Into<String>, presented: Presented) -> Self {
        Self {
            sub: sub.into(),
            client_id: client_id.into(),
            scope: Vec::new(),
            roles: Vec::new(),
            aud: Vec::new(),
            auth_time: None,
            acr: None,
            jti: None,
            iat: None,
            exp: None,
            confirmation: None,
            presented,
        }
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.iter().any(|known| known == scope)
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| known == role)
    }

    /// The person for whom the client acts. `None` for a machine that acts for itself, and for every API key: that is a
    /// program's, whoever made it.
    pub fn person(&self) -> Option<&str> {
        (self.presented != Presented::ApiKey && self.sub != self.client_id).then_some(self.sub.as_str())
    }
}

/// What an API expects of what it is shown.
pub(crate) struct Expected {
    pub issuer: String,
    pub audience: String,
    pub leeway: Seconds,
}

const MALFORMED: Invalid = Invalid("a claim of the access token is missing or malformed");
const EXPIRED: Invalid = Invalid("the access token has expired");

impl Claims {
    /// The claims of a JWT whose signature was verified (RFC 9068 §4).
    pub(crate) fn of_jwt(
        json: &[u8],
        presented: Presented,
        expected: &Expected,
        now: Seconds,
    ) -> Result<Self, Invalid> {
        let object = Object::parse(json).map_err(|_| MALFORMED)?;
        let issuer = object.required::<String>("iss").map_err(|_| MALFORMED)?;
        let claims = Self::read(&object, presented, &issuer, expected, now)?;
        // RFC 9068 §2.2
        let complete = claims.exp.is_some() && claims.iat.is_some() && claims.jti.is_some() && object.has("client_id");
        if complete { Ok(claims) } else { Err(MALFORMED) }
    }

    /// What the issuer itself says of a token or a key (RFC 7662 §2.2), where it says that it is active.
    pub(crate) fn of_answer(
        answer: &Object<'_>,
        presented: Presented,
        expected: &Expected,
        now: Seconds,
    ) -> Result<Self, Invalid> {
        let issuer = answer.optional::<String>("iss").map_err(|_| MALFORMED)?;
        let kind = answer.optional::<String>("token_type").map_err(|_| MALFORMED)?;
        let fits = match presented {
            Presented::ApiKey => kind.as_deref() == Some("api_key"),
            Presented::Bearer | Presented::Cookie => kind.is_none_or(|kind| kind.eq_ignore_ascii_case("Bearer")),
        };
        if !fits {
            return Err(Invalid("the credential is of another kind"));
        }
        Self::read(answer, presented, issuer.as_deref().unwrap_or(&expected.issuer), expected, now)
    }

    fn read(
        object: &Object<'_>,
        presented: Presented,
        issuer: &str,
        expected: &Expected,
        now: Seconds,
    ) -> Result<Self, Invalid> {
        let text = |name: &str| object.optional::<String>(name).map_err(|_| MALFORMED);
        let time = |name: &str| object.optional::<NumericDate>(name).map_err(|_| MALFORMED);
        let (end, begin) = (NumericDate::floor, NumericDate::ceil);
        if issuer != expected.issuer {
            return Err(Invalid("the access token is of another issuer"));
        }
        let aud: Vec<String> = object.required::<OneOrMany>("aud").map_err(|_| MALFORMED)?.into();
        if !aud.contains(&expected.audience) {
            return Err(Invalid("the access token is meant for another API"));
        }
        let (exp, iat) = (time("exp")?.map(end), time("iat")?.map(begin));
        if exp.is_some_and(|exp| now >= exp.saturating_add(expected.leeway)) {
            return Err(EXPIRED);
        }
        let begins = [iat, time("nbf")?.map(begin)].into_iter().flatten().max();
        if begins.is_some_and(|at| at > now.saturating_add(expected.leeway)) {
            return Err(Invalid("the access token is not valid yet"));
        }
        let sub = text("sub")?.filter(|sub| !sub.is_empty()).ok_or(MALFORMED)?;
        Ok(Self {
            client_id: text("client_id")?.unwrap_or_else(|| sub.clone()),
            sub,
            scope: text("scope")?.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect(),
            roles: object.optional("roles").map_err(|_| MALFORMED)?.unwrap_or_default(),
            aud,
            auth_time: time("auth_time")?.map(end),
            acr: text("acr")?,
            jti: text("jti")?,
            iat,
            exp,
            confirmation: object.optional("cnf").map_err(|_| MALFORMED)?,
            presented,
        })
    }

    /// Whether what was true a moment ago is still: for answers that were kept.
    pub(crate) fn is_live(&self, expected: &Expected, now: Seconds) -> bool {
        self.exp.is_none_or(|exp| now < exp.saturating_add(expected.leeway))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Seconds = 1_800_000_000;

    fn expected() -> Expected {
        Expected { issuer: "https://id.example".to_owned(), audience: "https://api.example".to_owned(), leeway: 30 }
    }

    fn good() -> Value {
        json!({
            "iss": "https://id.example", "aud": ["https://api.example"], "sub": "anna", "client_id": "app", "scope": "a b",
            "jti": "1", "iat": NOW, "exp": NOW + 900, "roles": ["admin"], "auth_time": NOW - 10,
        })
    }

    fn read(claims: &Value) -> Result<Claims, Invalid> {
        Claims::of_jwt(claims.to_string().as_bytes(), Presented::Bearer, &expected(), NOW)
    }

    #[test]
    fn c_009_claims_of_wrong_types() {
        let claims = read(&good()).expect("good");
        assert!(claims.has_scope("a") && claims.has_scope("b") && !claims.has_scope("a b") && claims.has_role("admin"));
        assert_eq!(claims.person(), Some("anna"));
        let wrong = json!({
            "exp": ["9999999999", [1], 1.5, 1e40, -1, null], "nbf": ["1", null, {}], "iat": ["1", null, NOW + 31],
            "aud": [{}, [], [1], null, "", ["https://api.example/"], "https://api.example "], "iss": [["https://id.example"], null],
            "scope": [["a"], null, 1], "sub": ["", null, 1], "client_id": [null, 1], "jti": [null, 1],
            "roles": ["admin", [1], {}, null], "auth_time": ["1", null], "cnf": [{"jkt": "x"}, null],
        });
        for (name, values) in wrong.as_object().expect("an object") {
            for value in values.as_array().expect("an array") {
                let mut claims = good();
                claims[name] = value.clone();
                assert!(read(&claims).is_err(), "{name}: {value}");
            }
        }
        for name in ["iss", "aud", "sub", "client_id", "jti", "iat", "exp"] {
            let mut claims = good();
            claims.as_object_mut().expect("an object").remove(name);
            assert_eq!(read(&claims), Err(MALFORMED), "without {name}");
        }
        let text = good().to_string();
        for twice in [text.replacen('{', r#"{"sub":"eve","#, 1), text.replacen('{', r#"{"x":1,"x":1,"#, 1)] {
            assert_eq!(Claims::of_jwt(twice.as_bytes(), Presented::Bearer, &expected(), NOW), Err(MALFORMED));
        }
    }

    #[test]
    fn c_010_c_011_times_have_one_leeway() {
        for (name, at, fine) in [
            ("exp", NOW - 29, true),
            ("exp", NOW - 30, false),
            ("exp", NOW, true),
            ("nbf", NOW + 30, true),
            ("nbf", NOW + 31, false),
            ("iat", NOW + 30, true),
            ("iat", NOW + 31, false),
            ("nbf", Seconds::MIN, true),
            ("exp", Seconds::MAX, true),
        ] {
            let mut claims = good();
            claims[name] = json!(at);
            assert_eq!(read(&claims).is_ok(), fine, "{name} {}", at.saturating_sub(NOW));
        }
        // RFC 7519 §2: a fraction is allowed, and counts against whoever sends it.
        for (name, at, fine) in [
            ("exp", "1799999970.5", false),
            ("exp", "1799999971.5", true),
            ("nbf", "1800000029.5", true),
            ("nbf", "1800000030.5", false),
            ("iat", "1.8e9", true),
            ("auth_time", "1799999999.999", true),
        ] {
            let mut claims = good();
            claims[name] = serde_json::from_str(at).expect("a number");
            assert_eq!(read(&claims).is_ok(), fine, "{name} {at}");
        }
    }

    #[test]
    fn c_021_the_issuer_is_compared_exactly() {
        for other in ["https://id.example/", "http://id.example", "https://ID.example", "https://id.example.evil", ""] {
            let mut claims = good();
            claims["iss"] = json!(other);
            assert_eq!(read(&claims), Err(Invalid("the access token is of another issuer")), "{other}");
        }
    }

    #[test]
    fn one_audience_may_stand_alone() {
        let mut claims = good();
        claims["aud"] = json!("https://api.example");
        assert!(read(&claims).is_ok());
        claims["aud"] = json!("https://other.example");
        assert_eq!(read(&claims), Err(Invalid("the access token is meant for another API")));
    }

    #[test]
    fn a_machine_is_no_person_and_neither_is_a_key() {
        let mut claims = good();
        claims["sub"] = json!("app");
        assert_eq!(read(&claims).expect("good").person(), None);
        let answer =
            json!({"active": true, "sub": "anna", "aud": "https://api.example", "token_type": "api_key"}).to_string();
        let object = Object::parse(answer.as_bytes()).expect("an object");
        let key = Claims::of_answer(&object, Presented::ApiKey, &expected(), NOW).expect("a key");
        assert_eq!((key.person(), key.client_id.as_str()), (None, "anna"));
        assert!(Claims::of_answer(&object, Presented::Bearer, &expected(), NOW).is_err(), "a key is no token");
    }
}
