//! `POST /mock/token`: any token by one call, also one that is wrong in a way of one's choice.

use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::answer;
use super::house::{House, World};
use super::settings::Settings;
use crate::app::App;
use crate::domain::{
    API_KEYS, AccessToken, Algorithm, AuthMethod, Client, Grant, GrantOrigin, GrantStage, GrantType, Renewal, Scopes,
    words,
};
use crate::keys::{KeyError, Snapshot};
use crate::storage::{Refusal, StorageError, Tx, access_tokens, clients, grants};
use crate::support::{Id, Seconds};

words! {
    /// What is to be wrong with a token.
    Defect {
        Expired = "expired",
        NotYetValid = "not_yet_valid",
        WrongIssuer = "wrong_issuer",
        WrongAudience = "wrong_audience",
        BadSignature = "bad_signature",
        UnknownKey = "unknown_key",
        /// RFC 8725 §3.1: no signature at all.
        AlgNone = "alg_none",
        /// That of an ID token.
        WrongTyp = "wrong_typ",
        /// Without `exp`, or without the claim named by `missing`.
        MissingClaim = "missing_claim",
    }
}

/// What somebody wants to have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// A persona's user name, or any subject at all; by default the client.
    pub sub: Option<String>,
    pub client: Option<String>,
    /// Words with spaces between them, or a list.
    pub scope: Option<Words>,
    /// By default the persona's.
    pub roles: Option<Words>,
    /// Added to the claims, or put in their place; null removes one.
    pub claims: Map<String, Value>,
    /// By default the mocked API.
    pub audience: Option<Words>,
    /// Seconds; negative ones have passed.
    #[serde(deserialize_with = "crate::protocol::optional_seconds")]
    pub expires_in: Option<Seconds>,
    pub alg: Option<String>,
    pub defect: Option<String>,
    /// With the defect `missing_claim`, which.
    pub missing: Option<String>,
    /// The path of an issuer; empty is the main one.
    pub issuer: String,
}

/// One text with words in it, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Words {
    Text(String),
    List(Vec<String>),
}

impl Words {
    fn list(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::List(list) => list.clone(),
        }
    }
}

/// A token, with what is in it.
#[derive(Debug)]
pub struct Made {
    pub access_token: String,
    pub expires_in: Seconds,
    pub header: Value,
    pub claims: Value,
    row: Option<AccessToken>,
    person: Option<Id>,
}

/// `POST /mock/token`
pub async fn post(
    house: web::Data<House>,
    world: web::Data<World>,
    asked: web::Data<App>,
    body: web::Bytes,
) -> HttpResponse {
    // Serde would take a list for a struct, too.
    let object = serde_json::from_slice::<Map<String, Value>>(&body);
    let wanted: Wanted = match object.and_then(|object| serde_json::from_value(Value::Object(object))) {
        Ok(wanted) => wanted,
        Err(error) => return answer::refused(400, &format!("the body is no token request: {error}")),
    };
    if !wanted.issuer.is_empty() && !super::place::is_prefix(&wanted.issuer) {
        return answer::refused(400, "issuer must be the path of an issuer, such as \"acme\" or \"tenant/v2.0\"");
    }
    // The token names its issuer by the origin that the request was sent to.
    let origin =
        Url::parse(asked.issuer()).map_or_else(|_| house.base.clone(), |url| url.origin().ascii_serialization());
    let app = match world.issuer(&house, &wanted.issuer).await {
        Ok(issuer) => issuer.at(&house.settings, &origin).await,
        Err(error) => Err(error),
    };
    let app = match app {
        Ok(app) => app,
        Err(error) => return answer::refused(500, &error.to_string()),
    };
    let made = match make(&app, &house.settings, &wanted) {
        Ok(made) => made,
        Err(why) => return answer::refused(400, &why),
    };
    world.own_claims.keep(&made.claims, &wanted.claims);
    if let Err(error) = remember(&app, &made).await {
        return answer::refused(500, &error.to_string());
    }
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(made.describe())
}

impl Made {
    /// As a token response with what is in the token.
    pub fn describe(&self) -> Value {
        json!({
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "header": self.header,
            "claims": self.claims,
        })
    }
}

/// Makes a token as an issuer would, or wrong as it was wanted.
///
/// # Errors
/// What of the request makes no sense, by name.
pub fn make(app: &App, settings: &Settings, wanted: &Wanted) -> Result<Made, String> {
    let defect = wanted.defect.as_deref().map(|name| name.parse::<Defect>().map_err(|why| format!("defect: {why}")));
    let defect = defect.transpose()?;
    if wanted.missing.is_some() && defect != Some(Defect::MissingClaim) {
        return Err("missing goes with \"defect\": \"missing_claim\"".to_owned());
    }
    let algorithm = match wanted.alg.as_deref() {
        Some("none") => return Err("alg: \"none\" is a defect; ask for \"defect\": \"alg_none\"".to_owned()),
        Some(name) => name.parse::<Algorithm>().map_err(|why| format!("alg: {why}"))?,
        None => app.access_token_alg,
    };
    let facts = Facts::of(app, settings, wanted)?;
    let mut claims = facts.claims(app);
    spoil(&mut claims, defect, wanted, app.now());
    for (name, value) in &wanted.claims {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    let ring = app.keys.snapshot();
    let (header, access_token) =
        sign(&ring, algorithm, &claims, defect, app.now()).map_err(|e| format!("the token cannot be signed: {e}"))?;
    let row = if defect.is_none() { recorded(app, &facts.token, &claims) } else { None };
    let person = row.as_ref().and_then(|row| row.subject.parse().ok()).filter(|id| is_person(app, *id));
    Ok(Made {
        access_token,
        expires_in: facts.token.expires_at - facts.token.issued_at,
        header,
        claims: Value::Object(claims),
        row: row.map(|row| AccessToken { grant_id: person.and(row.grant_id), ..row }),
        person,
    })
}

fn is_person(app: &App, id: Id) -> bool {
    app.personas.iter().any(|persona| persona.user_id == id)
}

/// The row with which a token counts at userinfo, introspection and revocation: what its claims say, those included that
/// were given for it. `None` for a token that the server cannot know, because it names another issuer or has no `jti` of
/// the server's form.
fn recorded(app: &App, usual: &AccessToken, claims: &Map<String, Value>) -> Option<AccessToken> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    let audience = match claims.get("aud")? {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        _ => return None,
    };
    (text("iss")? == app.issuer()).then_some(())?;
    Some(AccessToken {
        jti: text("jti")?.parse().ok()?,
        grant_id: Some(usual.grant_id.unwrap_or_else(|| Id::new(&app.clock, &app.rng))),
        client_id: text("client_id")?.to_owned(),
        subject: text("sub")?.to_owned(),
        scope: Scopes::parse(text("scope").unwrap_or_default()).ok()?,
        audience,
        issued_at: seconds("iat")?,
        expires_at: seconds("exp")?,
        refreshed_from: None,
    })
}

/// What a good token would say.
struct Facts {
    token: AccessToken,
    roles: Vec<String>,
    person: Option<Id>,
}

impl Facts {
    fn of(app: &App, settings: &Settings, wanted: &Wanted) -> Result<Self, String> {
        let client_id = wanted.client.clone().unwrap_or_else(|| "mock-client".to_owned());
        let named = wanted.sub.clone().unwrap_or_else(|| client_id.clone());
        let persona = app.personas.iter().find(|persona| persona.username == named);
        let roles = match (&wanted.roles, persona) {
            (Some(roles), _) => roles.list(),
            (None, Some(persona)) => vec![persona.about.clone()],
            (None, None) => Vec::new(),
        };
        let scope = wanted.scope.as_ref().map(|scope| scope.list().join(" ")).unwrap_or_default();
        let scope = Scopes::parse(&scope).map_err(|e| format!("scope: {e}"))?;
        let audience = wanted.audience.as_ref().map(Words::list).unwrap_or_else(|| {
            // As the token endpoint does: the scope names the audience of key management.
            let keys = scope.contains(API_KEYS).then(|| app.key_management());
            std::iter::once(settings.audience(app.issuer())).chain(keys).collect()
        });
        let now = app.now();
        let seconds = wanted.expires_in.unwrap_or(app.config.tokens.access_token_seconds);
        let token = AccessToken {
            jti: Id::new(&app.clock, &app.rng),
            grant_id: persona.map(|_| Id::new(&app.clock, &app.rng)),
            client_id,
            subject: persona.map_or(named, |persona| persona.user_id.to_string()),
            scope,
            audience,
            issued_at: now,
            expires_at: now.saturating_add(seconds),
            refreshed_from: None,
        };
        Ok(Self { token, roles, person: persona.map(|persona| persona.user_id) })
    }

    fn claims(&self, app: &App) -> Map<String, Value> {
        let token = &self.token;
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| _ = claims.insert(name.to_owned(), value);
        put("iss", json!(app.issuer()));
        put("sub", json!(token.subject));
        put("aud", json!(token.audience));
        put("client_id", json!(token.client_id));
        if !token.scope.is_empty() {
            put("scope", json!(token.scope.to_string()));
        }
        if !self.roles.is_empty() {
            put("roles", json!(self.roles));
        }
        put("jti", json!(token.jti));
        put("iat", json!(token.issued_at));
        put("exp", json!(token.expires_at));
        if self.person.is_some() {
            put("auth_time", json!(token.issued_at));
            put("acr", json!(crate::oidc::ACR_PASSWORD));
            put("amr", json!(crate::oidc::AMR_PASSWORD));
        }
        claims
    }
}

const HOUR: Seconds = 3600;

fn spoil(claims: &mut Map<String, Value>, defect: Option<Defect>, wanted: &Wanted, now: Seconds) {
    let mut put = |name: &str, value: Value| _ = claims.insert(name.to_owned(), value);
    match defect {
        Some(Defect::Expired) => {
            put("iat", json!(now - 2 * HOUR));
            put("exp", json!(now - HOUR));
        }
        Some(Defect::NotYetValid) => {
            put("nbf", json!(now + HOUR));
            put("exp", json!(now + 2 * HOUR));
        }
        Some(Defect::WrongIssuer) => put("iss", json!("https://another-issuer.example")),
        Some(Defect::WrongAudience) => put("aud", json!("https://another-api.example")),
        Some(Defect::MissingClaim) => _ = claims.remove(wanted.missing.as_deref().unwrap_or("exp")),
        Some(Defect::BadSignature | Defect::UnknownKey | Defect::AlgNone | Defect::WrongTyp) | None => {}
    }
}

fn sign(
    ring: &Snapshot,
    algorithm: Algorithm,
    claims: &Map<String, Value>,
    defect: Option<Defect>,
    now: Seconds,
) -> Result<(Value, String), KeyError> {
    let key = ring.signing(algorithm, now)?;
    let typ = if defect == Some(Defect::WrongTyp) { "JWT" } else { "at+jwt" };
    let header = match defect {
        Some(Defect::AlgNone) => json!({"typ": typ, "alg": "none"}),
        Some(Defect::UnknownKey) => json!({"typ": typ, "alg": algorithm.as_str(), "kid": "mock-unknown"}),
        _ => json!({"typ": typ, "alg": algorithm.as_str(), "kid": key.kid}),
    };
    let encode = |value: &str| URL_SAFE_NO_PAD.encode(value);
    let message = format!("{}.{}", encode(&header.to_string()), encode(&json!(claims).to_string()));
    let mut signature = key.sign(message.as_bytes())?;
    match defect {
        Some(Defect::AlgNone) => signature.clear(),
        Some(Defect::BadSignature) => {
            if let Some(byte) = signature.first_mut() {
                *byte ^= 1;
            }
        }
        _ => {}
    }
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    Ok((header, token))
}

/// Writes a good token down as if it had been issued, so that introspection knows it and revocation ends it.
async fn remember(app: &App, made: &Made) -> Result<(), StorageError> {
    let Some(token) = made.row.clone() else { return Ok(()) };
    let (now, person, lasts) = (app.now(), made.person, app.config.tokens.refresh_absolute_seconds);
    app.db
        .write("mock.token", move |tx| -> Result<_, Refusal<StorageError>> {
            register(tx, &token, now)?;
            if let (Some(user_id), Some(id)) = (person, token.grant_id) {
                let grant = Grant {
                    id,
                    client_id: token.client_id.clone(),
                    user_id,
                    session_id: None,
                    scope: token.scope.clone(),
                    resources: Vec::new(),
                    nonce: None,
                    auth_time: now,
                    created_at: now,
                    expires_at: now.saturating_add(lasts).max(token.expires_at),
                    renewal: Renewal::Once,
                    used_at: now,
                    stage: GrantStage::Live,
                    origin: GrantOrigin::Authorization,
                };
                grants::insert(tx, &grant)?;
            }
            Ok(access_tokens::insert(tx, &token)?)
        })
        .await
}

/// Its client, so that the token counts: it is the client's to have.
fn register(tx: &mut Tx<'_>, token: &AccessToken, now: Seconds) -> Result<(), StorageError> {
    let found = clients::find(tx.reader(), &token.client_id)?;
    let is_new = found.is_none();
    let fresh = || Client::new(token.client_id.clone(), token.client_id.clone(), AuthMethod::None, now);
    let mut client = found.unwrap_or_else(fresh);
    client.scope = client.scope.union(&token.scope);
    for audience in &token.audience {
        if !client.audiences.contains(audience) {
            client.audiences.push(audience.clone());
        }
    }
    for grant in [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials] {
        if !client.may_use(grant) {
            client.grant_types.push(grant);
        }
    }
    if is_new { clients::insert(tx, &client) } else { clients::update(tx, &client, now).map(|_| ()) }
}
