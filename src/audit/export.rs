//! The trail as lines of JSON, for archives and other tools, a page in memory at a time.

use std::io::Write;

use super::line::{Header, Line};
use super::verify::last_id;
use crate::storage::{Db, StorageError, audit_checkpoints, audit_events};
use crate::support::Id;

const PAGE: i64 = 1000;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    pub events: u64,
    pub checkpoints: u64,
}

/// Why an export was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the export cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes a header, the checkpoints, the events in the order of their ids, and what checkpoints came meanwhile.
pub async fn export(
    db: &Db,
    header: Header,
    out: &mut impl Write,
    mut progress: impl FnMut(Exported),
) -> Result<Exported, ExportError> {
    let (since, until) = (header.since_millis, header.until_millis);
    let mut done = Exported::default();
    line(out, &Line::Header(header))?;
    // In an export of a part they speak of what is not in it too, and prove what is.
    let mut number = checkpoints(db, i64::MIN, (since, until), out, &mut done).await?;
    let mut after = since.map_or_else(Vec::new, before_id);
    let before = until.map(Id::first_at);
    loop {
        let from = after.clone();
        let page = db.read("audit.export", move |conn| audit_events::page(conn, &from, before, PAGE)).await?;
        let Some(last) = last_id(&page) else { break };
        after = last;
        for event in page {
            line(out, &Line::Event(Box::new(event)))?;
            done.events += 1;
        }
        progress(done);
    }
    if until.is_none() && done.events > 0 {
        number = checkpoints(db, number, (since, until), out, &mut done).await?;
    }
    let _ = number;
    out.flush()?;
    Ok(done)
}

/// What comes before every id of a moment.
fn before_id(millis: i64) -> Vec<u8> {
    let mut id = Id::first_at(millis).as_bytes().to_vec();
    id.pop();
    id
}

async fn checkpoints(
    db: &Db,
    after: i64,
    (since, until): (Option<i64>, Option<i64>),
    out: &mut impl Write,
    done: &mut Exported,
) -> Result<i64, ExportError> {
    let mut number = after;
    loop {
        let page = db.read("audit.export", move |conn| audit_checkpoints::page_after(conn, number, PAGE)).await?;
        let Some(last) = page.last() else { return Ok(number) };
        number = last.number;
        let wanted = page.into_iter().filter(|sealed| {
            since.is_none_or(|since| sealed.at_millis >= since) && until.is_none_or(|until| sealed.at_millis < until)
        });
        for sealed in wanted {
            line(out, &Line::Checkpoint(sealed))?;
            done.checkpoints += 1;
        }
    }
}

fn line(out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    writeln!(out, "{}", line.to_json())
}
