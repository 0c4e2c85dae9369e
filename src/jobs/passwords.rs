//! The job that counts the hash parameters in use.

use crate::app::App;
use crate::storage::users;

/// Counts anew under which parameters passwords are hashed: other nodes and the command line hash them too.
pub async fn count(app: App) -> Result<(), String> {
    let counted = app.db.read("passwords.parameters", users::password_parameters).await.map_err(|e| e.to_string())?;
    app.passwords.set_in_use(counted);
    Ok(())
}
