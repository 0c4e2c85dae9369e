use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::credential::{Carried, Visitor, visitor};
use super::original::Original;
use super::requirements::Requirements;
use crate::api::problem::Problem;
use crate::app::App;
use crate::fault::Fault;
use crate::flow::is_known_app;
use crate::protocol::{ErrorCode, OAuthError};

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
        ("audience" = Option<String>, Query, description = "The API that a token or key must be for; the issuer if left out"),
        ("max_age" = Option<i64>, Query, description = "Seconds that the person's login may be old"),
        ("redirect" = Option<String>, Query, description = "`302`: send browsers to the login page by a redirect"),
    ),
    responses(
        (status = 204, description = "Yes: `X-Auth-User`, `-Subject`, `-Client`, `-Scope`, `-Roles`, `-Method` say who it is, each always there"),
        (status = 302, description = "No, with `redirect=302` and for a browser: to the login page"),
        (status = 400, description = "`invalid_request`: a demand that is unknown, empty or malformed", body = Problem),
        (status = 401, description = "No: nothing that counts. For a browser `X-Auth-Login` says where to log in", body = Problem),
        (status = 403, description = "`insufficient_scope`: scope or role are wanting; `forbidden`: another site made the browser send it", body = Problem),
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
    let wanted = Requirements::read(req)?;
    let original = Original::read(app, req);
    let Some(visitor) = visitor(app, req, &original).await? else {
        let error = OAuthError::invalid_token("no token");
        return answer::to_login(app, req, &original, &wanted, error).map(|response| (response, None));
    };
    if visitor.carried == Carried::InCookie && is_forged(app, req, &original) {
        let error = "another site made the browser send this, and cookies alone do not count for that";
        return Err(OAuthError::new(ErrorCode::Forbidden, error).into());
    }
    if let Some(limit) = wanted.max_age.filter(|limit| !is_fresh(app, &visitor, *limit)) {
        let error = OAuthError::stale_login(limit);
        return match visitor.carried {
            Carried::InCookie => answer::to_login(app, req, &original, &wanted, error).map(|answer| (answer, None)),
            Carried::InHeader => Err(error.into()),
        };
    }
    meets(app, &visitor, &wanted)?;
    Ok((answer::pass(&visitor), Some(visitor.method.as_str())))
}

fn is_fresh(app: &App, visitor: &Visitor, limit: crate::support::Seconds) -> bool {
    visitor.auth_time.is_some_and(|at| app.now().saturating_sub(at) <= limit)
}

fn meets(app: &App, visitor: &Visitor, wanted: &Requirements) -> Result<(), OAuthError> {
    let audience = wanted.audience.as_deref().unwrap_or(app.issuer());
    if visitor.audience.as_ref().is_some_and(|meant| !meant.iter().any(|api| api == audience)) {
        return Err(OAuthError::invalid_token("its audience is another API"));
    }
    if !wanted.scope.is_subset(&visitor.scope) {
        return Err(OAuthError::insufficient_scope(wanted.scope.to_string()));
    }
    if let Some(role) = wanted.role.filter(|role| visitor.role != Some(*role)) {
        // RFC 6750 has no word for it: nothing that can be asked for would help.
        let mut error = OAuthError::new(ErrorCode::InsufficientScope, format!("the role {role} is required"));
        error.challenge = Some("Bearer");
        return Err(error);
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
