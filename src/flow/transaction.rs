use super::AuthorizationRequest;
use crate::app::App;
use crate::fault::{Fault, Problem};
use crate::storage::authorizations::{self, Authorization};
use crate::storage::{Refusal, StorageError};
use crate::support::{Handle, Id, constant_time_eq, sha256};

/// A request that waits for its person.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub row: Authorization,
    pub request: AuthorizationRequest,
}

/// The value of the cookie that names a browser, fresh where it has none of ours.
pub fn browser_cookie(app: &App, present: Option<&str>) -> (String, bool) {
    match present.filter(|value| Handle::parse(value).is_ok()) {
        Some(value) => (value.to_owned(), false),
        None => (Handle::new(&app.clock, &app.rng).expose(), true),
    }
}

/// Stores a request, bound to the browser that sent it.
pub async fn begin(app: &App, request: &AuthorizationRequest, browser: &str) -> Result<Transaction, Fault> {
    let now = app.now();
    let json = serde_json::to_string(request).map_err(|e| Fault::page(Problem::Internal, e.to_string()))?;
    let row = Authorization {
        id: Id::new(&app.clock, &app.rng),
        browser_hash: sha256(browser.as_bytes()).to_vec(),
        client_id: request.client_id.clone(),
        request: json,
        created_at: now,
        expires_at: now + app.config.sessions.transaction_seconds,
        session_id: None,
        completed_at: None,
    };
    let (stored, limit) = (row.clone(), app.config.sessions.max_transactions);
    app.db
        .write("authorization.begin", move |tx| -> Result<_, Refusal<StorageError>> {
            // Anybody can make such rows without logging in, so there is an end to them.
            if authorizations::count(tx.reader())? >= limit {
                return Err(StorageError::Busy.into());
            }
            Ok(authorizations::insert(tx, &stored)?)
        })
        .await?;
    Ok(Transaction { row, request: request.clone() })
}

/// Finds a request that still waits, for the browser that began it and for no other.
pub async fn load(app: &App, id: &str, browser: Option<&str>) -> Result<Transaction, Fault> {
    let Some(browser) = browser else {
        return Err(Fault::page(Problem::CookiesMissing, "the browser's cookie is missing"));
    };
    let id: Id = id.parse().map_err(|_| Fault::page(Problem::Expired, "the transaction is no identifier"))?;
    let row = app.db.read("authorization.load", move |conn| authorizations::find(conn, id)).await?;
    let expired = |why: &str| Fault::page(Problem::Expired, why);
    let row = row.ok_or_else(|| expired("there is no such transaction"))?;
    if !constant_time_eq(&row.browser_hash, &sha256(browser.as_bytes())) {
        return Err(expired("the transaction belongs to another browser"));
    }
    if row.completed_at.is_some() {
        return Err(Fault::page(Problem::Answered, "the transaction was answered already"));
    }
    if row.expires_at <= app.now() {
        return Err(expired("the transaction has expired"));
    }
    let request =
        serde_json::from_str(&row.request).map_err(|e| Fault::page(Problem::Internal, format!("transaction: {e}")))?;
    Ok(Transaction { row, request })
}

/// What a form's CSRF token is bound to.
pub fn purpose(form: &str, transaction: &str) -> String {
    format!("{form} {transaction}")
}
