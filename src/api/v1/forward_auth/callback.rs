//! The end of a login for an app behind a proxy: a one-time ticket becomes a cookie of the app's host.

use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::{HttpRequest, web};
use serde_json::json;

use super::cookies::{GateCookies, state_hash};
use super::original::Original;
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::domain::{GateStage, origin_of};
use crate::fault::{Fault, Problem};
use crate::flow::{Answer, is_known_app};
use crate::identity::stands;
use crate::request;
use crate::storage::{Refusal, gates};
use crate::support::{Handle, constant_time_eq};

/// `GET /.latchway/callback`, which the proxy hands to us from the app's host: takes a ticket, once, at the origin that it
/// is for, from the browser that began there, and gives that browser the gate's cookie.
pub async fn callback(app: web::Data<App>, req: HttpRequest) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let query = request::page_query(&req)?;
    let expired = |why: &str| Fault::page(Problem::Expired, why);
    let original = Original::read(&app, &req);
    let original = original.map_err(|error| Fault::page(Problem::MalformedRequest, error.description))?;
    let Some(origin) = original.origin.filter(|origin| is_known_app(&app, origin)) else {
        return Err(expired("the proxy is not trusted, or does not tell an origin of [gatekeeper] allowed_origins"));
    };
    let cookies = GateCookies::at(&origin);
    let headers = req.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
    let Some(state) = app.cookies.read(headers, cookies.state).map(state_hash) else {
        return Err(Fault::page(Problem::CookiesMissing, "the state cookie is missing"));
    };
    let ticket = query.get("ticket").filter(|_| !query.is_repeated("ticket")).unwrap_or_default();
    let ticket = Handle::parse(ticket).map_err(|_| expired("the ticket is none"))?;
    let cookie = ticket.renewed(&app.rng);
    let (writer, digest, now) = (app.clone(), cookie.digest(), app.now());
    let return_to = app
        .db
        .write("forward_auth.open", move |tx| -> Result<_, Refusal<Fault>> {
            let app = &writer;
            let dead = || expired("the ticket is unknown, used, expired, of another browser or for another origin");
            let found = gates::find(tx.reader(), ticket.id()).map_err(Fault::from)?;
            let found = found.filter(|(gate, session, user)| {
                ticket.matches(&gate.secret_hash)
                    && gate.stage == GateStage::Ticket
                    && gate.origin == origin
                    && constant_time_eq(&gate.state_hash, &state)
                    && stands(session, user, now)
            });
            let (gate, session, user) = found.ok_or_else(dead)?;
            let until = session.created_at + app.config.sessions.absolute_seconds;
            if !gates::open(tx, gate.id, &digest, now, until).map_err(Fault::from)? {
                return Err(dead().into());
            }
            Event::success(EventKind::GateOpened)
                .subject(user.id)
                .request(info.address, info.id)
                .detail(json!({"origin": gate.origin}))
                .record(tx, &app.clock)
                .map_err(Fault::from)?;
            Ok(gate.return_to)
        })
        .await?;
    // It was checked when the ticket was made; the operator may have changed their mind.
    origin_of(&return_to)
        .filter(|origin| is_known_app(&app, origin))
        .ok_or_else(|| expired("the app is not in [gatekeeper] allowed_origins any more"))?;
    Ok(Answer::onward(return_to, None).with_cookie(cookies.set(cookies.gate, &cookie.expose())))
}
