use crate::app::App;
use crate::domain::Algorithm;
use crate::keys;

/// Takes up keys that another node or the command line made, activated or retired, and makes one where an algorithm has
/// none left to sign with.
pub async fn reload(app: App) -> Result<(), String> {
    let stored = keys::ensure(&app.db, app.keys.sealer(), &app.rng, Algorithm::ALL, app.now()).await;
    if app.keys.reload(&stored.map_err(|e| e.to_string())?).map_err(|e| e.to_string())? {
        app.verified.invalidate_all();
        tracing::info!("the signing keys have changed");
    }
    Ok(())
}
