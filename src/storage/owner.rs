//! Whose a file is. The command line is often run by root and the server never: what one makes the other must open.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// Gives a file the owner and the group of another.
///
/// # Errors
/// If they are others than its own, and this process may not do that.
pub fn give(path: &Path, like: &Metadata) -> io::Result<()> {
    let own = std::fs::metadata(path)?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    chown(path, Some(like.uid()), Some(like.gid()))
        .map_err(|e| io::Error::new(e.kind(), format!("cannot give {} to its owner: {e}", path.display())))
}

/// Gives a new file to whom its folder belongs, if this process may do that: root may.
pub fn give_to_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = std::fs::metadata(folder) {
        let _ = give(path, &folder);
    }
}
