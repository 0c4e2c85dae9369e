//! The client of a request, from a moment ago or as it is.

use std::sync::Arc;

use crate::app::App;
use crate::domain::{Client, ClientStatus};
use crate::fault::Fault;
use crate::storage::clients;

/// The client as it was read within the last second, or as it is. Whoever uses it confirms its version where it counts.
pub async fn recent(app: &App, client_id: &str) -> Result<Option<Arc<Client>>, Fault> {
    match app.clients.get(client_id) {
        Some(client) => Ok(client),
        None => fresh(app, client_id).await,
    }
}

/// The client as it is, if it is active.
pub async fn fresh(app: &App, client_id: &str) -> Result<Option<Arc<Client>>, Fault> {
    let id = client_id.to_owned();
    let found = app.db.read("client.find", move |conn| clients::find(conn, &id)).await?;
    let client = found.filter(|client| client.status == ClientStatus::Active).map(Arc::new);
    app.clients.insert(client_id.to_owned(), client.clone());
    Ok(client)
}
