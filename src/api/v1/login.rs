//! A login of the operator's own app, which shows its own form.

use std::sync::Arc;

use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::problem::{Invalid, Problem};
use crate::api::tokens::{self, Delivery, TokenAnswer};
use crate::api::{browser, json};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::defense::network;
use crate::domain::{ApplicationType, Client, Grant, GrantOrigin, GrantStage, Renewal, Scopes};
use crate::fault::Fault;
use crate::identity::{self, Browser, Device, Limit, LoginProof, LoginRefusal, Origin, TokenCookies, Unconfirmed};
use crate::issuing::{self, Ctx, Draft, NotIssued, expose_refresh};
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::request;
use crate::storage::{Tx, access_tokens, grants};
use crate::support::Id;

/// Who logs in, and to which app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// A client that is marked first-party.
    #[serde(deserialize_with = "json::text")]
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "my-app")]
    client_id: String,
    /// The user name or the e-mail address.
    #[serde(deserialize_with = "json::text")]
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "alice")]
    username: String,
    #[serde(deserialize_with = "json::secret")]
    #[schema(value_type = String, format = Password, max_length = 1024, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "correct horse battery staple")]
    password: SecretString,
    /// What the tokens are to allow, separated by spaces; all that the client is registered for if left out.
    #[serde(default, deserialize_with = "json::optional_text")]
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "orders:read")]
    scope: Option<String>,
    /// The APIs that the tokens are for (RFC 8707), one or several; all that the client is registered for if left out.
    #[serde(default, deserialize_with = "json::one_or_many")]
    #[schema(example = json!(["https://api.example"]))]
    resource: Vec<String>,
    /// The `device_mark` of the person's last login in this app, where it keeps no cookies.
    #[serde(default, deserialize_with = "json::optional_text")]
    device_mark: Option<String>,
}

/// Log in
///
/// Checks a user name (or e-mail address) and a password, and begins a family of tokens. Nobody is asked for consent: the
/// operator has vouched for the app by marking it first-party.
///
/// A browser gets its tokens in cookies, and so does everybody for a client of the application type `web`; the body then
/// has the `csrf_token` alone. All others get a token response, with a `device_mark` to keep for the next login.
///
/// One answer for an unknown person, a wrong password and a disabled account: `invalid_grant`.
#[utoipa::path(
    post, path = "/api/v1/login", operation_id = "login", tag = "Login", security(()), request_body = LoginRequest,
    responses(
        (status = 200, description = "Logged in", body = TokenAnswer,
         headers(("Set-Cookie" = String, description = "For browsers: `__Host-latchway_access`, `__Host-latchway_refresh`, `__Host-latchway_csrf`"))),
        Invalid,
        (status = 401, description = "`invalid_client`: no active client of that name", body = Problem),
        (status = 403, description = "`forbidden`: a page of another origin made the browser send this", body = Problem),
        (status = 429, description = "`slow_down`: too many failures; see `Retry-After`", body = Problem),
        (status = 503, description = "`temporarily_unavailable`: too many logins at once; see `Retry-After`", body = Problem),
    )
)]
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    browser::refuse_foreign(&app, &req, info).await?;
    let asked: LoginRequest = json::read(&req, &body)?;
    // All that can be wrong with the request is told before any password is looked at.
    let ctx = async |client| -> Result<Ctx, Fault> {
        let (app, now, params) = (App::clone(&app), app.now(), asked.params());
        let ctx = Ctx { app, info, client, params, now };
        asked.new_grant(&ctx, None)?;
        Ok(ctx)
    };
    let ctx = tokens::with_client(&app, &asked.client_id, ctx).await?;
    let marked = asked.device_mark.as_deref().and_then(|mark| request::marked_device(&app, mark));
    let device = marked.or_else(|| request::device(&req, &app));
    let proof = authenticate(&ctx, &asked, device.as_ref()).await?;
    let mark = request::device_mark(&app, device, proof.user_id());
    let browser = request::browser(&req, ctx.info);
    let replaced = request::cookie(&req, &app, TokenCookies::for_issuer(app.issuer()).refresh);
    tokens::with_client(&app, &asked.client_id, async |client| {
        let delivery = delivery(&client, &req);
        let ctx = Ctx { client, now: app.now(), ..ctx.clone() };
        let grant = asked.new_grant(&ctx, Some(proof.user_id()))?;
        let (proof, browser, replaced) = (proof.clone(), browser.clone(), replaced.clone());
        let draft = issuing::transact(&ctx, "login.first_party", None, move |ctx, tx| {
            begin(ctx, tx, &grant, &proof, &browser, replaced.as_deref())
        });
        tokens::answer(&ctx, &draft.await?, delivery, mark.clone())
    })
    .await
    .map(|answer| remember(answer, mark.and_then(|mark| request::cookie_of_mark(&app, &mark)).as_deref()))
}

/// Leaves the cookie by which a browser is known again, where it keeps cookies.
fn remember(mut answer: HttpResponse, known: Option<&str>) -> HttpResponse {
    if answer.headers().contains_key(SET_COOKIE)
        && let Some(known) = known.and_then(|cookie| HeaderValue::from_str(cookie).ok())
    {
        answer.headers_mut().append(SET_COOKIE, known);
    }
    answer
}

/// Whatever the client is, tokens never come into the reach of a browser's scripts.
fn delivery(client: &Client, req: &HttpRequest) -> Delivery {
    if client.application_type == ApplicationType::Web || browser::is_browser(req) {
        Delivery::Cookies
    } else {
        Delivery::Body
    }
}

impl LoginRequest {
    /// What of it decides over tokens.
    fn params(&self) -> Arc<Params> {
        Arc::new(Params::from_pairs(self.resource.iter().map(|resource| ("resource", resource.clone()))))
    }

    /// The family that this asks for; an error names the parameter that the client may not ask so.
    fn new_grant(&self, ctx: &Ctx, user_id: Option<Id>) -> Result<Grant, Fault> {
        let invalid = |why: String| OAuthError::new(ErrorCode::InvalidScope, why);
        let scope = match self.scope.as_deref() {
            None | Some("") => ctx.client.scope.clone(),
            Some(text) => Scopes::parse(text).map_err(|e| invalid(e.to_string()))?,
        };
        if !scope.is_subset(&ctx.client.scope) {
            return Err(invalid("scope has more than the client is registered for".to_owned()).into());
        }
        let mut resources = self.resource.clone();
        resources.sort();
        resources.dedup();
        let grant = Grant {
            id: Id::new(&ctx.app.clock, &ctx.app.rng),
            client_id: ctx.client.client_id.clone(),
            user_id: user_id.unwrap_or_else(|| Id::from_bytes([0; 16])),
            session_id: None,
            scope,
            resources,
            nonce: None,
            auth_time: ctx.now,
            created_at: ctx.now,
            expires_at: ctx.now + ctx.app.config.tokens.refresh_absolute_seconds,
            renewal: Renewal::Refreshable,
            used_at: ctx.now,
            stage: GrantStage::Live,
            origin: GrantOrigin::FirstParty,
        };
        ctx.family_audience(&grant, &grant.scope)?;
        Ok(grant)
    }
}

/// The page's own way to check a password: one counter of failures, one queue of hashes, one duration.
async fn authenticate(ctx: &Ctx, asked: &LoginRequest, device: Option<&Device>) -> Result<LoginProof, Fault> {
    let app = &ctx.app;
    let address = network(ctx.info.address).to_string();
    let (credentials, now) = ((asked.username.as_str(), asked.password.clone()), app.now());
    let origin = Origin { address: &address, device };
    let outcome = identity::log_in(&app.db, &app.passwords, &app.config.limits, credentials, origin, now).await;
    match outcome {
        Ok(proof) => Ok(proof),
        Err(refusal) => {
            let (error, event) = refused(ctx, refusal, &asked.username);
            if let Some(event) = event {
                event.record_alone(&app.trail).await;
            }
            Err(error)
        }
    }
}

/// One text for all reasons, so that they cannot be told apart.
fn wrong() -> OAuthError {
    OAuthError::invalid_grant("the user name or the password is wrong")
}

fn refused(ctx: &Ctx, refusal: LoginRefusal, username: &str) -> (Fault, Option<Event>) {
    let event = |kind, known| Some(request::of_account(ctx.event(kind, false), known, username));
    match refusal {
        LoginRefusal::Wrong { known } => (wrong().into(), event(EventKind::LoginFailed, known)),
        LoginRefusal::Changed { known } => (wrong().into(), event(EventKind::LoginFailed, Some(known))),
        LoginRefusal::Throttled { limit, seconds, known } => {
            let kind = if limit == Limit::AddressJustNow { EventKind::CredStuffing } else { EventKind::LoginThrottled };
            (OAuthError::slow_down(u64::try_from(seconds).unwrap_or(1)).into(), event(kind, known))
        }
        LoginRefusal::Busy => (OAuthError::unavailable("too many logins at once").into(), None),
        LoginRefusal::TooLong => {
            let error = format!("member password is longer than {} bytes", identity::MAX_PASSWORD_BYTES);
            (OAuthError::invalid_request(error).into(), None)
        }
        LoginRefusal::Storage(error) => (error.into(), None),
        LoginRefusal::Failed(why) => (OAuthError::server_error(why).into(), None),
    }
}

/// Begins the family. The one that the same browser had before ends, as its cookies are overwritten.
fn begin(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    grant: &Grant,
    proof: &LoginProof,
    browser: &Browser,
    replaced: Option<&str>,
) -> Result<Draft, NotIssued> {
    let proved = proof.confirm(tx).map_err(|error| match error {
        Unconfirmed::Changed => Fault::from(wrong().with_detail("the account was changed meanwhile")),
        Unconfirmed::Storage(error) => error.into(),
    })?;
    let (means, client_id) = ((&ctx.app.clock, &ctx.app.rng), &ctx.client.client_id);
    let session = identity::start_in_app(tx, means, &proved, client_id, browser, grant.expires_at)?;
    let grant = &Grant { session_id: Some(session.id), auth_time: proved.auth_time(), ..grant.clone() };
    if let Some(old) = replaced {
        issuing::revoke_family_of(tx, old, ctx.now, |_| Ok(()))?;
    }
    let audience = ctx.family_audience(grant, &grant.scope)?;
    let token = ctx.family_token(grant, grant.scope.clone(), audience);
    let (refresh, row) = ctx.refresh_token(grant, None);
    grants::insert(tx, grant)?;
    access_tokens::insert(tx, &token)?;
    issuing::store_refresh(tx, &row)?;
    let detail = serde_json::json!({"scope": grant.scope.to_string(), "consent": "not asked: first-party client"});
    ctx.record(tx, ctx.event(EventKind::LoginSucceeded, true).subject(grant.user_id).detail(detail))?;
    Ok(Draft {
        token,
        event: EventKind::TokenIssued,
        person: Some((proved.user().clone(), grant.clone())),
        refresh_token: Some(expose_refresh(&refresh)),
    })
}
