use super::{AuthorizationRequest, Prompt};
use crate::app::App;
use crate::domain::{Client, OFFLINE_ACCESS, Scopes};
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
    let mut wanted = request.scopes();
    if silent {
        // OIDC Core §11: offline_access needs a consent, which nobody can be asked for here.
        wanted = wanted.without(OFFLINE_ACCESS);
    }
    if consent_needed(app, client, request, session, &wanted).await? {
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
    client: &Client,
    request: &AuthorizationRequest,
    session: &CurrentSession,
    wanted: &Scopes,
) -> Result<bool, Fault> {
    // RFC 8252 §8.6: whoever asks in the name of such a client may be somebody else.
    if request.has_prompt(Prompt::Consent) || client.can_be_impersonated() || wanted.contains(OFFLINE_ACCESS) {
        return Ok(true);
    }
    let (user_id, client_id) = (session.user.id, client.client_id.clone());
    let given = app.db.read("consent.find", move |conn| consents::for_client(conn, user_id, &client_id)).await?;
    let covered = request
        .consent_resources()
        .iter()
        .all(|resource| given.iter().any(|consent| consent.resource == *resource && wanted.is_subset(&consent.scope)));
    Ok(!covered)
}
