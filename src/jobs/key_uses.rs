use crate::app::App;
use crate::identity::KeyUse;
use crate::storage::{Refusal, StorageError, api_keys};

/// Uses written in one transaction.
const BATCH: usize = 200;

/// Writes down when and from where API keys were last used.
pub async fn flush(app: App) -> Result<(), String> {
    let mut uses = app.key_uses.take();
    // In one order on every node, so that no two wait for each other.
    uses.sort_unstable();
    while !uses.is_empty() {
        let batch: Vec<KeyUse> = uses.drain(..uses.len().min(BATCH)).collect();
        let written = batch.clone();
        let write = app.db.write("api_key.uses", move |tx| -> Result<_, Refusal<StorageError>> {
            for (id, at, address) in &written {
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
