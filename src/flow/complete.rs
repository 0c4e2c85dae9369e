//! The end of a pending authorization: approved, denied or refused, with one answer.

use super::answered::{OneForm, SealedAnswer};
use super::transaction::Transaction;
use super::{Answer, AuthorizationRequest, late, refuse, succeed};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, Code, CodeStage, Grant, GrantOrigin, GrantStage, GrantType, Renewal, Scopes};
use crate::fault::{Fault, Problem, TargetRefusal};
use crate::identity::{self, CurrentSession};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Refusal, Tx, codes, consents, grants};
use crate::support::{Handle, Id, Seconds, text};

/// What was allowed, by whom, and how it came about.
#[derive(Debug, Clone)]
pub struct Approval<'a> {
    pub scope: Scopes,
    /// What this ends; none where the request did not have to wait.
    pub ending: Option<Ending<'a>>,
    /// Whether the person was asked just now, so that it is to be remembered.
    pub consented: Consented,
}

/// The end of a request that waited: it has one answer, and what leads to it again within a minute gets the same.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    pub transaction: &'a Transaction,
    /// The cookie of the browser that it waits in.
    pub browser: &'a str,
    /// What was sent that ended it, with what was decided in it.
    pub form: &'static str,
    /// What the browser is given with the answer.
    pub cookies: Vec<String>,
}

impl Ending<'_> {
    fn form(&self, subject: Id) -> OneForm<'_> {
        let transaction = self.transaction;
        OneForm { id: transaction.id(), name: self.form, cookie: self.browser, subject, until: transaction.expires_at }
    }

    /// Where the same form led that came first; otherwise the page that leads back to the app.
    pub async fn recall(&self, app: &App, subject: Id) -> Result<Answer, Fault> {
        match self.form(subject).recall(app).await? {
            Some(answer) => Ok(answer),
            None => Err(late::dead_end(app, &self.transaction.answered()).await),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consented {
    Now,
    Before,
}

impl<'a> Approval<'a> {
    /// Allowed before; nobody was asked.
    pub fn remembered(scope: Scopes, ending: Option<Ending<'a>>) -> Self {
        Self { scope, ending, consented: Consented::Before }
    }

    /// Allowed on the consent page.
    pub fn given(scope: Scopes, ending: Ending<'a>) -> Self {
        Self { scope, ending: Some(ending), consented: Consented::Now }
    }
}

/// Whether a client may still be answered at the address of its request: the operator may have removed one that somebody else
/// has taken over (RFC 9700 §4.1).
pub async fn check_redirect(
    app: &App,
    info: RequestInfo,
    client: &Client,
    request: &AuthorizationRequest,
) -> Result<(), Fault> {
    if client.has_redirect(&request.target.redirect_uri) {
        return Ok(());
    }
    Event::failure(EventKind::RedirectUriMismatch)
        .reason("not_registered")
        .client(&client.client_id)
        .request(info.address, info.id)
        .detail(serde_json::json!({"redirect_uri": text::uri_for_log(&request.target.redirect_uri)}))
        .record_alone(&app.trail)
        .await;
    Err(Fault::Target(Box::new(TargetRefusal {
        problem: Problem::RedirectUri,
        sentence: "redirect_uri is not registered any more",
        client_id: Some(client.client_id.clone()),
        redirect_uri: Some(request.target.redirect_uri.clone()),
        hints: Vec::new(),
    })))
}

/// Refuses a request that waited without PKCE while the operator began to demand it.
async fn check_challenge(
    app: &App,
    info: RequestInfo,
    client: &Client,
    request: &AuthorizationRequest,
) -> Result<(), OAuthError> {
    if client.accepts_challenge(request.code_challenge.as_deref(), request.nonce.as_deref()) {
        return Ok(());
    }
    Event::failure(EventKind::PkceMissing)
        .reason("policy_changed")
        .client(&client.client_id)
        .request(info.address, info.id)
        .record_alone(&app.trail)
        .await;
    Err(OAuthError::invalid_request("code_challenge is missing: this client has to use PKCE with S256 now"))
}

/// Ends a request with a code: one, however often and from however many tabs it is answered.
pub async fn approve(
    app: &App,
    info: RequestInfo,
    client: &Client,
    request: &AuthorizationRequest,
    session: &CurrentSession,
    approval: Approval<'_>,
) -> Result<Answer, Fault> {
    let Approval { scope, ending, consented } = approval;
    let cookies = ending.as_ref().map(|ending| ending.cookies.clone()).unwrap_or_default();
    check_redirect(app, info, client, request).await?;
    if let Err(error) = check_challenge(app, info, client, request).await {
        return Ok(refuse(&request.target, &error, app.issuer()).with_cookies(cookies));
    }
    let now = app.now();
    let handle = Handle::new(&app.clock, &app.rng);
    let grant = Grant {
        id: Id::new(&app.clock, &app.rng),
        client_id: client.client_id.clone(),
        user_id: session.user.id,
        session_id: Some(session.session.id),
        scope,
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
    let answer = succeed(&request.target, &handle.expose(), app.issuer()).with_cookies(cookies);
    let form = ending.as_ref().map(|ending| ending.form(session.user.id));
    let sealed = form.map(|form| form.seal(app, Some(code.id), &answer)).transpose()?;
    let current = session.clone();
    let outcome = app
        .db
        .write("authorization.approve", move |tx| -> Result<_, Refusal<Fault>> {
            hold_session(tx, &current, now)?;
            if tx.client_version(&grant.client_id).map_err(Fault::from)? != Some(version) {
                return Err(Fault::ClientChanged.into());
            }
            finish(tx, sealed.as_ref(), now)?;
            if consented == Consented::Now {
                remember(&writer, tx, info, &grant, &remembered)?;
            }
            grants::insert(tx, &grant).map_err(Fault::from)?;
            codes::insert(tx, &code).map_err(Fault::from)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await;
    match (outcome, ending) {
        (Ok(()), _) => Ok(answer),
        (Err(Fault::Page(Problem::Answered, _)), Some(ending)) => ending.recall(app, session.user.id).await,
        (Err(fault), _) => Err(fault),
    }
}

/// Ends a request with the person's no.
pub async fn deny(
    app: &App,
    info: RequestInfo,
    client: &Client,
    session: &CurrentSession,
    ending: Ending<'_>,
) -> Result<Answer, Fault> {
    let (now, request) = (app.now(), ending.transaction.request());
    check_redirect(app, info, client, request).await?;
    let error = OAuthError::new(ErrorCode::AccessDenied, "the person did not allow it");
    let answer = refuse(&request.target, &error, app.issuer()).with_cookies(ending.cookies.clone());
    let event = Event::success(EventKind::ConsentDenied)
        .client(&request.client_id)
        .subject(session.user.id)
        .request(info.address, info.id);
    let sealed = ending.form(session.user.id).seal(app, None, &answer)?;
    let (writer, client_id, version) = (app.clone(), client.client_id.clone(), client.version);
    let outcome = app
        .db
        .write("authorization.deny", move |tx| -> Result<_, Refusal<Fault>> {
            if tx.client_version(&client_id).map_err(Fault::from)? != Some(version) {
                return Err(Fault::ClientChanged.into());
            }
            finish(tx, Some(&sealed), now)?;
            Ok(event.clone().record(tx, &writer.clock).map_err(Fault::from)?)
        })
        .await;
    match outcome {
        Ok(()) => Ok(answer),
        Err(Fault::Page(Problem::Answered, _)) => ending.recall(app, session.user.id).await,
        Err(fault) => Err(fault),
    }
}

/// Holds the session in which something is allowed, and its person: what ends either at the same moment ends this too.
pub(super) fn hold_session(tx: &mut Tx<'_>, current: &CurrentSession, now: Seconds) -> Result<(), Fault> {
    match identity::hold_session(tx, current, now)? {
        Some(_) => Ok(()),
        None => Err(Fault::page(Problem::Expired, "the session ended meanwhile")),
    }
}

fn finish(tx: &mut Tx<'_>, sealed: Option<&SealedAnswer>, now: Seconds) -> Result<(), Fault> {
    match sealed {
        Some(sealed) if !sealed.take(tx, now)? => {
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
