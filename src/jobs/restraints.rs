use crate::app::App;
use crate::storage::restraints;

/// Takes up who is restrained, whichever node found the reason. Twice a second, so that it holds everywhere within one.
pub async fn reload(app: App) -> Result<(), String> {
    let now = app.now();
    let live = app.db.read("restraints", move |conn| restraints::live(conn, now)).await.map_err(|e| e.to_string())?;
    app.limiter.restraints.replace(&live, now);
    Ok(())
}
