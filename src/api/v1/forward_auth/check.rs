//! `GET /api/v1/forward-auth`: whether the request that a proxy asks about may pass.

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::credential::{Carried, Reach, Visitor, visitor};
use super::original::Original;
use super::requirements::Requirements;
use crate::api::problem::Problem;
use crate::app::App;
use crate::fault::Fault;
use crate::flow::is_known_app;
use crate::protocol::{AuthChallenge, BearerReport, ErrorCode, OAuthError};

/// May a request pass?
///
/// A proxy sends the headers of the request that it asks about, and what must be met in the query. `docs/forward-auth.md`
/// has configurations for nginx, Traefik and Caddy.
#[utoipa::path(
    get, path = "/api/v1/forward-auth", tag = "Forward authentication",
    security(("bearer" = []), ("api_key" = []), ("access_cookie" = [])),
    params(
        ("scope" = Option<String>, Query, description = "Scopes that are all needed, separated by spaces"),
        ("role" = Option<String>, Query, description = "The person's role: `user` or `admin`"),
        ("audience" = Option<String>, Query, description = "The audience that a token or key must have; the app's origin or `[gatekeeper] audience` if left out"),
        ("method" = Option<String>, Query, description = "`session`, `bearer` or `api_key`; several are alternatives"),
        ("client" = Option<String>, Query, description = "The client of the token or key; several are alternatives"),
        ("max_age" = Option<i64>, Query, description = "Seconds that the person's login may be old"),
        ("redirect" = Option<String>, Query, description = "`302`: send browsers to the login page by a redirect"),
    ),
    responses(
        (status = 204, description = "Yes: `X-Auth-User`, `-Subject`, `-Client`, `-Scope`, `-Roles`, `-Method` say who it is, each always there"),
        (status = 302, description = "No, with `redirect=302` and for a browser: to the login page"),
        (status = 400, description = "`invalid_request`: a demand that is unknown, empty or malformed, or a header of the proxy that is", body = Problem),
        (status = 401, description = "No: nothing that counts. For a browser `X-Auth-Login` says where to log in", body = Problem),
        (status = 403, description = "`insufficient_scope`: scope or role are wanting; `forbidden`: another method or client is demanded, or another site made the browser send it", body = Problem),
        (status = 429, description = "`slow_down`: the API key's own limit", body = Problem),
    )
)]
pub async fn check(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let outcome = decide(&app, &req).await;
    let (answer, by) = match &outcome {
        Ok((response, Some(by))) if response.status().is_success() => ("passed", *by),
        Ok(_) | Err(Fault::SignIn { .. }) => ("login", "none"),
        Err(Fault::OAuth(error)) if error.code.status() < 500 => (error.code.as_str(), "none"),
        Err(_) => ("unknown", "none"),
    };
    metrics::counter!("latchway_forward_auth_total", "answer" => answer, "by" => by).increment(1);
    outcome.map(|(response, _)| response)
}

async fn decide(app: &App, req: &HttpRequest) -> Result<(HttpResponse, Option<&'static str>), Fault> {
    let wanted = Requirements::read(app, req)?;
    let original = Original::read(app, req)?;
    let counts = |visitor: &Visitor| is_meant_for(app, visitor, &original, &wanted) && fits(visitor, &wanted);
    let Some(visitor) = visitor(app, req, &original, counts).await? else {
        let error = OAuthError::missing_token();
        return answer::to_login(app, req, &original, &wanted, error).map(|response| (response, None));
    };
    if visitor.carried == Carried::InCookie && is_forged(app, req, &original) {
        let error = "another site made the browser send this, and cookies alone do not count for that";
        return Err(OAuthError::new(ErrorCode::Forbidden, error).into());
    }
    if !is_meant_for(app, &visitor, &original, &wanted) {
        return Err(
            OAuthError::invalid_token("its audience is neither the app's origin nor [gatekeeper] audience").into()
        );
    }
    if !fits(&visitor, &wanted) {
        let error = "this place is for another kind of credential, or for another client's";
        return Err(OAuthError::new(ErrorCode::Forbidden, error).into());
    }
    if let Some(limit) = wanted.max_age.filter(|limit| !is_fresh(app, &visitor, *limit)) {
        let error = OAuthError::stale_login(limit);
        return match visitor.carried {
            Carried::InCookie => answer::to_login(app, req, &original, &wanted, error).map(|answer| (answer, None)),
            Carried::InHeader => Err(error.into()),
        };
    }
    meets(&visitor, &wanted)?;
    Ok((answer::pass(&visitor), Some(visitor.method.as_str())))
}

fn is_fresh(app: &App, visitor: &Visitor, limit: crate::support::Seconds) -> bool {
    visitor.auth_time.is_some_and(|at| app.now().saturating_sub(at) <= limit)
}

/// Whether a credential is for the place that is asked about. The audience of that is the one that is demanded, or else
/// `[gatekeeper] audience` or the origin of an app that the operator named; never one of our own, which every app's tokens
/// have.
fn is_meant_for(app: &App, visitor: &Visitor, original: &Original, wanted: &Requirements) -> bool {
    let demanded = wanted.audience.as_deref();
    let gate = Some(app.config.gatekeeper.audience.as_str()).filter(|audience| !audience.is_empty());
    let origin = original.origin.as_deref().filter(|origin| is_known_app(app, origin) && !app.is_own_audience(origin));
    let has = |audience: &str| match demanded {
        Some(demanded) => audience == demanded,
        None => [gate, origin].contains(&Some(audience)),
    };
    match &visitor.reach {
        Reach::Everywhere => true,
        Reach::Audience(audience) => audience.iter().any(|api| has(api)),
        Reach::FirstParty { audience, is_shared } => {
            audience.iter().any(|api| has(api)) || demanded.is_none() && !is_shared
        }
    }
}

/// Whether it is of a kind and of a client that may pass.
fn fits(visitor: &Visitor, wanted: &Requirements) -> bool {
    let client = || visitor.client_id.as_ref().is_some_and(|client| wanted.clients.contains(client));
    (wanted.methods.is_empty() || wanted.methods.contains(&visitor.method)) && (wanted.clients.is_empty() || client())
}

fn meets(visitor: &Visitor, wanted: &Requirements) -> Result<(), OAuthError> {
    if !wanted.scope.is_subset(&visitor.scope) {
        return Err(OAuthError::insufficient_scope(wanted.scope.to_string()));
    }
    if let Some(role) = wanted.role.filter(|role| visitor.role != Some(*role)) {
        // RFC 6750 has no word for it: nothing that can be asked for would help.
        let error = OAuthError::new(ErrorCode::InsufficientScope, format!("the role {role} is required"));
        return Err(error.with_challenge(AuthChallenge::Bearer(BearerReport::Error)));
    }
    Ok(())
}

/// Whether another site may have made a browser send a request that changes something. SameSite keeps our cookies off most
/// of these; this keeps off those of other hosts of the same domain as well.
fn is_forged(app: &App, req: &HttpRequest, original: &Original) -> bool {
    let header = |name: &str| req.headers().get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
    let socket = header("sec-fetch-mode").as_deref() == Some("websocket") || header("upgrade").is_some();
    if original.is_safe() && !socket {
        return false;
    }
    let origin = header("origin");
    let is_ones_own = |origin: &str| original.origin.as_deref() == Some(origin) || is_known_app(app, origin);
    match header("sec-fetch-site").as_deref() {
        Some("same-origin" | "none") => false,
        Some(_) => !origin.as_deref().is_some_and(is_ones_own),
        None => origin.is_some_and(|origin| !is_ones_own(&origin)),
    }
}
