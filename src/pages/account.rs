//! `/account`: the apps that one allowed, the browsers in which one is logged in, and how to take either back.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};

use super::access::Words;
use super::account_view::{AccountPage, AppView, Flash, SessionView};
use super::confirm::{self, Question};
use super::view::{FirstSteps, Name, When, device};
use super::{forms, render};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, Grant, Role, Scopes, Session};
use crate::fault::{Fault, Problem};
use crate::flow::Answer;
use crate::identity::{self, CurrentSession, csrf};
use crate::protocol::{Params, endpoints};
use crate::request;
use crate::storage::consents::{self, Consent};
use crate::storage::{Conn, Refusal, StorageError, Tx, clients, grants, sessions};
use crate::support::{Id, Seconds};

type Response = Either<HttpResponse, Answer>;

/// `GET /account`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Response, Fault> {
    let Some((session, cookie)) = forms::logged_in(&app, &req).await? else {
        return Ok(Either::Right(Answer::local(endpoints::LOGIN)));
    };
    request::touch(&app, &session).await?;
    let query = request::page_query(&req)?;
    let (user_id, now, removed) = (session.user.id, app.now(), query.get("removed").map(str::to_owned));
    let (allowed, sessions, standing, removed) = app
        .db
        .read("account", move |conn| {
            let removed = removed.as_deref().map(|id| clients::find(conn, id)).transpose()?.flatten();
            let standing = sessions::count_live(conn, user_id, now)?;
            Ok((Allowed::read(conn, user_id, now)?, sessions::list_live(conn, user_id, now)?, standing, removed))
        })
        .await?;
    let flash = match (removed, query.get("done")) {
        (Some(client), _) => Some(Flash::AppRemoved(Name::from(client.name))),
        (None, Some("session")) => Some(Flash::SessionEnded),
        (None, Some("sessions")) => Some(Flash::OthersEnded),
        (None, Some("welcome")) => Some(Flash::Welcome),
        (None, _) => None,
    };
    let is_new_admin = matches!(flash, Some(Flash::Welcome)) && session.user.role == Role::Admin;
    let page = AccountPage {
        layout: render::layout(&app, Some(&session.user)),
        csrf: csrf::token(&cookie, "account"),
        username: Name::from(session.user.display_name()),
        email: session.user.email.as_deref().map(Name::from),
        apps: allowed.views(now),
        unlisted_sessions: usize::try_from(standing).unwrap_or(0).saturating_sub(sessions.len()),
        sessions: session_views(&sessions, &session, &allowed.clients, now),
        flash,
        first_steps: is_new_admin.then(|| FirstSteps::of(&app)),
    };
    Ok(Either::Left(render::page(&page, StatusCode::OK, None)?))
}

/// `POST /account/revoke`
pub async fn revoke_app(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let asked = Asked::read(&app, &req, &body).await?;
    if !confirm::is_confirmed(&asked.form) {
        let id = asked.form.get("client_id").unwrap_or_default().to_owned();
        let client = app.db.read("account.client", move |conn| clients::find(conn, &id)).await?;
        let Some(client) = client else { return Ok(Either::Right(Answer::local(endpoints::ACCOUNT))) };
        let question = Question::RemoveApp { client_id: client.client_id, name: Name::from(client.name) };
        return asked.question(&app, question).map(Either::Left);
    }
    asked
        .act(&app, |ctx, tx, form| {
            let client_id = form.get("client_id").unwrap_or_default();
            let user_id = ctx.session.user.id;
            let families = grants::revoke_for_client(tx, user_id, client_id, ctx.now)?;
            let consents = consents::forget(tx, user_id, client_id)?;
            if families + consents > 0 {
                let event = Event::success(EventKind::ConsentWithdrawn).client(client_id);
                ctx.record(tx, event)?;
            }
            let encoded: String = url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
            Ok(format!("/account?removed={encoded}"))
        })
        .await
        .map(Either::Right)
}

/// `POST /account/sessions/revoke`
pub async fn revoke_session(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let asked = Asked::read(&app, &req, &body).await?;
    asked
        .act(&app, |ctx, tx, form| {
            let Some(id) = form.get("session").and_then(|id| id.parse::<Id>().ok()) else {
                return Ok(endpoints::ACCOUNT.to_owned());
            };
            // Nobody ends another person's session by its id.
            if let Some(session) = sessions::find(tx.reader(), id)?.filter(|found| found.user_id == ctx.session.user.id)
            {
                identity::end(tx, &session, ctx.now)?;
                ctx.record(tx, Event::success(EventKind::SessionRevoked))?;
            }
            Ok("/account?done=session".to_owned())
        })
        .await
}

/// `POST /account/sessions/revoke-others`
pub async fn revoke_other_sessions(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let asked = Asked::read(&app, &req, &body).await?;
    if !confirm::is_confirmed(&asked.form) {
        return asked.question(&app, Question::EndOtherSessions).map(Either::Left);
    }
    asked
        .act(&app, |ctx, tx, _| {
            if identity::end_others(tx, &ctx.session.session, ctx.now)? > 0 {
                ctx.record(tx, Event::success(EventKind::SessionRevoked))?;
            }
            Ok("/account?done=sessions".to_owned())
        })
        .await
        .map(Either::Right)
}

/// Who acts, when, and how it is recorded.
struct Ctx {
    app: App,
    info: RequestInfo,
    session: CurrentSession,
    now: Seconds,
}

impl Ctx {
    fn record(&self, tx: &mut Tx<'_>, event: Event) -> Result<(), StorageError> {
        let event = event.subject(self.session.user.id).request(self.info.address, self.info.id);
        event.record(tx, &self.app.clock)
    }
}

/// A form of this page that is certainly ours.
struct Asked {
    info: RequestInfo,
    form: Params,
    session: CurrentSession,
    cookie: String,
}

impl Asked {
    async fn read(app: &App, req: &HttpRequest, body: &[u8]) -> Result<Self, Fault> {
        let info = request::info(req)?;
        let form = request::page_form(req, body)?;
        let Some((session, cookie)) = forms::logged_in(app, req).await? else {
            Event::failure(EventKind::CsrfRejected)
                .reason("no_session")
                .request(info.address, info.id)
                .detail(serde_json::json!({"form": "account"}))
                .record_alone(&app.trail)
                .await;
            return Err(Fault::page(Problem::Forged, "nobody is logged in"));
        };
        forms::check(app, req, info, &form, &cookie, "account").await?;
        Ok(Self { info, form, session, cookie })
    }

    /// What is asked before the form is acted on.
    fn question(&self, app: &App, question: Question) -> Result<HttpResponse, Fault> {
        confirm::ask(render::layout(app, Some(&self.session.user)), csrf::token(&self.cookie, "account"), question)
    }

    /// Done in one transaction, and led back to the page.
    async fn act(
        self,
        app: &App,
        action: fn(&Ctx, &mut Tx<'_>, &Params) -> Result<String, StorageError>,
    ) -> Result<Answer, Fault> {
        let (info, form, session) = (self.info, self.form, self.session);
        let ctx = Ctx { app: app.clone(), info, session, now: app.now() };
        let path = app
            .db
            .write("account.act", move |tx| -> Result<_, Refusal<StorageError>> { Ok(action(&ctx, tx, &form)?) })
            .await?;
        Ok(Answer::local(path))
    }
}

/// All that a person allowed, by client.
struct Allowed {
    consents: Vec<Consent>,
    grants: Vec<Grant>,
    clients: BTreeMap<String, Client>,
    words: Words,
    /// By client, whatever has become of the grants since.
    last_uses: BTreeMap<String, Seconds>,
}

impl Allowed {
    fn read(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<Self, StorageError> {
        let consents = consents::list(conn, user_id)?;
        let families = grants::list_live(conn, user_id, now)?;
        let mut found = BTreeMap::new();
        let ids = consents.iter().map(|consent| &consent.client_id);
        for id in ids.chain(families.iter().map(|grant| &grant.client_id)) {
            if !found.contains_key(id)
                && let Some(client) = clients::find(conn, id)?
            {
                found.insert(id.clone(), client);
            }
        }
        let last_uses = grants::last_uses(conn, user_id)?.into_iter().collect();
        Ok(Self { consents, grants: families, clients: found, words: Words::all(conn)?, last_uses })
    }

    fn views(&self, now: Seconds) -> Vec<AppView> {
        let mut views: Vec<AppView> = self.clients.values().map(|client| self.view(client, now)).collect();
        views.sort_by_key(|view| view.client.name.as_str().to_lowercase());
        views
    }

    fn view(&self, client: &Client, now: Seconds) -> AppView {
        let consents: Vec<_> = self.consents.iter().filter(|c| c.client_id == client.client_id).collect();
        let grants: Vec<_> = self.grants.iter().filter(|g| g.client_id == client.client_id).collect();
        let scope = consents
            .iter()
            .map(|consent| &consent.scope)
            .chain(grants.iter().map(|grant| &grant.scope))
            .fold(Scopes::default(), |all, scope| all.union(scope));
        let mut resources: Vec<String> = consents
            .iter()
            .map(|consent| consent.resource.clone())
            .chain(grants.iter().flat_map(|grant| grant.resources.iter().cloned()))
            .filter(|resource| !resource.is_empty())
            .collect();
        resources.sort();
        resources.dedup();
        let since = consents.iter().map(|c| c.granted_at).chain(grants.iter().map(|g| g.created_at)).min();
        // What cleanup has removed since is kept with the consent.
        let kept = consents.iter().filter_map(|consent| consent.last_used_at).max();
        let last_used = self.last_uses.get(&client.client_id).copied().max(kept);
        AppView {
            client_id: client.client_id.clone(),
            client: render::client(client),
            scopes: self.words.scopes(&scope, None),
            resources: self.words.apis(&resources),
            allowed_at: When::ago(since.unwrap_or_default(), now),
            last_used: last_used.map(|at| When::ago(at, now)),
            stays_connected: grants.iter().any(|grant| grant.is_offline()),
        }
    }
}

fn session_views(
    sessions: &[Session],
    current: &CurrentSession,
    clients: &BTreeMap<String, Client>,
    now: Seconds,
) -> Vec<SessionView> {
    let name = |session: &Session| match &session.client_id {
        Some(app) => Name::from(clients.get(app).map_or(app.as_str(), |client| &client.name)),
        None => Name::from(device(&session.user_agent)),
    };
    let mut views: Vec<SessionView> = sessions
        .iter()
        .map(|session| SessionView {
            id: session.id.to_string(),
            device: name(session),
            address: Some(session.address.clone()).filter(|address| !address.is_empty()),
            signed_in: When::ago(session.auth_time, now),
            last_seen: Some(When::ago(session.last_seen_at, now)),
            current: session.id == current.session.id,
        })
        .collect();
    views.sort_by_key(|view| !view.current);
    views
}
