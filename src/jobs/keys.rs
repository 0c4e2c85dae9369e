use crate::app::App;
use crate::storage::keys;

/// Takes up keys that another node or the command line made, activated or retired.
pub async fn reload(app: App) -> Result<(), String> {
    let stored = app.db.read("keys.reload", keys::list).await.map_err(|e| e.to_string())?;
    if app.keys.reload(&stored).map_err(|e| e.to_string())? {
        app.verified.invalidate_all();
        tracing::info!("the signing keys have changed");
    }
    Ok(())
}
