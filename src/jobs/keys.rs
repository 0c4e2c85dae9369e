use crate::app::App;
use crate::domain::Algorithm;
use crate::keys;

/// Takes up keys that another node or the command line made, activated or retired; where the last one of an algorithm
/// was retired, makes another.
pub async fn reload(app: App) -> Result<(), String> {
    let ensured = keys::ensure(&app.db, app.keys.sealer(), &app.rng, Algorithm::ALL, app.now());
    let stored = ensured.await.map_err(|e| e.to_string())?;
    if app.keys.reload(&stored).map_err(|e| e.to_string())? {
        app.verified.invalidate_all();
        tracing::info!("the signing keys have changed");
    }
    Ok(())
}
