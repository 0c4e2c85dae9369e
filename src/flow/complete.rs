use super::{Answer, AuthorizationRequest, refuse, succeed};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, Code, CodeStage, Grant, GrantOrigin, GrantStage, GrantType, Renewal, Scopes};
use crate::fault::{Fault, Problem};
use crate::identity::CurrentSession;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Refusal, Tx, authorizations, codes, consents, grants};
use crate::support::{Handle, Id, Seconds};

/// What was allowed, by whom, and how it came about.
#[derive(Debug, Clone)]
pub struct Approval {
    pub scope: Scopes,
    /// The stored request that this answers; none where nobody had to be asked.
    pub transaction: Option<Id>,
    /// Whether the person was asked just now, so that it is to be remembered.
    pub consented: Consented,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consented {
    Now,
    Before,
}

impl Approval {
    /// Allowed before; nobody was asked.
    pub fn remembered(scope: Scopes, transaction: Option<Id>) -> Self {
        Self { scope, transaction, consented: Consented::Before }
    }

    /// Allowed on the consent page.
    pub fn given(scope: Scopes, transaction: Id) -> Self {
        Self { scope, transaction: Some(transaction), consented: Consented::Now }
    }
}

/// Ends a request with a code: one, however often and from however many tabs it is answered.
pub async fn approve(
    app: &App,
    info: RequestInfo,
    client: &Client,
    request: &AuthorizationRequest,
    session: &CurrentSession,
    approval: Approval,
) -> Result<Answer, Fault> {
    let now = app.now();
    let handle = Handle::new(&app.clock, &app.rng);
    let grant = Grant {
        id: Id::new(&app.clock, &app.rng),
        client_id: client.client_id.clone(),
        user_id: session.user.id,
        session_id: Some(session.session.id),
        scope: approval.scope.clone(),
        resources: request.resources.clone(),
        nonce: request.nonce.clone(),
        auth_time: session.session.auth_time,
        created_at: now,
        expires_at: now + family_seconds(app, client, app.config.tokens.code_seconds),
        used_at: now,
        renewal: if client.may_use(GrantType::RefreshToken) { Renewal::Refreshable } else { Renewal::Once },
        stage: GrantStage::Live,
        origin: GrantOrigin::Authorization,
    };
    let code = Code {
        id: handle.id(),
        secret_hash: handle.digest().to_vec(),
        grant_id: grant.id,
        sent_redirect_uri: request.redirect_uri_sent.then(|| request.target.redirect_uri.clone()),
        redirect_uri: request.target.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        expires_at: now + app.config.tokens.code_seconds,
        stage: CodeStage::Issued,
        failures: 0,
    };
    let event = Event::success(EventKind::CodeIssued)
        .client(&client.client_id)
        .subject(session.user.id)
        .request(info.address, info.id)
        .detail(serde_json::json!({"scope": grant.scope.to_string()}));
    let (writer, version, remembered) = (app.clone(), client.version, request.consent_resources());
    app.db
        .write("authorization.approve", move |tx| -> Result<_, Refusal<Fault>> {
            if tx.client_version(&grant.client_id).map_err(Fault::from)? != Some(version) {
                return Err(Fault::ClientChanged.into());
            }
            finish(tx, approval.transaction, now)?;
            if approval.consented == Consented::Now {
                remember(&writer, tx, info, &grant, &remembered)?;
            }
            grants::insert(tx, &grant).map_err(Fault::from)?;
            codes::insert(tx, &code).map_err(Fault::from)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await?;
    Ok(succeed(&request.target, &handle.expose(), app.issuer()))
}

/// Ends a request with the person's no.
pub async fn deny(
    app: &App,
    info: RequestInfo,
    request: &AuthorizationRequest,
    session: &CurrentSession,
    transaction: Id,
) -> Result<Answer, Fault> {
    let now = app.now();
    let event = Event::success(EventKind::ConsentDenied)
        .client(&request.client_id)
        .subject(session.user.id)
        .request(info.address, info.id);
    let writer = app.clone();
    app.db
        .write("authorization.deny", move |tx| -> Result<_, Refusal<Fault>> {
            finish(tx, Some(transaction), now)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await?;
    let error = OAuthError::new(ErrorCode::AccessDenied, "the person did not allow it");
    Ok(refuse(&request.target, &error, app.issuer()))
}

fn finish(tx: &mut Tx<'_>, transaction: Option<Id>, now: Seconds) -> Result<(), Fault> {
    match transaction {
        Some(id) if !authorizations::complete(tx, id, now)? => {
            Err(Fault::page(Problem::Answered, "the transaction was answered already"))
        }
        _ => Ok(()),
    }
}

/// Remembers what was just allowed, and records it.
pub(super) fn remember(
    app: &App,
    tx: &mut Tx<'_>,
    info: RequestInfo,
    grant: &Grant,
    resources: &[String],
) -> Result<(), Fault> {
    let now = grant.created_at;
    let given = consents::for_client(tx.reader(), grant.user_id, &grant.client_id)?;
    for resource in resources {
        let before = given.iter().find(|consent| consent.resource == *resource).map(|consent| &consent.scope);
        let scope = before.map_or_else(|| grant.scope.clone(), |before| before.union(&grant.scope));
        consents::put(tx, grant.user_id, &grant.client_id, resource, &scope, now)?;
    }
    Ok(Event::success(EventKind::ConsentGiven)
        .client(&grant.client_id)
        .subject(grant.user_id)
        .request(info.address, info.id)
        .record(tx, &app.clock)?)
}

/// How long anything of a family can count: as long as it can be refreshed, or as its one access token lives that is fetched
/// within so many seconds.
pub(super) fn family_seconds(app: &App, client: &Client, to_fetch: Seconds) -> Seconds {
    let tokens = &app.config.tokens;
    if client.may_use(GrantType::RefreshToken) {
        tokens.refresh_absolute_seconds
    } else {
        to_fetch + tokens.access_token_seconds
    }
}
