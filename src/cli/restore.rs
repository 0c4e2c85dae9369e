//! `latchway restore`: puts a verified backup in the place of the embedded database.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::archive::{Archive, Sealed};
use super::backup::{sqlite_path, sync_folder};
use super::context::{Context, operator, usage};
use super::{encryption_key, output, restore_point};
use crate::audit::{Event, EventKind, time};
use crate::keys::audit_key_in;
use crate::storage::restore::{Carried, Restored, Since, check_version, make_ready, settle};
use crate::storage::{IfMissing, ServerLock, StorageError, Tx, owner};
use crate::support::{Clock, Rng, Seconds};

const EXAMPLES: &str = "\
Examples:
  latchway restore /var/backups/latchway-2026-11-22.backup
  latchway restore latest.backup --force            keeps the database that is there under another name

Stop the server first. Nothing that was issued before comes back to life: people log in again, apps ask them again. What
was disabled or changed since the backup is taken over from the database that is replaced, if it can still be read.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file that `latchway backup` made
    pub file: PathBuf,
    /// Replace the database that is there, and keep it under another name
    #[arg(long)]
    pub force: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = context.tool_config()?;
    let path = sqlite_path(
        &config,
        "PostgreSQL is restored by its own tools; run `latchway restore-point --yes` after that, before the first \
         server starts",
    )?;
    let source = File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
    let broken = || format!("{} cannot be restored", args.file.display());
    let archive = Archive::open(source).with_context(broken)?;
    let manifest = archive.manifest.clone();
    if Path::new(&path).exists() && !args.force {
        return Err(usage(format!(
            "there is a database at {path}; --force replaces it and keeps it under another name"
        )));
    }
    let (path, _lock) = take_place(path)?;
    let clock = Clock::system();
    let coming = format!("{path}.restoring");
    let prepared = (|| {
        let sealed = extract(archive, &coming).with_context(broken)?;
        check_version(&coming).with_context(broken)?;
        let old = readable_old(&path)?;
        let record = |tx: &mut Tx<'_>, restored: &Restored| {
            let event = Event::success(EventKind::Restored).detail(detail(restored, manifest.created_at));
            event.record(tx, &clock)
        };
        let sealer = encryption_key::sealer(context, &config, IfMissing::Make)?;
        let unlock = |tx: &mut Tx<'_>| {
            let key = audit_key_in(tx, &sealer, &clock, &Rng::system());
            key.map_err(|e| StorageError::Unavailable(e.to_string()))
        };
        let mut restored =
            make_ready(&coming, old.path(&path), (&clock, operator()), unlock, record).with_context(broken)?;
        if let Old::Unreadable(why) = old {
            restored.since = Since::Unreadable(why);
        }
        Ok((sealed, restored))
    })();
    if prepared.is_err() {
        let _ = fs::remove_file(&coming);
    }
    let (sealed, restored): (Sealed, Restored) =
        prepared.map_err(|e: anyhow::Error| e.context("nothing was changed"))?;
    let aside =
        swap(&path, &coming, clock.now()).with_context(|| format!("{coming} could not take the place of {path}"))?;
    let json = json!({
        "database": path, "bytes": sealed.bytes, "sha256": sealed.sha256, "created_at": manifest.created_at,
        "migrations": restored.migrations, "ended": restore_point::ended_json(&restored.ended),
        "since": since_json(&restored.since), "old_database": aside.as_ref().map(|aside| aside.display().to_string()),
        "active_clients": restored.active.clients, "active_users": restored.active.users,
        "live_api_keys": restored.active.api_keys,
    });
    output::show(context, &json, || {
        outln!("Restored {path} from {}, of {}.", args.file.display(), time(manifest.created_at * 1000));
        if let Some(aside) = &aside {
            outln!("The database that was there is now {}.", aside.display());
        }
        if restored.migrations > 0 {
            outln!("The backup had an older schema; {} migration(s) were applied.", restored.migrations);
        }
        restore_point::print_ended(&restored.ended);
        print_since(&restored, manifest.created_at);
    })
}

/// Where the database goes, and the lock that keeps servers off meanwhile.
fn take_place(path: String) -> anyhow::Result<(String, Option<ServerLock>)> {
    if Path::new(&path).exists() {
        // What a link leads to is replaced, not the link.
        let found = fs::canonicalize(&path).with_context(|| format!("cannot find {path}"))?;
        let path = found.display().to_string();
        let lock = ServerLock::acquire(&path).context("stop the server first")?;
        return Ok((path, Some(lock)));
    }
    if ServerLock::is_taken(&path) {
        bail!("a server runs on the database that was at {path}; stop it first");
    }
    if let Some(folder) = Path::new(&path).parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok((path, None))
}

/// The database out of the backup, in a file beside the one that it is to replace.
fn extract(archive: Archive, coming: &str) -> anyhow::Result<Sealed> {
    for leftover in [coming.to_owned(), format!("{coming}-wal"), format!("{coming}-shm"), format!("{coming}-journal")] {
        let _ = fs::remove_file(leftover);
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(coming);
    let mut file = file.with_context(|| format!("cannot make {coming}"))?;
    archive.extract(&mut file)
}

enum Old {
    None,
    Readable,
    Unreadable(String),
}

impl Old {
    fn path<'a>(&self, path: &'a str) -> Option<&'a str> {
        matches!(self, Self::Readable).then_some(path)
    }
}

/// Readies the database that is to be replaced for being read, and makes sure that nobody has it open.
fn readable_old(path: &str) -> anyhow::Result<Old> {
    if !Path::new(path).exists() {
        return Ok(Old::None);
    }
    match settle(path) {
        Ok(()) => Ok(Old::Readable),
        Err(StorageError::Timeout) => bail!("another process has {path} open; stop the server first"),
        Err(error) => Ok(Old::Unreadable(error.to_string())),
    }
}

/// The new database belongs to whom the old one belongs to, or else the folder, and is as private. Whoever restores is
/// often root, and the server never.
fn take_owner(path: &str, coming: &str) -> anyhow::Result<()> {
    let coming = Path::new(coming);
    match fs::metadata(path) {
        Ok(old) => {
            owner::give(coming, &old).context("run this as root, or as the owner of the database")?;
            fs::set_permissions(coming, Permissions::from_mode(old.permissions().mode() & 0o777))
                .with_context(|| format!("cannot set the mode of {}", coming.display()))
        }
        Err(_) => {
            owner::give_to_folder(coming);
            Ok(())
        }
    }
}

/// Puts the new database in its place and keeps the old one. Its log goes with it: SQLite would take one that stayed
/// for the new database's own.
fn swap(path: &str, coming: &str, now: Seconds) -> anyhow::Result<Option<PathBuf>> {
    take_owner(path, coming)?;
    File::open(coming).and_then(|file| file.sync_all()).with_context(|| format!("cannot sync {coming}"))?;
    let aside = (0..).map(|n| format!("{path}.before-{}", now + n)).find(|aside| !Path::new(aside).exists());
    let aside = aside.context("there is no free name for the old database")?;
    let mut kept = None;
    if Path::new(path).exists() {
        // By a second name, so that there is a database under the first at every moment.
        fs::hard_link(path, &aside).or_else(|_| fs::rename(path, &aside)).context("the old database cannot be kept")?;
        kept = Some(PathBuf::from(&aside));
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let from = format!("{path}{suffix}");
        if Path::new(&from).exists() {
            fs::rename(&from, format!("{aside}{suffix}")).with_context(|| format!("cannot move {from}"))?;
        }
    }
    fs::rename(coming, path).with_context(|| format!("cannot move {coming} to {path}"))?;
    sync_folder(Path::new(path))?;
    ensure!(Path::new(path).exists(), "the database has disappeared");
    Ok(kept)
}

fn detail(restored: &Restored, created_at: Seconds) -> Value {
    json!({
        "backup_of": created_at, "ended": restore_point::ended_json(&restored.ended),
        "since": since_json(&restored.since),
    })
}

fn since_json(since: &Since) -> Value {
    match since {
        Since::Unknown => json!({"known": false}),
        Since::Unreadable(why) => json!({"known": false, "why": why}),
        Since::Known(carried) => json!({
            "known": true, "clients_disabled": carried.clients_disabled, "users_disabled": carried.users_disabled,
            "users_erased": carried.users_erased,
            "credentials": carried.credentials, "reductions": carried.reductions, "demoted": carried.demoted,
            "passwords": carried.passwords, "keys": carried.keys, "api_keys": carried.api_keys, "audit_events": carried.audit_events,
            "clients_lost": carried.clients_lost, "users_lost": carried.users_lost,
        }),
    }
}

fn print_since(restored: &Restored, created_at: Seconds) {
    match &restored.since {
        Since::Known(carried) => print_carried(carried),
        Since::Unknown => outln!("\nThere was no database here that could tell what happened since the backup."),
        Since::Unreadable(why) => {
            outln!("\nThe database that was here cannot tell what happened since the backup: {why}.")
        }
    }
    if !matches!(restored.since, Since::Known(_)) {
        restore_point::print_advice(&restored.active, &format!("after the backup ({})", time(created_at * 1000)));
    }
}

fn print_carried(carried: &Carried) {
    outln!("\nTaken over from the database that was there, as it happened since the backup:");
    let rows = [
        ("clients disabled or deleted", carried.clients_disabled),
        ("clients with other credentials", carried.credentials),
        ("clients that may do less", carried.reductions),
        ("people disabled", carried.users_disabled),
        ("people deleted", carried.users_erased),
        ("people with another password", carried.passwords),
        ("administrators who are none any more", carried.demoted),
        ("signing keys made or retired", carried.keys),
        ("API keys revoked or rotated", carried.api_keys),
        ("audit events", carried.audit_events),
    ];
    let rows: Vec<Vec<String>> = rows.iter().map(|(what, n)| vec![(*what).to_owned(), n.to_string()]).collect();
    output::table(&["what", "count"], &rows);
    if carried.clients_lost + carried.users_lost > 0 {
        outln!(
            "Made since the backup, and gone with it: {} client(s) and {} account(s).",
            carried.clients_lost,
            carried.users_lost
        );
    }
}
