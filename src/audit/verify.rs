//! Whether the trail is as it was written: all of it, in little memory, while others write on.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::claims::{Claims, Read, Receipt};
use super::integrity_problem::{Found, Problems, What};
use super::line::{Header, Line};
use super::walk::{Extent, Gap, Walk};
use crate::domain::chain::{ChainKey, Sealed};
use crate::storage::audit_events::{self, StoredEvent};
use crate::storage::{Conn, Db, StorageError, audit_checkpoints, settings};
use crate::support::Id;

/// Rows that are in memory at once.
const PAGE: i64 = 1000;

/// Why verification came to no result.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the export cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("line {0} of the export: {1}")]
    Line(usize, String),
}

/// What an operator knows besides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A checkpoint that was noted elsewhere, and must be in this trail or before it.
    pub expect: Option<Receipt>,
    /// Events up to this one may lack a hash: nodes of a version without chains still ran.
    pub unchained_until: Option<Id>,
}

/// What is verified.
pub enum Source<'a> {
    Database(&'a Db),
    Export(&'a Path),
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    pub events: u64,
    /// Of these, events from before the chain.
    pub unchained: u64,
    pub checkpoints: u64,
    pub last_checkpoint: Option<Sealed>,
    /// Where the trail began anew after its key was lost: the number of that checkpoint, and when.
    pub epoch: Option<(i64, i64)>,
    /// Chains from before that whose first event could be changed without being noticed: an earlier version of this server
    /// began anew without stating them.
    pub unproved_first_events: u64,
    /// When events were last removed as too old, in Unix milliseconds.
    pub removed_millis: Option<i64>,
    /// Whether a checkpoint that was noted elsewhere was compared: without one nobody can tell whether the end of the trail,
    /// or all of it, was set back.
    pub is_anchored: bool,
    /// By the time of their first event.
    pub writers: Vec<WriterReport>,
    pub problems: Problems,
    /// Whether signatures were looked at, or only hashes.
    pub signed: bool,
    /// An export of a part in time.
    pub is_part: bool,
}

/// One chain.
#[derive(Debug)]
pub struct WriterReport {
    pub writer: Id,
    pub first_sequence: i64,
    pub first_millis: i64,
    pub last_sequence: i64,
    pub last_millis: i64,
    pub events: u64,
    /// The last checkpoint that speaks of it.
    pub checkpoint: Option<i64>,
    /// Events after that.
    pub unstated: u64,
    pub ended: bool,
}

impl Report {
    /// Events that no checkpoint speaks of yet.
    pub fn unstated(&self) -> u64 {
        self.writers.iter().map(|writer| writer.unstated).sum()
    }
}

/// Walks over all. `progress` hears of the number of events looked at.
pub async fn verify(
    source: Source<'_>,
    key: Option<&ChainKey>,
    options: &Options,
    progress: impl FnMut(u64),
) -> Result<Report, VerifyError> {
    match source {
        Source::Database(db) => database(db, key, options, progress).await,
        Source::Export(path) => export(path, key, options, progress),
    }
}

async fn database(
    db: &Db,
    key: Option<&ChainKey>,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Report, VerifyError> {
    let (mut claims, mut problems) = (Claims::default(), Problems::default());
    if let Some(key) = key {
        claims.lost_key_until = lost_key_until(db, key).await?;
    }
    fold(db, &mut claims, key, Read::Before, options, &mut problems).await?;
    if key.is_some() && claims.count == 0 {
        let message = "there is no checkpoint, although the trail has a key since its first".to_owned();
        problems.push(Found::of_checkpoint(What::CheckpointMissing, 1, 0, message));
    }
    let mut walk = Walk::new(&claims, key, Extent::Whole, options.unchained_until);
    let mut after: Vec<u8> = Vec::new();
    loop {
        let from = after.clone();
        let page = db.read("audit.verify", move |conn| audit_events::page(conn, &from, None, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        page.iter().for_each(|event| walk.event(event));
        progress(walk.events);
    }
    walk.check_ends();
    // Meanwhile something may have been removed as too old, or a slow transaction may have ended.
    let mut later = Claims::following(&claims);
    fold(db, &mut later, key, Read::After, &Options::default(), &mut problems).await?;
    let gaps = std::mem::take(&mut walk.gaps);
    for gap in gaps {
        let pruned = later.writers.get(&gap.writer).map_or(0, super::claims::Claim::pruned_to);
        if gap.to > pruned && !is_filled(db, &gap).await? {
            walk.problems.push(Walk::missing(&gap));
        }
    }
    claims.check_beginning(later.pruned_to(), &mut problems);
    if let Some(expected) = &options.expect {
        expected.check_end(later.last.as_ref().map_or(0, |last| last.number), &mut problems);
    }
    let last = later.last.clone().or_else(|| claims.last.clone());
    let mut report = report(walk, &claims, problems, last, key, false);
    (report.is_anchored, report.removed_millis) =
        (options.expect.is_some(), claims.removed_millis.max(later.removed_millis));
    Ok(report)
}

/// Up to where checkpoints were signed with a key that was lost, as a checkpoint says that the present key has signed.
async fn lost_key_until(db: &Db, key: &ChainKey) -> Result<i64, VerifyError> {
    let read = |conn: &mut Conn| {
        let number = settings::get(conn, audit_checkpoints::EPOCH)?.and_then(|text| text.parse::<i64>().ok());
        number.map_or(Ok(None), |number| Ok(audit_checkpoints::page_after(conn, number - 1, 1)?.pop()))
    };
    let sealed = db.read("audit.verify", read).await?;
    Ok(sealed.and_then(|sealed| key.open(&sealed)).and_then(|epoch| epoch.lost_key_until).unwrap_or(0))
}

async fn fold(
    db: &Db,
    claims: &mut Claims,
    key: Option<&ChainKey>,
    read: Read,
    options: &Options,
    problems: &mut Problems,
) -> Result<(), VerifyError> {
    loop {
        let number = claims.last.as_ref().map_or(i64::MIN, |last| last.number);
        let page = db.read("audit.verify", move |conn| audit_checkpoints::page_after(conn, number, PAGE)).await?;
        if page.is_empty() {
            return Ok(());
        }
        for sealed in &page {
            take(claims, sealed, key, read, options, problems);
        }
    }
}

fn take(
    claims: &mut Claims,
    sealed: &Sealed,
    key: Option<&ChainKey>,
    read: Read,
    options: &Options,
    problems: &mut Problems,
) {
    claims.add(sealed, key, read, problems);
    if let Some(expected) = &options.expect {
        expected.check(sealed, problems);
    }
}

/// Whether what was not seen of a chain is there after all.
async fn is_filled(db: &Db, gap: &Gap) -> Result<bool, VerifyError> {
    let Some((place, _)) = gap.after else { return Ok(false) };
    // More than these do not come late.
    if gap.to - gap.from >= PAGE {
        return Ok(false);
    }
    let (writer, after, before) = (gap.writer, place.id.as_bytes().to_vec(), gap.before.id);
    let late =
        db.read("audit.verify", move |conn| audit_events::page_of_writer(conn, writer, &after, before, PAGE)).await?;
    Ok(Walk::is_filled(gap, &late))
}

fn report(
    walk: Walk<'_>,
    claims: &Claims,
    mut problems: Problems,
    last: Option<Sealed>,
    key: Option<&ChainKey>,
    is_part: bool,
) -> Report {
    let mut writers: Vec<WriterReport> = walk
        .traces
        .iter()
        .map(|(writer, trace)| {
            let claim = claims.writers.get(writer);
            WriterReport {
                writer: *writer,
                first_sequence: trace.first.sequence,
                first_millis: trace.first.at_millis,
                last_sequence: trace.last.sequence,
                last_millis: trace.last.at_millis,
                events: trace.events,
                checkpoint: claim.and_then(|claim| claim.marks.last()).map(|mark| mark.number),
                unstated: trace.unstated,
                ended: claim.is_some_and(|claim| claim.ended_at.is_some()),
            }
        })
        .collect();
    writers.sort_by_key(|report| (report.first_millis, report.writer));
    problems.count += walk.problems.count - walk.problems.told.len() as u64;
    walk.problems.told.into_iter().for_each(|found| problems.push(found));
    Report {
        events: walk.events,
        unchained: walk.unchained,
        checkpoints: claims.count,
        last_checkpoint: last,
        unproved_first_events: walk.unproved_first_events,
        epoch: claims.epoch.as_ref().map(|epoch| (epoch.number, epoch.at_millis)),
        removed_millis: claims.removed_millis,
        is_anchored: false,
        writers,
        problems,
        signed: key.is_some(),
        is_part,
    }
}

/// The first line of an export, which has its key.
pub fn header(path: &Path) -> Result<Header, VerifyError> {
    match lines(path)?.next() {
        Some(Ok((_, Line::Header(header)))) => Ok(header),
        Some(Err(error)) => Err(error),
        _ => Err(VerifyError::Line(1, "it is no beginning of an export of the audit trail".to_owned())),
    }
}

type Numbered = Result<(usize, Line), VerifyError>;

fn lines(path: &Path) -> Result<impl Iterator<Item = Numbered> + use<>, VerifyError> {
    let lines = BufReader::new(File::open(path)?).lines().enumerate();
    Ok(lines.map(|(n, line)| Ok((n + 1, Line::parse(&line?).map_err(|why| VerifyError::Line(n + 1, why))?))))
}

fn export(
    path: &Path,
    key: Option<&ChainKey>,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Report, VerifyError> {
    let header = header(path)?;
    let is_part = header.since_millis.is_some() || header.until_millis.is_some();
    let (mut claims, mut later, mut problems) = (Claims::default(), Claims::default(), Problems::default());
    if let Some(key) = key {
        for line in lines(path)? {
            if let Line::Checkpoint(sealed) = line?.1 {
                let until = key.open(&sealed).and_then(|read| read.lost_key_until).unwrap_or(0);
                claims.lost_key_until = claims.lost_key_until.max(until);
            }
        }
        later.lost_key_until = claims.lost_key_until;
    }
    let mut seen_events = Read::Before;
    for line in lines(path)? {
        match line?.1 {
            Line::Checkpoint(sealed) if seen_events == Read::Before => {
                take(&mut claims, &sealed, key, Read::Before, options, &mut problems);
                later.last = Some(sealed);
            }
            Line::Checkpoint(sealed) => take(&mut later, &sealed, key, Read::After, options, &mut problems),
            Line::Event(_) => seen_events = Read::After,
            Line::Header(_) => {}
        }
    }
    let extent = if is_part { Extent::Part } else { Extent::Whole };
    let mut walk = Walk::new(&claims, key, extent, options.unchained_until);
    for line in lines(path)? {
        if let Line::Event(event) = line?.1 {
            walk.event(&event);
            if walk.events.is_multiple_of(1000) {
                progress(walk.events);
            }
        }
    }
    walk.check_ends();
    for gap in std::mem::take(&mut walk.gaps) {
        if gap.to > later.writers.get(&gap.writer).map_or(0, super::claims::Claim::pruned_to) {
            walk.problems.push(Walk::missing(&gap));
        }
    }
    if !is_part {
        claims.check_beginning(later.pruned_to(), &mut problems);
    }
    let last = later.last.clone();
    if let Some(expected) = &options.expect {
        expected.check_end(last.as_ref().map_or(0, |last| last.number), &mut problems);
    }
    let mut report = report(walk, &claims, problems, last, key, is_part);
    (report.is_anchored, report.removed_millis) =
        (options.expect.is_some(), claims.removed_millis.max(later.removed_millis));
    Ok(report)
}

/// What a reader of the trail wants to look at next.
pub(super) fn last_id(page: &[StoredEvent]) -> Option<Vec<u8>> {
    page.last().map(|event| event.id.clone())
}
