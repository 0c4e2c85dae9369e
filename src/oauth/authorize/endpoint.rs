//! The authorization endpoint (RFC 6749 §3.1): reads the request, validates it, and begins or answers it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::http::Method;
use actix_web::{HttpRequest, web};

use super::{KNOWN, checks, target};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::bearer::take_up_key_of;
use crate::defense::Exceeded;
use crate::domain::Client;
use crate::fault::{Fault, Problem};
use crate::flow::{self, Answer, Approval, AuthorizationRequest, Step, Target};
use crate::protocol::{OAuthError, Params, endpoints};
use crate::request;

/// `GET` and `POST /oauth2/authorize`
pub async fn handle(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let (params, sources) = read(&req, &body)?;
    let (client, target) = target::find(&app, info, &params).await?;
    if sources == Sources::Two {
        let error = OAuthError::invalid_request("parameters came in the URL and in the body; use one of them");
        return Ok(refuse(&app, info, &client, &target, error, EventKind::AuthzRefused).await);
    }
    if let Some(token) = params.get("id_token_hint") {
        // Another node may have signed it with a key that it made a moment ago.
        take_up_key_of(&app, token).await?;
    }
    let request = match checks::run(&app, &client, &params, target.clone()) {
        Ok(request) => request,
        Err(refused) => return Ok(refuse(&app, info, &client, &target, refused.error, refused.kind).await),
    };
    if let Some(again) = by_get(&app, &req, &params) {
        return Ok(again);
    }
    note_challenge(&app, info, &request).await;
    match proceed(&app, &req, info, &client, &request).await {
        Err(Fault::ClientChanged) => Err(Fault::Page(Problem::Unavailable { retry_after: 2 }, None)),
        answer => answer,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    One,
    Two,
}

fn read(req: &HttpRequest, body: &[u8]) -> Result<(Params, Sources), Fault> {
    if req.method() == Method::GET {
        return Ok((request::page_query(req)?, Sources::One));
    }
    let form = request::page_form(req, body)?;
    let query = request::page_query(req)?;
    match (query.is_empty(), form.is_empty()) {
        (true, _) => Ok((form, Sources::One)),
        (false, true) => Ok((query, Sources::One)),
        // OIDC Core §3.1.2.1 knows a request in the query or in the body. Only one that is whole can be told where to go.
        (false, false) => Ok((if query.has("client_id") { query } else { form }, Sources::Two)),
    }
}

/// Longer ones are not led to the same request by GET; in bytes.
const MAX_LOCATION: usize = 6 * 1024;

/// Browsers leave our cookies out of a form that another site posts, and send them with the GET that such a form is led to
/// (SameSite=Lax). Without any cookie it cannot be told whether the person is logged in, so the same request comes again by
/// GET before anything is decided.
fn by_get(app: &App, req: &HttpRequest, params: &Params) -> Option<Answer> {
    let has_cookie = |name: &str| request::cookie(req, app, name).is_some();
    if req.method() != Method::POST || has_cookie(app.cookies.session) || has_cookie(app.cookies.browser) {
        return None;
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["client_id", "redirect_uri"].iter().chain(KNOWN) {
        query.extend_pairs(params.get(name).map(|value| (name, value)));
    }
    query.extend_pairs(params.all("resource").map(|value| ("resource", value)));
    let query = query.finish();
    (query.len() <= MAX_LOCATION).then(|| Answer::local(format!("{}?{query}", endpoints::AUTHORIZE)))
}

async fn proceed(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    client: &Arc<Client>,
    request: &AuthorizationRequest,
) -> Result<Answer, Fault> {
    let session = request::session(req, app).await?;
    let path = match flow::decide(app, client, request, session.as_ref(), None).await? {
        Step::Refuse(error) => {
            return Ok(refuse(app, info, client, &request.target, error, EventKind::AuthzRefused).await);
        }
        Step::Answer(scope) => {
            let session = session.ok_or_else(|| Fault::page(Problem::Internal, "an answer without a session"))?;
            return flow::approve(app, info, client, request, &session, Approval::remembered(scope, None)).await;
        }
        Step::Login => endpoints::LOGIN,
        Step::Consent => endpoints::CONSENT,
    };
    // What waits costs no row, but its seal costs a little.
    let too_many = |e: Exceeded| Fault::Page(Problem::TooMany { retry_after: e.retry_after }, None);
    app.limiter.authorize(info.address).map_err(too_many)?;
    let present = request::cookie(req, app, app.cookies.browser);
    let (browser, is_fresh) = flow::browser_cookie(app, present.as_deref());
    let transaction = match flow::begin(app, request, &browser) {
        Ok(transaction) => transaction,
        Err(error) => return Ok(refuse(app, info, client, &request.target, error, EventKind::AuthzRefused).await),
    };
    let answer = Answer::local(transaction.at(path));
    Ok(if is_fresh { answer.with_cookie(app.cookies.set(app.cookies.browser, &browser)) } else { answer })
}

async fn refuse(
    app: &App,
    info: RequestInfo,
    client: &Client,
    target: &Target,
    error: OAuthError,
    kind: EventKind,
) -> Answer {
    request::note_refusal(&client.client_id, &error);
    Event::failure(kind)
        .client(&client.client_id)
        .request(info.address, info.id)
        .reason(error.code.as_str())
        .detail(serde_json::json!({"description": error.wire_description()}))
        .record_alone(&app.trail)
        .await;
    flow::refuse(target, &error, app.issuer())
}

/// A client that sends the same challenge again and again has none worth the name (RFC 9700 §2.1.1).
async fn note_challenge(app: &App, info: RequestInfo, request: &AuthorizationRequest) {
    const SUSPICIOUS: u32 = 10;
    let Some(challenge) = &request.code_challenge else { return };
    let key = (request.client_id.clone(), challenge.clone());
    let seen = app.challenges.get_with(key, || Arc::new(AtomicU32::new(0))).fetch_add(1, Ordering::Relaxed) + 1;
    if seen == SUSPICIOUS {
        Event::failure(EventKind::PkceConstant)
            .client(&request.client_id)
            .request(info.address, info.id)
            .record_alone(&app.trail)
            .await;
    }
}
