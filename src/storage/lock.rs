//! One server for one SQLite file, and the file that it opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{StorageError, owner};

/// The sign that a server uses a SQLite database: a lock on `<database>.lock`, which ends with the process however that
/// ends. The command line works beside it; a second server does not, as what they remember would differ.
#[derive(Debug)]
pub struct ServerLock {
    _lock: File,
    path: PathBuf,
    /// Device and inode of the database.
    identity: (u64, u64),
}

impl ServerLock {
    /// Takes the lock for the database at `path`, which must be there.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if another server has it, if the file is on a network file system, where SQLite's
    /// write-ahead log is not safe, or if the lock's file cannot be made.
    pub fn acquire(path: &str) -> Result<Self, StorageError> {
        let refused = StorageError::Unavailable;
        let path = std::fs::canonicalize(path).map_err(|e| refused(format!("cannot find {path}: {e}")))?;
        if let Some(kind) = network_file_system(&path) {
            return Err(refused(format!(
                "{} is on a network file system ({kind}), where SQLite cannot keep its promises; use a local disk or PostgreSQL",
                path.display()
            )));
        }
        let beside = beside(&path);
        let is_new = !beside.exists();
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&beside)
            .map_err(|e| refused(format!("cannot open {}: {e}", beside.display())))?;
        if is_new && let Ok(database) = std::fs::metadata(&path) {
            let _ = owner::give(&beside, &database);
        }
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => {
                refused(format!("another latchway server uses {}; SQLite is for one server", path.display()))
            }
            TryLockError::Error(e) => refused(format!("cannot lock {}: {e}", beside.display())),
        })?;
        let identity = identity(&path).map_err(|e| refused(format!("cannot look at {}: {e}", path.display())))?;
        Ok(Self { _lock: lock, path, identity })
    }

    /// Whether a server uses the database at `path`, which may be gone already.
    pub fn is_taken(path: &str) -> bool {
        let lock = File::open(beside(Path::new(path)));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Whether the file is still the one that was opened. If it was removed or another was put in its place, what is
    /// written goes where nobody will ever find it.
    pub fn check(&self) -> Result<(), StorageError> {
        let problem = match identity(&self.path) {
            Ok(identity) if identity == self.identity => return Ok(()),
            Ok(_) => "another file is in its place".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(StorageError::Unavailable(format!("the database {} is gone: {problem}", self.path.display())))
    }
}

/// The lock's file of a database.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The kind of network file system that a path is on, as far as Linux tells.
fn network_file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let (_, kind) = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let at = Path::new(fields.next()?);
            let kind = fields.next()?;
            path.starts_with(at).then_some((at.as_os_str().len(), kind))
        })
        .max_by_key(|(length, _)| *length)?;
    let is_remote = ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"].contains(&kind);
    is_remote.then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("latchway.db");
        std::fs::write(&path, "").expect("a file");
        let path = path.to_str().expect("a text");
        let first = ServerLock::acquire(path).expect("the first has it");
        let second = ServerLock::acquire(path).expect_err("the second has not");
        assert!(second.to_string().contains("another latchway server"), "{second}");
        first.check().expect("the file is there");
        drop(first);
        ServerLock::acquire(path).expect("it is free again");
    }

    #[test]
    fn a_file_that_was_replaced_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("latchway.db");
        std::fs::write(&path, "").expect("a file");
        let lock = ServerLock::acquire(path.to_str().expect("a text")).expect("a lock");
        let other = dir.path().join("other.db");
        std::fs::write(&other, "").expect("a file");
        std::fs::rename(&other, &path).expect("replaced");
        assert!(lock.check().is_err());
        std::fs::remove_file(&path).expect("removed");
        assert!(lock.check().is_err());
    }
}
