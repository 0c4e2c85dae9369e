//! What a pending authorization waits for next: a login, a consent, or nothing.

use super::{AuthorizationRequest, Prompt};
use crate::app::App;
use crate::domain::{Client, ConsentPolicy, OFFLINE_ACCESS, Scopes};
use crate::fault::Fault;
use crate::identity::CurrentSession;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::consents;
use crate::support::{Id, Seconds};

/// What a request waits for next.
#[derive(Debug)]
pub enum Step {
    Login,
    Consent,
    /// Nothing: this scope was allowed before.
    Answer(Scopes),
    /// It must not wait, and cannot be answered otherwise.
    Refuse(OAuthError),
}

/// Looks at a request, and at who is logged in. `logged_in_for_it` is the session in which a person logged in for this
/// very request, so that `prompt=login` is met once and not for ever.
pub async fn decide(
    app: &App,
    client: &Client,
    request: &AuthorizationRequest,
    session: Option<&CurrentSession>,
    logged_in_for_it: Option<Id>,
) -> Result<Step, Fault> {
    let silent = request.has_prompt(Prompt::None);
    let Some(session) = session.filter(|session| !login_needed(request, session, logged_in_for_it, app.now())) else {
        let refusal =
            || OAuthError::new(ErrorCode::LoginRequired, "the person has to log in, and prompt=none forbids to ask");
        return Ok(if silent { Step::Refuse(refusal()) } else { Step::Login });
    };
    let policy = client.consent_at(&request.target.redirect_uri);
    let mut wanted = request.scopes();
    if silent && policy != ConsentPolicy::Never {
        // OIDC Core §11: offline_access needs a consent, which nobody can be asked for here.
        wanted = wanted.without(OFFLINE_ACCESS);
    }
    if consent_needed(app, policy, request, session, &wanted).await? {
        let refusal =
            || OAuthError::new(ErrorCode::ConsentRequired, "the person has to consent, and prompt=none forbids to ask");
        return Ok(if silent { Step::Refuse(refusal()) } else { Step::Consent });
    }
    Ok(Step::Answer(wanted))
}

/// Whether the person has to prove (again) who they are.
pub fn login_needed(
    request: &AuthorizationRequest,
    session: &CurrentSession,
    logged_in_for_it: Option<Id>,
    now: Seconds,
) -> bool {
    if request.hinted_user.is_some_and(|hinted| hinted != session.user.id) {
        return true;
    }
    if logged_in_for_it == Some(session.session.id) {
        return false;
    }
    let too_old = |max_age: Seconds| max_age == 0 || now.saturating_sub(session.session.auth_time) > max_age;
    request.has_prompt(Prompt::Login)
        || request.has_prompt(Prompt::SelectAccount)
        || request.max_age.is_some_and(too_old)
}

async fn consent_needed(
    app: &App,
    policy: ConsentPolicy,
    request: &AuthorizationRequest,
    session: &CurrentSession,
    wanted: &Scopes,
) -> Result<bool, Fault> {
    if request.has_prompt(Prompt::Consent) {
        return Ok(true);
    }
    match policy {
        ConsentPolicy::Never => return Ok(false),
        ConsentPolicy::Always => return Ok(true),
        ConsentPolicy::Remember if wanted.contains(OFFLINE_ACCESS) => return Ok(true),
        ConsentPolicy::Remember => {}
    }
    let (user_id, client_id) = (session.user.id, request.client_id.clone());
    let given = app.db.read("consent.find", move |conn| consents::for_client(conn, user_id, &client_id)).await?;
    let allowed_at = |resource: &String| {
        given.iter().any(|consent| consent.resource == *resource && wanted.is_subset(&consent.scope))
    };
    // What was allowed at some API was allowed to the app: the same for no API at all is less.
    let covered = match request.resources.as_slice() {
        [] => given.iter().any(|consent| wanted.is_subset(&consent.scope)),
        resources => resources.iter().all(allowed_at),
    };
    Ok(!covered)
}
