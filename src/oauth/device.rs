//! The device authorization endpoint (RFC 8628 §3.1): a device without a browser asks for a person's permission.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::client_auth::{self, Freshness};
use super::token::{DEVICE_CODE_PREFIX, GRANTS};
use super::wanted;
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, DeviceCode, DeviceStage, GrantType, UserCode};
use crate::fault::Fault;
use crate::flow::user_code_marks;
use crate::protocol::{ErrorCode, OAuthError, Params, endpoints};
use crate::request;
use crate::storage::{Refusal, StorageError, device_codes};
use crate::support::{Handle, Seconds, network};

/// What means something here; each may be given once, but for `resource`.
const KNOWN: &[&str] = &[
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

/// What would mean something elsewhere and cannot be honoured here. It is refused, never ignored.
const UNSUPPORTED: &[(&str, ErrorCode)] = &[
    ("request", ErrorCode::RequestNotSupported),
    ("request_uri", ErrorCode::RequestUriNotSupported),
    ("authorization_details", ErrorCode::InvalidRequest),
    ("dpop_jkt", ErrorCode::InvalidRequest),
    ("nonce", ErrorCode::InvalidRequest),
    ("max_age", ErrorCode::InvalidRequest),
    ("prompt", ErrorCode::InvalidRequest),
    ("id_token_hint", ErrorCode::InvalidRequest),
    ("claims", ErrorCode::InvalidRequest),
];

/// RFC 8628 §3.2
#[derive(Debug, Serialize)]
struct Response {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: Seconds,
    interval: Seconds,
}

/// `POST /oauth2/device_authorization`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = request::body_only(&req, &body)?;
    if let Some(name) = params.first_repeated(KNOWN) {
        return Err(OAuthError::invalid_request(format!("{name} is given more than once")).into());
    }
    let client = client_auth::authenticate(&app, info, req.headers(), &params, Freshness::Now).await?;
    let answer = match wanted_of(&client, &params) {
        Ok(wanted) => begin(&app, info, &client, wanted).await,
        Err(error) => {
            let event = Event::failure(EventKind::DeviceRequested).reason(error.code.as_str());
            let event = event.client(&client.client_id).request(info.address, info.id);
            let event = if client.is_public() { event } else { event.authenticated() };
            event.record_alone(&app.trail).await;
            Err(error.into())
        }
    };
    let outcome = if answer.is_ok() { "success" } else { "failure" };
    metrics::counter!("latchway_device_requests_total", "outcome" => outcome).increment(1);
    Ok(HttpResponse::Ok().json(answer?))
}

/// A sound request, less what the server adds.
struct Wanted {
    scope: crate::domain::Scopes,
    resources: Vec<String>,
    code_challenge: Option<String>,
}

fn wanted_of(client: &Client, params: &Params) -> Result<Wanted, OAuthError> {
    let is_offered = GRANTS.iter().any(|grant| grant.grant_type == GrantType::DeviceCode);
    if !is_offered || !client.may_use(GrantType::DeviceCode) {
        let sentence = "this client is not registered for the device authorization grant";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence));
    }
    if let Some((name, code)) = UNSUPPORTED.iter().find(|(name, _)| params.has(name)) {
        return Err(OAuthError::new(*code, format!("{name} is not supported at this endpoint")));
    }
    let resources = wanted::resources(client, params)?;
    Ok(Wanted { scope: wanted::scope(client, params)?, resources, code_challenge: challenge(params)? })
}

/// PKCE binds the device's code to the device here as it binds an authorization code elsewhere: a challenge that is sent
/// must be met.
fn challenge(params: &Params) -> Result<Option<String>, OAuthError> {
    let fail = |sentence: &'static str| Err(OAuthError::invalid_request(sentence));
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if wanted::is_challenge(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => fail("code_challenge must be 43 characters of base64url"),
        (Some(_), _) => fail("code_challenge_method must be S256"),
        (None, Some(_)) => fail("code_challenge_method stands without code_challenge"),
        (None, None) => Ok(None),
    }
}

/// Two of 25 billion codes are the same now and then.
const TRIES: usize = 4;

async fn begin(app: &App, info: RequestInfo, client: &Client, wanted: Wanted) -> Result<Response, Fault> {
    for _ in 0..TRIES {
        let (handle, user_code) = (Handle::new(&app.clock, &app.rng), UserCode::new(&app.rng));
        let now = app.now();
        let row = DeviceCode {
            id: handle.id(),
            secret_hash: handle.digest().to_vec(),
            user_code_hash: user_code_marks(app, &user_code).swap_remove(0),
            client_id: client.client_id.clone(),
            scope: wanted.scope.clone(),
            resources: wanted.resources.clone(),
            code_challenge: wanted.code_challenge.clone(),
            address: info.address.to_string(),
            created_at: now,
            expires_at: now + app.config.device.code_seconds,
            interval_seconds: app.config.device.interval_seconds,
            failures: 0,
            stage: DeviceStage::Pending,
        };
        match store(app, info, client.version, row).await {
            Err(Fault::Storage(StorageError::Conflict(_))) => {}
            Err(fault) => return Err(fault),
            Ok(()) => return Ok(response(app, &handle, &user_code)),
        }
    }
    Err(StorageError::Busy.into())
}

async fn store(app: &App, info: RequestInfo, version: i64, row: DeviceCode) -> Result<(), Fault> {
    let (writer, limit) = (app.clone(), app.config.device.max_requests);
    let network = network(info.address).to_string();
    app.db
        .write("device.begin", move |tx| -> Result<_, Refusal<Fault>> {
            if tx.client_version(&row.client_id).map_err(Fault::from)? != Some(version) {
                return Err(Fault::ClientChanged.into());
            }
            // Whoever knows the name of a public client can make such rows, so there is an end to them.
            let whose = (row.client_id.as_str(), network.as_str());
            if !device_codes::make_room(tx, whose, limit, row.created_at).map_err(Fault::from)? {
                return Err(Fault::from(StorageError::Busy).into());
            }
            device_codes::insert(tx, &row, &network).map_err(Fault::from)?;
            Ok(Event::success(EventKind::DeviceRequested)
                .client(&row.client_id)
                .request(info.address, info.id)
                .detail(serde_json::json!({"scope": row.scope.to_string(), "device": row.id}))
                .record(tx, &writer.clock)
                .map_err(Fault::from)?)
        })
        .await
}

fn response(app: &App, handle: &Handle, user_code: &UserCode) -> Response {
    let verification_uri = app.url(endpoints::DEVICE);
    Response {
        device_code: format!("{DEVICE_CODE_PREFIX}{}", handle.expose()),
        user_code: user_code.shown(),
        verification_uri_complete: format!("{verification_uri}?user_code={}", user_code.shown()),
        verification_uri,
        expires_in: app.config.device.code_seconds,
        interval: app.config.device.interval_seconds,
    }
}
