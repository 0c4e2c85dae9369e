//! `/account/api-keys`: a person's programs. A key is shown in the answer to the form that made it, and nowhere else.

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;

use super::access::Words;
use super::api_keys_form::{LIFETIMES, Typed, USUAL_LIFETIME};
use super::api_keys_once::{FORM_SECONDS, Keeper, Revealed};
use super::api_keys_view::{ApiKeysPage, KeyError, KeyView, Maker, Notice, ShownKey};
use super::confirm::{self, Question};
use super::view::{Name, When};
use super::{forms, policy, render};
use crate::api_key::{self, Actor, Limit, OwnAudiences, Unfit};
use crate::app::{App, RequestInfo};
use crate::domain::{ApiKey, KeyOwner};
use crate::fault::{Fault, Problem};
use crate::flow::{self, After, Answer};
use crate::identity::{self, CurrentSession, csrf};
use crate::protocol::{Params, endpoints};
use crate::request;
use crate::storage::{Refusal, StorageError, Tx, api_keys, clients};
use crate::support::{Id, Seconds, random_token};

type Response = Either<HttpResponse, Answer>;

/// Keys on one page.
const MAX_SHOWN: i64 = 500;

/// `GET /account/api-keys`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Response, Fault> {
    let Some((session, cookie)) = forms::logged_in(&app, &req).await? else {
        return Ok(Either::Right(Answer::local(After::ApiKeys.login())));
    };
    request::touch(&app, &session).await?;
    let notice = match request::page_query(&req)?.get("done") {
        Some("revoked") => Some(Notice::Revoked),
        Some("already") => Some(Notice::AlreadyMade),
        _ => None,
    };
    let page = Page { app: &app, session: &session, cookie: &cookie };
    page.show(StatusCode::OK, Typed::default(), Vec::new(), notice).await.map(Either::Left)
}

/// `POST /account/api-keys`
pub async fn create(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let made = match Made::read(&app, &req, &body).await? {
        Either::Left(made) => made,
        Either::Right(answer) => return Ok(Either::Right(answer)),
    };
    let page = Page { app: &app, session: &made.session, cookie: &made.cookie };
    let typed = Typed::read(&made.form);
    let wish = match typed.wish(KeyOwner::Person(made.session.user.id)) {
        Ok(wish) => wish,
        Err(errors) => return page.again(typed, errors).await,
    };
    let name = typed.form_name();
    let (actor, own, form) = (made.actor(&app), OwnAudiences::of(&app.config), made.keeper(&app, &name));
    let limit = Limit::configured(&app.config.api_keys);
    let current = made.session.clone();
    let write = app.db.write("api_key.create", move |tx| -> Result<_, Refusal<Unfit>> {
        hold(tx, &current, actor.clock.now())?;
        if form.is_used(tx)? {
            return Ok(None);
        }
        let (key, text) = api_key::create(tx, &actor, &wish, None, &own, limit)?;
        form.keep(tx, Revealed::new(&key, &text, None)).map(Some)
    });
    match made.first(&app, &name, write.await).await {
        Ok(Some(revealed)) => page.reveal(revealed).await,
        Ok(None) => Ok(Either::Right(Answer::local("/account/api-keys?done=already"))),
        Err(Unfit::Storage(error)) => Err(error.into()),
        Err(Unfit::Invalid(error)) => {
            let why = format!("{} {}.", error.parameter, error.why);
            let error = match error.parameter {
                "name" => KeyError::Name(why),
                "scope" => KeyError::Scope(why),
                "audience" => KeyError::Audience(why),
                "networks" => KeyError::Networks(why),
                _ => KeyError::Form(why),
            };
            page.again(typed, vec![error]).await
        }
        Err(other) => page.again(typed, vec![KeyError::Form(format!("{other}."))]).await,
    }
}

/// `POST /account/api-keys/rotate`
pub async fn rotate(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let made = match Made::read(&app, &req, &body).await? {
        Either::Left(made) => made,
        Either::Right(answer) => return Ok(Either::Right(answer)),
    };
    let Some(id) = made.form.get("id").and_then(|id| id.parse::<Id>().ok()) else {
        return Ok(Either::Right(Answer::local(endpoints::ACCOUNT_API_KEYS)));
    };
    let owner = KeyOwner::Person(made.session.user.id);
    let (actor, overlap) = (made.actor(&app), app.config.api_keys.overlap_seconds);
    let name = format!("rotate {id}");
    let form = made.keeper(&app, &name);
    let current = made.session.clone();
    let write = app.db.write("api_key.rotate", move |tx| -> Result<_, Refusal<Unfit>> {
        hold(tx, &current, actor.clock.now())?;
        if form.is_used(tx)? {
            return Ok(None);
        }
        let key = api_key::own(tx.reader(), &owner, id)?;
        let text = api_key::rotate(tx, &actor, &key, None, overlap)?;
        let replaces = (overlap > 0).then(|| actor.clock.now() + overlap);
        form.keep(tx, Revealed::new(&key, &text, replaces)).map(Some)
    });
    let page = Page { app: &app, session: &made.session, cookie: &made.cookie };
    match made.first(&app, &name, write.await).await {
        Ok(Some(revealed)) => page.reveal(revealed).await,
        Ok(None) => Ok(Either::Right(Answer::local("/account/api-keys?done=already"))),
        Err(Unfit::Storage(error)) => Err(error.into()),
        Err(other) => page.again(Typed::default(), vec![KeyError::Form(format!("{other}."))]).await,
    }
}

/// `POST /account/api-keys/revoke`
pub async fn revoke(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let Some((session, cookie)) = forms::logged_in(&app, &req).await? else {
        return Err(Fault::page(Problem::Forged, "nobody is logged in"));
    };
    forms::check(&app, &req, info, &form, &cookie, "api-keys").await?;
    // What a key does stops as much by being revoked as it begins by being made.
    if !After::ApiKeys.accepts(session.session.auth_time, app.now()) {
        return Ok(Either::Right(Answer::local(After::ApiKeys.login())));
    }
    let owner = KeyOwner::Person(session.user.id);
    let id = form.get("id").and_then(|id| id.parse::<Id>().ok());
    if let Some(id) = id.filter(|_| !confirm::is_confirmed(&form)) {
        let found = app.db.read("api_key.find", move |conn| Ok(api_key::own(conn, &owner, id).ok())).await?;
        let Some(key) = found else { return Ok(Either::Right(Answer::local(endpoints::ACCOUNT_API_KEYS))) };
        let question = Question::RevokeKey { id: id.to_string(), name: Name::from(key.name) };
        let layout = render::layout(&app, Some(&session.user));
        return confirm::ask(layout, csrf::token(&cookie, "api-keys"), question).map(Either::Left);
    }
    let actor = actor(&app, info);
    if let Some(id) = id {
        app.db
            .write("api_key.revoke", move |tx| -> Result<_, Refusal<Fault>> {
                match api_key::own(tx.reader(), &owner, id) {
                    Ok(key) => Ok(api_key::revoke(tx, &actor, &key).map_err(Fault::from)?),
                    // Nobody ends another person's key by its id.
                    Err(Unfit::Storage(error)) => Err(Fault::from(error).into()),
                    Err(_) => Ok(false),
                }
            })
            .await?;
    }
    Ok(Either::Right(Answer::local("/account/api-keys?done=revoked")))
}

fn actor(app: &App, info: RequestInfo) -> Actor {
    Actor { clock: app.clock.clone(), rng: app.rng.clone(), request: Some(info) }
}

/// Holds the session in which a key is made, and its person: what ends either at the same moment makes no key outlive it.
fn hold(tx: &mut Tx<'_>, current: &CurrentSession, now: Seconds) -> Result<(), Unfit> {
    identity::hold_session(tx, current, now)?.map(|_| ()).ok_or(Unfit::Owner)
}

/// What a form's token is bound to that makes a credential.
fn maker_purpose(once: &str) -> String {
    flow::purpose("api-keys", once)
}

/// A form that makes a credential: ours, fresh, and of a person who has just proved who they are.
struct Made {
    session: CurrentSession,
    cookie: String,
    info: RequestInfo,
    form: Params,
    once: Id,
}

impl Made {
    async fn read(app: &App, req: &HttpRequest, body: &[u8]) -> Result<Either<Self, Answer>, Fault> {
        let info = request::info(req)?;
        let form = request::page_form(req, body)?;
        let Some((session, cookie)) = forms::logged_in(app, req).await? else {
            return Err(Fault::page(Problem::Forged, "nobody is logged in"));
        };
        let once = form.get("once").unwrap_or_default();
        forms::check(app, req, info, &form, &cookie, &maker_purpose(once)).await?;
        let expired = || Fault::page(Problem::Expired, "the form is too old");
        let once: Id = once.parse().map_err(|_| expired())?;
        let now = app.now();
        if !(now - FORM_SECONDS..=now + 60).contains(&once.made_at()) {
            return Err(expired());
        }
        if !After::ApiKeys.accepts(session.session.auth_time, now) {
            return Ok(Either::Right(Answer::local(After::ApiKeys.login())));
        }
        Ok(Either::Left(Self { session, cookie, info, form, once }))
    }

    fn actor(&self, app: &App) -> Actor {
        actor(app, self.info)
    }

    fn keeper(&self, app: &App, name: &str) -> Keeper {
        let (cookie, name) = (self.cookie.clone(), name.to_owned());
        Keeper { app: app.clone(), cookie, once: self.once, name, subject: self.session.user.id }
    }

    /// What a form led to; of one that came before, what it led to then.
    async fn first(
        &self,
        app: &App,
        name: &str,
        outcome: Result<Option<Revealed>, Unfit>,
    ) -> Result<Option<Revealed>, Unfit> {
        match outcome {
            Ok(None) | Err(Unfit::Raced) => match self.keeper(app, name).form().recall(app).await {
                Ok(None) => outcome,
                Ok(revealed) => Ok(revealed),
                Err(_) => Err(Unfit::Storage(StorageError::Busy)),
            },
            outcome => outcome,
        }
    }
}

/// The page for one person.
struct Page<'a> {
    app: &'a App,
    session: &'a CurrentSession,
    cookie: &'a str,
}

impl Page<'_> {
    async fn reveal(&self, key: Revealed) -> Result<Response, Fault> {
        let shown = ShownKey {
            name: Name::from(key.name.as_str()),
            text: key.text,
            api: key.api,
            nonce: random_token(&self.app.rng).expose_secret().to_owned(),
            replaces: key.replaces.map(When::from_unix),
        };
        self.render(StatusCode::OK, (Typed::default(), Vec::new()), Some(shown), None).await.map(Either::Left)
    }

    async fn again(&self, typed: Typed, errors: Vec<KeyError>) -> Result<Response, Fault> {
        self.show(StatusCode::UNPROCESSABLE_ENTITY, typed, errors, None).await.map(Either::Left)
    }

    async fn show(
        &self,
        status: StatusCode,
        typed: Typed,
        errors: Vec<KeyError>,
        notice: Option<Notice>,
    ) -> Result<HttpResponse, Fault> {
        self.render(status, (typed, errors), None, notice).await
    }

    async fn render(
        &self,
        status: StatusCode,
        (typed, errors): (Typed, Vec<KeyError>),
        shown: Option<ShownKey>,
        notice: Option<Notice>,
    ) -> Result<HttpResponse, Fault> {
        let (app, now) = (self.app, self.app.now());
        let (owner, own) = (KeyOwner::Person(self.session.user.id), OwnAudiences::of(&app.config));
        let (keys, allowed, mut audiences, words) = app
            .db
            .read("account.api_keys", move |conn| {
                let allowed = api_key::may_have(conn, &owner)?.unwrap_or_default();
                let apis = clients::apis(conn, MAX_SHOWN)?;
                Ok((api_keys::list_standing(conn, &owner, MAX_SHOWN)?, allowed, apis, Words::all(conn)?))
            })
            .await?;
        let confirmed = After::ApiKeys.accepts(self.session.session.auth_time, now);
        let once = Id::new(&app.clock, &app.rng).to_string();
        audiences.extend(own.gate);
        audiences.sort();
        audiences.dedup();
        let only = (audiences.len() == 1 && errors.is_empty()).then(|| audiences[0].clone());
        let lifetime = if typed.lifetime.is_empty() { USUAL_LIFETIME } else { typed.lifetime.as_str() };
        let maker = confirmed.then(|| Maker {
            csrf: csrf::token(self.cookie, &maker_purpose(&once)),
            once,
            scopes: words
                .scopes(&allowed, None)
                .into_iter()
                .map(|scope| {
                    let chosen = typed.scopes.contains(&scope.name);
                    (scope, chosen)
                })
                .collect(),
            audiences: audiences
                .into_iter()
                .map(|api| {
                    let chosen = only.as_ref() == Some(&api) || typed.audience.contains(&api);
                    (api, chosen)
                })
                .collect(),
            lifetimes: LIFETIMES.iter().map(|(value, words, _)| (*value, *words, *value == lifetime)).collect(),
            name: typed.name,
            networks: typed.networks,
            errors,
        });
        let page = ApiKeysPage {
            layout: render::layout(app, Some(&self.session.user)),
            csrf: csrf::token(self.cookie, "api-keys"),
            account_csrf: csrf::token(self.cookie, "account"),
            keys: keys.iter().map(|key| view(key, &words, now)).collect(),
            maker,
            confirm: After::ApiKeys.login(),
            shown,
            notice,
        };
        // The button that copies the key is a script's; the page works without.
        let policy = page.shown.as_ref().map(|key| policy::page_with_script(&key.nonce));
        render::page(&page, status, policy)
    }
}

fn view(key: &ApiKey, words: &Words, now: Seconds) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: Name::from(key.name.as_str()),
        scopes: words.scopes(&key.scope, None),
        audience: key.audience.clone(),
        networks: key.networks.iter().map(ToString::to_string).collect(),
        created: When::ago(key.created_at, now),
        expires: key.expires_at.map(When::from_unix),
        expired: key.is_expired(now),
        last_used: key.last_use.as_ref().map(|last| (When::ago(last.at, now), last.address.clone())),
        previous_until: key.previous.as_ref().filter(|(_, until)| *until > now).map(|(_, at)| When::from_unix(*at)),
    }
}
