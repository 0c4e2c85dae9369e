//! A pending authorization: begun, loaded for the browser that began it, and its stages.

use super::AuthorizationRequest;
use super::ticket::{Ticket, Unsealable};
use crate::app::App;
use crate::fault::{Fault, Problem};
use crate::protocol::OAuthError;
use crate::storage::form_answers;
use crate::support::{Handle, Id, Seconds};

/// A request that waits for its person.
#[derive(Debug, Clone)]
pub struct Transaction {
    ticket: Ticket,
    /// The sealed request, as the browser holds it.
    text: String,
    pub stage: TransactionStage,
    pub expires_at: Seconds,
}

/// Where a transaction is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStage {
    Waiting,
    Answered,
    Expired,
}

impl Transaction {
    fn new(app: &App, ticket: Ticket, browser: &str) -> Result<Self, Unsealable> {
        let text = ticket.seal(app, browser)?;
        let expires_at = ticket.begun_at + app.config.sessions.transaction_seconds;
        Ok(Self { ticket, text, stage: TransactionStage::Waiting, expires_at })
    }

    /// What its one answer is known by.
    pub fn id(&self) -> Id {
        self.ticket.id
    }

    pub fn request(&self) -> &AuthorizationRequest {
        &self.ticket.request
    }

    /// How long ago it began, in seconds.
    pub fn age(&self, now: Seconds) -> Seconds {
        now - self.ticket.begun_at
    }

    /// The session in which the person logged in for this very request.
    pub fn session_id(&self) -> Option<Id> {
        self.ticket.session_id
    }

    /// As it stands in the field `transaction` of a form.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As it is once it was answered.
    pub fn answered(&self) -> Self {
        Self { stage: TransactionStage::Answered, ..self.clone() }
    }

    /// The address of a page for it.
    pub fn at(&self, page: &str) -> String {
        format!("{page}?transaction={}", self.text)
    }

    /// The same request after a login for it in this session.
    pub fn logged_in(&self, app: &App, browser: &str, session: Id) -> Result<Self, Fault> {
        let ticket = Ticket { session_id: Some(session), ..self.ticket.clone() };
        Self::new(app, ticket, browser).map_err(|why| Fault::page(Problem::Internal, format!("a ticket: {why:?}")))
    }
}

/// The value of the cookie that names a browser, fresh where it has none of ours.
pub fn browser_cookie(app: &App, present: Option<&str>) -> (String, bool) {
    match present.filter(|value| Handle::parse(value).is_ok()) {
        Some(value) => (value.to_owned(), false),
        None => (Handle::new(&app.clock, &app.rng).expose(), true),
    }
}

/// Lets a request wait in the browser that sent it.
pub fn begin(app: &App, request: &AuthorizationRequest, browser: &str) -> Result<Transaction, OAuthError> {
    let id = Id::new(&app.clock, &app.rng);
    let ticket = Ticket { id, begun_at: app.now(), session_id: None, request: request.clone() };
    Transaction::new(app, ticket, browser).map_err(|why| match why {
        Unsealable::TooLong => OAuthError::invalid_request("the request is too long; shorten state or nonce"),
        Unsealable::Failed => OAuthError::server_error("a request could not be sealed"),
    })
}

/// Reads a request that waits, for the browser that began it and for no other, whatever became of it.
pub async fn load(app: &App, text: &str, browser: Option<&str>) -> Result<Transaction, Fault> {
    let Some(browser) = browser else {
        return Err(Fault::page(Problem::CookiesMissing, "the browser's cookie is missing"));
    };
    let unknown = || Fault::page(Problem::Expired, "the transaction is none of this browser's, or was changed");
    let ticket = Ticket::open(app, text, browser).ok_or_else(unknown)?;
    let id = ticket.id;
    let answer = app.db.read("transaction.load", move |conn| form_answers::find(conn, id)).await?;
    let (now, expires_at) = (app.now(), ticket.begun_at + app.config.sessions.transaction_seconds);
    let stage = match answer {
        Some(_) => TransactionStage::Answered,
        None if expires_at <= now => TransactionStage::Expired,
        None => TransactionStage::Waiting,
    };
    Ok(Transaction { ticket, text: text.to_owned(), stage, expires_at })
}

/// What a form's CSRF token is bound to.
pub fn purpose(form: &str, transaction: &str) -> String {
    format!("{form} {transaction}")
}
