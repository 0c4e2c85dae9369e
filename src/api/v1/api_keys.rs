//! API keys, managed by whoever owns them: a person through an app, or a client for itself, with an access token that has
//! the scope `api_keys`. A key never manages keys.

use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::json;
use crate::api::problem::{Invalid, Problem};
use crate::api_key::{self, Actor, ApiKeyView, Limit, OwnAudiences, Parent, Unfit, Wish};
use crate::app::App;
use crate::bearer::{BearerToken, bearer};
use crate::domain::{API_KEYS, AccessToken, KeyOwner, Party, Scopes};
use crate::fault::Fault;
use crate::flow::STEP_UP_SECONDS;
use crate::protocol::{ErrorCode, OAuthError, Params, optional_seconds};
use crate::request;
use crate::storage::{Refusal, api_keys};
use crate::support::{ApiKeyText, Id, Network, Seconds};

/// What a new key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for, in its owner's words.
    #[serde(deserialize_with = "json::text")]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
        example = "Nightly report"
    )]
    name: String,
    /// Scopes, separated by spaces, no more than the access token has.
    #[serde(deserialize_with = "json::text")]
    #[schema(
        min_length = 1,
        pattern = r"^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$",
        example = "orders:read"
    )]
    scope: String,
    /// The APIs it is for, no others than those of the access token. A person's key names at least one; a client's key that
    /// names none can be looked up by that client alone.
    #[serde(default, deserialize_with = "json::one_or_many")]
    #[schema(example = json!(["https://api.example"]))]
    audience: Vec<String>,
    /// Where it may be used from, such as `10.0.0.0/8`; without any from anywhere.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["10.0.0.0/8"]))]
    networks: Vec<Network>,
    /// Uses a minute.
    #[serde(default)]
    rate_limit: Option<u32>,
    /// Seconds that it lasts. A person's key ends with what they allowed the app at the latest.
    #[serde(default, deserialize_with = "optional_seconds")]
    expires_in: Option<Seconds>,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Seconds for which the secret before is still taken; 0 if it has leaked.
    #[serde(default, deserialize_with = "optional_seconds")]
    overlap: Option<Seconds>,
}

/// A key with its text, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownApiKey {
    #[schema(example = "lw_...")]
    api_key: String,
    #[serde(flatten)]
    view: ApiKeyView,
}

/// A page of the keys of whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyList {
    /// The newest first.
    api_keys: Vec<ApiKeyView>,
    /// What `before` has to be for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Keys on a page, unless the request says otherwise.
const PAGE: i64 = 100;

/// Whose keys a request may manage, and within what.
struct Caller {
    owner: KeyOwner,
    parent: Parent,
    /// When the person logged in, if one did.
    auth_time: Option<Seconds>,
}

impl Caller {
    /// What makes or renews a person's credential needs a login of theirs that is fresh, as on the account page (RFC 9470).
    fn check_fresh(&self, now: Seconds) -> Result<(), OAuthError> {
        match self.auth_time {
            Some(at) if now.saturating_sub(at) > STEP_UP_SECONDS => Err(OAuthError::stale_login(STEP_UP_SECONDS)),
            _ => Ok(()),
        }
    }
}

async fn caller(app: &App, req: &HttpRequest) -> Result<Caller, Fault> {
    let token = BearerToken::read(req.headers(), &Params::default())?;
    let state = bearer(app, &token).await?;
    let own = app.key_management();
    let is_meant = |audience: &String| *audience == own || state.party == Party::First && audience == app.issuer();
    if !state.token.audience.iter().any(is_meant) {
        // A token without the scope has not the audience either; what it lacks is the scope.
        return Err(
            match state.token.scope.contains(API_KEYS) || !state.token.audience.iter().any(|a| a == app.issuer()) {
                true => OAuthError::invalid_token("its audience is another API"),
                false => OAuthError::insufficient_scope(API_KEYS),
            }
            .into(),
        );
    }
    if !state.token.scope.contains(API_KEYS) {
        return Err(OAuthError::insufficient_scope(API_KEYS).into());
    }
    let owner = match state.user_id {
        Some(user_id) => KeyOwner::Person(user_id),
        None => KeyOwner::Client(state.token.client_id),
    };
    let AccessToken { grant_id, scope, audience, .. } = state.token;
    Ok(Caller { owner, parent: Parent { grant_id, scope, audience }, auth_time: state.auth_time })
}

/// Create an API key
///
/// For whom the access token was issued: a person, or with `client_credentials` the client itself. The key is in this
/// answer and in no other.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "API keys", security(("bearer" = ["api_keys"])),
    request_body = NewApiKey,
    responses(
        (status = 201, description = "The key", body = ShownApiKey),
        Invalid,
        (status = 401, description = "`invalid_token`: no access token, or one that does not count; `insufficient_user_authentication`: the person logged in more than 300 seconds ago", body = Problem),
        (status = 403, description = "`insufficient_scope`: the access token has not the scope `api_keys`", body = Problem),
        (status = 429, description = "`slow_down`: as many keys as may be were made in 24 hours; see `Retry-After`", body = Problem),
    )
)]
pub async fn create(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let caller = caller(&app, &req).await?;
    let new: NewApiKey = json::read(&req, &body)?;
    caller.check_fresh(app.now())?;
    let scope = Scopes::parse(&new.scope).map_err(|e| OAuthError::invalid_request(e.to_string()))?;
    let parent = caller.parent;
    let wish = Wish {
        owner: caller.owner,
        name: new.name,
        scope,
        audience: new.audience,
        networks: new.networks,
        rate_limit: new.rate_limit,
        expires_in: new.expires_in,
    };
    let (actor, own) = (actor(&app, &req)?, OwnAudiences::of(&app.config));
    let limit = Limit::configured(&app.config.api_keys);
    let write = app.db.write("api_key.create", move |tx| -> Result<_, Refusal<Unfit>> {
        Ok(api_key::create(tx, &actor, &wish, Some(&parent), &own, limit)?)
    });
    let (key, text) = write.await.map_err(refuse)?;
    Ok(HttpResponse::Created().json(shown(ApiKeyView::of(&key, app.now()), &text)))
}

/// List API keys
///
/// The keys of the owner, those that have ended too, the newest first and a page at a time.
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "API keys", security(("bearer" = ["api_keys"])),
    params(
        ("limit" = Option<i64>, Query, description = "Keys on the page, 1 to 100; 100 if left out", minimum = 1, maximum = 100),
        ("before" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses(
        (status = 200, description = "The keys, without their secrets", body = ApiKeyList),
        Invalid,
        (status = 401, description = "`invalid_token`: no access token, or one that does not count", body = Problem),
        (status = 403, description = "`insufficient_scope`: the access token has not the scope `api_keys`", body = Problem),
    )
)]
pub async fn list(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let owner = caller(&app, &req).await?.owner;
    let (limit, before) = page_of(&request::query(&req)?)?;
    let read = app.db.read("api_key.list", move |conn| api_keys::page(conn, &owner, before, limit + 1));
    let (mut keys, now) = (read.await?, app.now());
    let shown = usize::try_from(limit).unwrap_or(keys.len());
    let is_last = keys.len() <= shown;
    keys.truncate(shown);
    let next = keys.last().filter(|_| !is_last).map(|key| key.id.to_string());
    let api_keys = keys.iter().map(|key| ApiKeyView::of(key, now)).collect();
    Ok(HttpResponse::Ok().json(ApiKeyList { api_keys, next }))
}

/// How many keys are asked for, and before which one.
fn page_of(query: &Params) -> Result<(i64, Option<Id>), OAuthError> {
    if let Some(name) = query.first_repeated(&["limit", "before"]) {
        return Err(OAuthError::invalid_request(format!("{name} is given more than once")));
    }
    let limit = match query.get("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE).contains(limit))
            .ok_or_else(|| OAuthError::invalid_request(format!("limit must be 1 to {PAGE}")))?,
    };
    let before = query.get("before").map(|text| text.parse().map_err(|_| text)).transpose();
    let before = before.map_err(|_| OAuthError::invalid_request("before must be the `next` of another page"))?;
    Ok((limit, before))
}

/// Rotate an API key
///
/// A new secret under the same id; the one before is taken for a while yet. A key with more scopes or other APIs than the
/// access token cannot be rotated by it, and a person's key that is ends with what they allowed the app.
#[utoipa::path(
    post, path = "/api/v1/api-keys/{id}/rotate", tag = "API keys", security(("bearer" = ["api_keys"])),
    params(("id" = String, Path, description = "The key's id")),
    request_body(content = Option<Rotation>),
    responses(
        (status = 200, description = "The key with its new text", body = ShownApiKey),
        Invalid,
        (status = 401, description = "`invalid_token`: no access token, or one that does not count; `insufficient_user_authentication`: the person logged in more than 300 seconds ago", body = Problem),
        (status = 403, description = "`insufficient_scope`: the access token has not the scope `api_keys`", body = Problem),
        (status = 404, description = "`not_found`: none of the owner's keys has this id", body = Problem),
    )
)]
pub async fn rotate(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let caller = caller(&app, &req).await?;
    let rotation = if body.is_empty() { Rotation::default() } else { json::read(&req, &body)? };
    let overlap = rotation.overlap.unwrap_or(app.config.api_keys.overlap_seconds);
    if !(0..=LONGEST_OVERLAP).contains(&overlap) {
        return Err(OAuthError::invalid_request("overlap must be 0 to 31536000 seconds").into());
    }
    caller.check_fresh(app.now())?;
    let (id, actor) = (id(&req)?, actor(&app, &req)?);
    let write = app.db.write("api_key.rotate", move |tx| -> Result<_, Refusal<Fault>> {
        let key = api_key::own(tx.reader(), &caller.owner, id).map_err(refuse)?;
        let text = api_key::rotate(tx, &actor, &key, Some(&caller.parent), overlap).map_err(refuse)?;
        Ok((api_key::own(tx.reader(), &caller.owner, id).map_err(refuse)?, text))
    });
    let (key, text) = write.await?;
    Ok(HttpResponse::Ok().json(shown(ApiKeyView::of(&key, app.now()), &text)))
}

/// Revoke an API key
///
/// At once, on all nodes, and for good.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "API keys", security(("bearer" = ["api_keys"])),
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "Nobody can use it any more"),
        (status = 401, description = "`invalid_token`: no access token, or one that does not count", body = Problem),
        (status = 403, description = "`insufficient_scope`: the access token has not the scope `api_keys`", body = Problem),
        (status = 404, description = "`not_found`: none of the owner's keys has this id", body = Problem),
    )
)]
pub async fn revoke(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let owner = caller(&app, &req).await?.owner;
    let (id, actor) = (id(&req)?, actor(&app, &req)?);
    app.db
        .write("api_key.revoke", move |tx| -> Result<_, Refusal<Unfit>> {
            let key = api_key::own(tx.reader(), &owner, id)?;
            Ok(api_key::revoke(tx, &actor, &key).map_err(Unfit::from)?)
        })
        .await
        .map_err(refuse)?;
    Ok(HttpResponse::NoContent().finish())
}

const LONGEST_OVERLAP: Seconds = 365 * 86_400;

fn actor(app: &App, req: &HttpRequest) -> Result<Actor, Fault> {
    Ok(Actor { clock: app.clock.clone(), rng: app.rng.clone(), request: Some(request::info(req)?) })
}

fn id(req: &HttpRequest) -> Result<Id, Fault> {
    let id = req.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| refuse(Unfit::NotFound))
}

fn shown(view: ApiKeyView, text: &ApiKeyText) -> ShownApiKey {
    ShownApiKey { api_key: text.expose().expose_secret().to_owned(), view }
}

fn refuse(unfit: Unfit) -> Fault {
    let (code, sentence) = match &unfit {
        Unfit::Invalid(error) => match error.parameter {
            "scope" => (ErrorCode::InvalidScope, error.to_string()),
            "audience" => (ErrorCode::InvalidTarget, error.to_string()),
            _ => (ErrorCode::InvalidRequest, error.to_string()),
        },
        Unfit::NoApi => (ErrorCode::InvalidRequest, unfit.to_string()),
        Unfit::NotFound => (ErrorCode::NotFound, unfit.to_string()),
        Unfit::FamilyEnded => return OAuthError::invalid_token("its family was revoked a moment ago").into(),
        Unfit::Owner | Unfit::Ended | Unfit::Raced | Unfit::TooMany(_) => {
            (ErrorCode::InvalidRequest, unfit.to_string())
        }
        Unfit::TooManyToday { seconds, .. } => {
            let error = OAuthError::slow_down(u64::try_from(*seconds).unwrap_or(1));
            return error.with_detail(unfit.to_string()).into();
        }
        Unfit::Storage(_) => return storage(unfit),
    };
    OAuthError::new(code, sentence).into()
}

fn storage(unfit: Unfit) -> Fault {
    match unfit {
        Unfit::Storage(error) => error.into(),
        other => OAuthError::server_error(other.to_string()).into(),
    }
}
