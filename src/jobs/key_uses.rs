//! The job that writes down when and from where API keys were last used.

use std::net::IpAddr;

use serde_json::json;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::domain::KeyOwner;
use crate::identity::KeyUse;
use crate::storage::{Refusal, StorageError, Tx, api_keys};
use crate::support::{Id, neighbourhood};

/// Uses written in one transaction.
const BATCH: usize = 200;

/// Writes down when and from where API keys were last used, and tells the trail of those that have moved.
pub async fn flush(app: App) -> Result<(), String> {
    let mut uses = app.key_uses.take();
    // In one order on every node, so that no two wait for each other.
    uses.sort_unstable();
    while !uses.is_empty() {
        let batch: Vec<KeyUse> = uses.drain(..uses.len().min(BATCH)).collect();
        let (written, writer) = (batch.clone(), app.clone());
        let write = app.db.write("api_key.uses", move |tx| -> Result<_, Refusal<StorageError>> {
            for (id, at, address) in &written {
                if let Some(moved) = moved(tx, *id, *address)? {
                    moved.record(tx, &writer.clock)?;
                }
                api_keys::note_use(tx, *id, *at, *address)?;
            }
            Ok(())
        });
        if let Err(error) = write.await {
            app.key_uses.put_back(batch);
            app.key_uses.put_back(uses);
            return Err(error.to_string());
        }
    }
    Ok(())
}

/// What there is to tell of a key that was in another network the time before.
fn moved(tx: &mut Tx<'_>, id: Id, address: Option<IpAddr>) -> Result<Option<Event>, StorageError> {
    let Some(address) = address else { return Ok(None) };
    let Some(key) = api_keys::find(tx.reader(), id)? else { return Ok(None) };
    let Some(last) = &key.last_use else { return Ok(None) };
    let before: Option<IpAddr> = last.address.as_deref().and_then(|address| address.parse().ok());
    let Some(before) = before.map(neighbourhood).filter(|before| *before != neighbourhood(address)) else {
        return Ok(None);
    };
    let event = Event::success(EventKind::ApiKeyMoved).address(address).detail(json!({
        "api_key": id.to_string(),
        "from": before.to_string(),
        "known_seconds": last.at - key.created_at,
    }));
    Ok(Some(match key.owner {
        KeyOwner::Client(client_id) => event.client(&client_id),
        KeyOwner::Person(user_id) => event.subject(user_id),
    }))
}
