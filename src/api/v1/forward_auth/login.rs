//! `GET /api/v1/forward-auth/login`: sends a person who is logged in back to the app with a one-time ticket.

use actix_web::{HttpRequest, web};
use url::Url;
use url::form_urlencoded::Serializer;

use super::cookies;
use crate::app::App;
use crate::domain::{Gate, GateStage, origin_of};
use crate::fault::{Fault, Problem};
use crate::flow::{After, Answer, is_known_app};
use crate::protocol::endpoints;
use crate::request;
use crate::storage::{Refusal, StorageError, gates};
use crate::support::{Handle, Seconds};

/// How long a ticket may take through the browser, in seconds.
const TICKET_SECONDS: Seconds = 60;

/// Log in for an app behind a proxy
///
/// A browser is sent here, goes over the login page if need be, and back to the app. It leads to no origin that the operator
/// did not name.
#[utoipa::path(
    get, path = "/api/v1/forward-auth/login", operation_id = "forward_auth_login", tag = "Forward authentication",
    security(()),
    params(
        ("return_to" = String, Query, min_length = 8, max_length = 2048, description = "The address that the browser wanted to go to"),
        ("state" = String, Query, min_length = 43, max_length = 43, description = "A hash of what the browser holds at the app's host, in base64url"),
        ("max_age" = Option<i64>, Query, description = "Seconds that the login may be old"),
    ),
    responses(
        (status = 303, description = "To the login page, or to the app's host with a ticket"),
        (status = 400, description = "A page: `return_to` leads to no app that the operator named"),
    )
)]
pub async fn login(app: web::Data<App>, req: HttpRequest) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let query = request::page_query(&req)?;
    let malformed = |why: &str| Fault::page(Problem::MalformedRequest, why);
    if let Some(name) = query.first_repeated(&["return_to", "state", "max_age"]) {
        return Err(malformed(&format!("{name} is given more than once")));
    }
    let Some(After::Gate { return_to, state, max_age }) = After::read_gate(&query) else {
        return Err(malformed("return_to, state or max_age is missing or malformed"));
    };
    let origin = origin_of(&return_to).filter(|origin| is_known_app(&app, origin));
    let origin =
        origin.ok_or_else(|| malformed("return_to is at no origin of [gatekeeper] allowed_origins"))?.to_owned();
    let state_hash = cookies::decode(&state).ok_or_else(|| malformed("state is malformed"))?;
    let after = After::Gate { return_to: return_to.clone(), state, max_age };
    let Some(current) = request::session(&req, &app).await? else {
        return Ok(Answer::local(after.login()));
    };
    if !after.accepts(current.session.auth_time, app.now()) {
        return Ok(Answer::local(after.login()));
    }
    request::touch(&app, &current).await?;
    if is_same_host(app.issuer(), &origin) {
        // The session's own cookie reaches the app.
        return Ok(Answer::onward(return_to, None));
    }
    if let Err(exceeded) = app.limiter.authorize(info.address) {
        return Err(Fault::Page(Problem::TooMany { retry_after: exceeded.retry_after }, None));
    }
    let ticket = Handle::new(&app.clock, &app.rng);
    let now = app.now();
    let gate = Gate {
        id: ticket.id(),
        secret_hash: ticket.digest().to_vec(),
        session_id: current.session.id,
        origin: origin.clone(),
        state_hash: state_hash.to_vec(),
        return_to,
        created_at: now,
        expires_at: now + TICKET_SECONDS,
        stage: GateStage::Ticket,
    };
    app.db
        .write("forward_auth.ticket", move |tx| -> Result<_, Refusal<StorageError>> { Ok(gates::insert(tx, &gate)?) })
        .await?;
    let query: String = Serializer::new(String::new()).append_pair("ticket", &ticket.expose()).finish();
    Ok(Answer::onward(format!("{origin}{}?{query}", endpoints::FORWARD_AUTH_CALLBACK), None))
}

/// Cookies are for a host, whatever the port (RFC 6265 §8.5).
fn is_same_host(issuer: &str, origin: &str) -> bool {
    match (Url::parse(issuer), Url::parse(origin)) {
        (Ok(ours), Ok(theirs)) => ours.scheme() == theirs.scheme() && ours.host() == theirs.host(),
        _ => false,
    }
}
