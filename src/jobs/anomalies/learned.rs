//! Keeps in the database what the anomaly engine took days to learn.

use crate::app::App;
use crate::defense::anomaly::{Engine, Habits};
use crate::storage::{Refusal, StorageError, settings};

const NAME: &str = "anomalies.learned";
/// Clients whose habits are kept: about a hundred bytes each.
const MOST: usize = 1_000;

/// Keeps what the engine took days to learn, for when another goes on.
pub(super) async fn keep(app: &App, engine: &Engine) -> Result<(), StorageError> {
    let learned = engine.learned(MOST);
    let Ok(text) = serde_json::to_string(&learned) else { return Ok(()) };
    app.db
        .write("anomalies.learned", move |tx| -> Result<_, Refusal<StorageError>> {
            Ok(settings::set(tx, NAME, &text)?)
        })
        .await
}

/// Tells the engine what another has learned. What cannot be read is learned anew.
pub(super) async fn recall(app: &App, engine: &mut Engine) -> Result<(), StorageError> {
    let text = app.db.read("anomalies.learned", |conn| settings::get(conn, NAME)).await?;
    let learned: Option<Vec<(u64, Habits)>> = text.and_then(|text| serde_json::from_str(&text).ok());
    engine.learn(&learned.unwrap_or_default());
    Ok(())
}
