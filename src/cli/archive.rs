//! The file that `backup` writes and `restore` reads: the database, a line that describes it, a line with the SHA-256
//! of all before. SQLite's own tools read it as it is: what follows the last page is none of their business.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{Context as Hash, SHA256};
use serde::{Deserialize, Serialize};

use super::progress::{Progress, size};
use crate::support::Seconds;

const MARK: &[u8] = b"\nlatchway-backup ";
const LAST: &str = "sha256 ";
/// `sha256 `, 64 digits, a line break.
const LAST_BYTES: usize = 72;
const MAX_MANIFEST: usize = 4096;
const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of the program that made it.
    pub latchway: String,
    /// The last migration of its schema.
    pub schema: String,
    pub created_at: Seconds,
    pub database_bytes: u64,
}

/// A whole backup.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub bytes: u64,
    /// Of the whole file, as `sha256sum` prints it.
    pub sha256: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads so many bytes from where the file stands, and gives each piece to `take`.
fn pieces(file: &mut File, bytes: u64, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> anyhow::Result<()> {
    let (mut buffer, mut left, mut progress) = (vec![0; 1 << 20], bytes, Progress::new());
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read(&mut buffer[..wanted])?;
        ensure!(read > 0, "the file ends too early");
        take(&buffer[..read])?;
        left -= read as u64;
        progress.show(|| format!("checked {} of {}", size(bytes - left), size(bytes)));
    }
    Ok(())
}

/// Appends to a bare database what makes it a backup, and waits until all of it is on disk.
pub fn seal(file: &mut File, schema: String, created_at: Seconds) -> anyhow::Result<(Manifest, Sealed)> {
    let database_bytes = file.seek(SeekFrom::End(0))?;
    let latchway = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { format: FORMAT, latchway, schema, created_at, database_bytes };
    let line = [MARK, &serde_json::to_vec(&manifest)?, b"\n"].concat();
    file.rewind()?;
    let mut hash = Hash::new(&SHA256);
    pieces(file, database_bytes, |piece| {
        hash.update(piece);
        Ok(())
    })?;
    hash.update(&line);
    let last = format!("{LAST}{}\n", hex(hash.clone().finish().as_ref()));
    hash.update(last.as_bytes());
    file.write_all(&line)?;
    file.write_all(last.as_bytes())?;
    file.sync_all()?;
    let bytes = database_bytes + (line.len() + last.len()) as u64;
    Ok((manifest, Sealed { bytes, sha256: hex(hash.finish().as_ref()) }))
}

/// A backup that says what it is; whether that is true shows when it is copied.
pub struct Archive {
    file: File,
    pub manifest: Manifest,
    manifest_line: Vec<u8>,
    last_line: Vec<u8>,
}

impl Archive {
    /// Reads the end of the file.
    pub fn open(mut file: File) -> anyhow::Result<Self> {
        const BROKEN: &str = "this is no backup made by latchway, or its end is missing";
        let bytes = file.metadata()?.len();
        let tail_bytes = bytes.min((MARK.len() + MAX_MANIFEST + LAST_BYTES) as u64);
        file.seek(SeekFrom::Start(bytes - tail_bytes))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let at = tail.windows(MARK.len()).rposition(|window| window == MARK).context(BROKEN)?;
        let end = tail.len().checked_sub(LAST_BYTES).filter(|end| *end > at + MARK.len()).context(BROKEN)?;
        let (line, last) = (&tail[at..end], &tail[end..]);
        ensure!(last.starts_with(LAST.as_bytes()) && last.ends_with(b"\n") && line.ends_with(b"\n"), BROKEN);
        let json: serde_json::Value = serde_json::from_slice(&line[MARK.len()..]).context(BROKEN)?;
        if json["format"] != FORMAT {
            bail!("the backup has the format {}, and this version of latchway knows {FORMAT} only", json["format"]);
        }
        let manifest: Manifest = serde_json::from_value(json).context(BROKEN)?;
        ensure!(manifest.database_bytes == bytes - (line.len() + last.len()) as u64, "bytes are missing or too many");
        Ok(Self { file, manifest, manifest_line: line.to_vec(), last_line: last.to_vec() })
    }

    /// Copies the database out of it and compares the checksum; waits until the copy is on disk.
    pub fn extract(mut self, target: &mut File) -> anyhow::Result<Sealed> {
        self.file.rewind()?;
        let mut hash = Hash::new(&SHA256);
        pieces(&mut self.file, self.manifest.database_bytes, |piece| {
            hash.update(piece);
            target.write_all(piece)
        })?;
        hash.update(&self.manifest_line);
        let last = format!("{LAST}{}\n", hex(hash.clone().finish().as_ref()));
        ensure!(last.as_bytes() == self.last_line, "its checksum is wrong: the file has changed since it was made");
        hash.update(&self.last_line);
        target.sync_all()?;
        let bytes = self.manifest.database_bytes + (self.manifest_line.len() + self.last_line.len()) as u64;
        Ok(Sealed { bytes, sha256: hex(hash.finish().as_ref()) })
    }
}
