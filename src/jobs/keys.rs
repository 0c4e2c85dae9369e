//! The job that takes up key changes of other nodes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::App;
use crate::domain::Algorithm;
use crate::keys;
use crate::storage::keys::list;

/// A node that could not read the keys so often does not know which of them were taken out of service.
const FAILURES: u64 = 5;

/// How often in a row it failed.
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Takes up keys that another node or the command line made, activated or retired; where the last one of an algorithm
/// was retired, makes another.
pub async fn reload(app: App) -> Result<(), String> {
    let reloaded = read(&app).await;
    let failures = match &reloaded {
        Ok(()) => 0,
        Err(_) => FAILED.load(Ordering::Relaxed).saturating_add(1),
    };
    FAILED.store(failures, Ordering::Relaxed);
    app.readiness.keys_unread.store(failures >= FAILURES, Ordering::Relaxed);
    reloaded
}

async fn read(app: &App) -> Result<(), String> {
    // A node that cannot know whether a key is missing makes none.
    let stored = if app.ignorance().is_some() || app.readiness.doubts_time() {
        app.db.read("keys.list", list).await.map_err(|e| e.to_string())?
    } else {
        let ensured = keys::ensure(&app.db, app.keys.sealer(), &app.rng, Algorithm::ALL, app.now());
        ensured.await.map_err(|e| e.to_string())?
    };
    if app.take_up_keys(&stored).map_err(|e| e.to_string())? {
        tracing::info!("the signing keys have changed");
    }
    Ok(())
}
