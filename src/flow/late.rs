//! What becomes of a transaction that is over: where its person goes on.

use url::Url;

use super::transaction::{Transaction, TransactionStage, begin, load};
use crate::app::App;
use crate::domain::{Client, ClientStatus};
use crate::fault::{Fault, Problem, WayBack};
use crate::storage::clients;
use crate::support::Seconds;

/// A login form that is sent later than the transaction lasts still counts for so long, in seconds: the request begins anew
/// then, so that no password was typed for nothing.
const LATE_SECONDS: Seconds = 86_400;

/// Reads a request that still waits; of one that does not the page leads on to the app.
pub async fn load_waiting(app: &App, text: &str, browser: Option<&str>) -> Result<Transaction, Fault> {
    let transaction = load(app, text, browser).await?;
    if transaction.stage == TransactionStage::Waiting {
        Ok(transaction)
    } else {
        Err(dead_end(app, &transaction).await)
    }
}

/// A transaction that has expired begins anew as the request would that it was made of, unless it is too old for that.
pub async fn begin_again(app: &App, transaction: Transaction, browser: &str) -> Result<Transaction, Fault> {
    if transaction.stage != TransactionStage::Expired {
        return Ok(transaction);
    }
    if transaction.age(app.now()) > LATE_SECONDS {
        return Err(dead_end(app, &transaction).await);
    }
    Ok(begin(app, transaction.request(), browser)?)
}

/// The page for a transaction that is over, with the way back to its app.
pub async fn dead_end(app: &App, transaction: &Transaction) -> Fault {
    let (problem, detail) = match transaction.stage {
        TransactionStage::Answered => (Problem::Finished, "the transaction was answered already"),
        _ => (Problem::Expired, "the transaction has expired"),
    };
    Fault::page(problem, detail).with_way_back(way_back(app, transaction).await)
}

/// The app of a transaction: its registered page, or else the site that its answers go to. None if the app is none any
/// more, or has neither.
pub async fn way_back(app: &App, transaction: &Transaction) -> Option<WayBack> {
    let id = transaction.request().client_id.clone();
    let client = app.db.read("transaction.client", move |conn| clients::find(conn, &id)).await.ok().flatten()?;
    if client.status != ClientStatus::Active {
        return None;
    }
    let url = home_of(&client, &transaction.request().target.redirect_uri)?;
    Some(WayBack { name: client.name, url })
}

fn home_of(client: &Client, redirect_uri: &str) -> Option<String> {
    let site = || {
        let url = Url::parse(redirect_uri).ok().filter(|url| url.origin().is_tuple())?;
        client.has_redirect(redirect_uri).then(|| format!("{}/", url.origin().ascii_serialization()))
    };
    client.client_uri.clone().or_else(site)
}
