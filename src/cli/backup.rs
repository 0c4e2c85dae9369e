//! `latchway backup`: a copy of the embedded database while the server runs.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::ExposeSecret;

use super::archive::seal;
use super::context::{Context, usage};
use super::output;
use super::progress::{Watch, size};
use crate::config::Config;
use crate::storage::backup::snapshot;
use crate::support::Clock;

const EXAMPLES: &str = "\
Examples:
  latchway backup /var/backups/latchway-$(date +%F).backup
  latchway backup latest.backup --force --json      path, bytes, sha256, schema and created_at for a script

The server may run and write meanwhile. The file is for its owner's eyes only: it has no signing key in the clear, as
those are sealed with [keys] encryption_key, but it has names, addresses and hashes. Keep the encryption key somewhere
else. With PostgreSQL use pg_dump or its point-in-time recovery, and `latchway restore-point` after a restore.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where the backup goes
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = context.tool_config()?;
    let path = sqlite_path(
        &config,
        "a backup of PostgreSQL is made by its own tools: pg_dump, or base backups with point-in-time recovery. After \
         restoring one, run `latchway restore-point --yes` before the first server starts",
    )?;
    if !Path::new(&path).is_file() {
        bail!("there is no database at {path}");
    }
    may_write(args)?;
    let now = Clock::system().now();
    let partial = PathBuf::from(format!("{}.partial", args.file.display()));
    let mut file = private(&partial)?;
    let written = (|| {
        let watch =
            Watch::file(partial.clone(), fs::metadata(&path).with_context(|| format!("cannot look at {path}"))?.len());
        let schema = snapshot(&path, &partial.display().to_string()).context("the database cannot be copied")?;
        drop(watch);
        let sealed = seal(&mut file, schema, now)?;
        may_write(args)?;
        fs::rename(&partial, &args.file).with_context(|| format!("cannot move it to {}", args.file.display()))?;
        sync_folder(&args.file)?;
        Ok(sealed)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    let (manifest, sealed) = written.map_err(|e: anyhow::Error| e.context("no backup was made"))?;
    let json = serde_json::json!({
        "path": args.file.display().to_string(), "bytes": sealed.bytes, "sha256": sealed.sha256,
        "schema": manifest.schema, "created_at": manifest.created_at,
    });
    output::show(context, &json, || {
        outln!("Wrote {} ({}).", args.file.display(), size(sealed.bytes));
        outln!("sha256 {}, schema {}", sealed.sha256, manifest.schema);
    })
}

/// The file of the embedded database, or why there is none.
pub fn sqlite_path(config: &Config, otherwise: &str) -> anyhow::Result<String> {
    let url = config.database.url.expose_secret();
    url.strip_prefix("sqlite://").map(str::to_owned).ok_or_else(|| usage(otherwise))
}

fn may_write(args: &Args) -> anyhow::Result<()> {
    if args.file.exists() && !args.force {
        return Err(usage(format!("{} is there already; --force replaces it", args.file.display())));
    }
    Ok(())
}

/// An empty file that nobody but its owner can read, from its first byte on. What a backup that was killed left is
/// replaced; one that is under way is not disturbed.
fn private(path: &Path) -> anyhow::Result<File> {
    let cannot = || format!("cannot write {}", path.display());
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).with_context(cannot)?;
    if file.try_lock().is_err() {
        bail!("another backup to this file is under way");
    }
    file.set_permissions(Permissions::from_mode(0o600)).with_context(cannot)?;
    file.set_len(0).with_context(cannot)?;
    Ok(file)
}

/// A name in a folder is on disk when the folder is.
pub fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("cannot sync {}", folder.display()))
}
