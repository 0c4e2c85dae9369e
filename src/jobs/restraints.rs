//! The job that loads the restrictions in force.

use crate::app::App;
use crate::storage::{restraints, throttles};

/// Takes up who is restrained, whichever node found the reason. Twice a second, so that it holds everywhere within one, and
/// ends everywhere as soon when it is lifted.
pub async fn reload(app: App) -> Result<(), String> {
    let (now, asked) = (app.now(), app.limiter.restraints.asking());
    let read =
        app.db.read("restraints", move |conn| Ok((restraints::live(conn, now)?, throttles::full(conn, now)?))).await;
    let (live, full) = read.map_err(|e| e.to_string())?;
    app.limiter.restraints.replace(&live, &full, asked);
    Ok(())
}
