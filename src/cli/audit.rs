//! `latchway audit`: list, export and verify the audit trail.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::audit_list::{self, moment};
use super::context::Context;
use super::encryption_key;
use super::output;
use super::progress::Progress;
use super::tool::Tool;
use crate::audit::{self, Found, Header, Options, Receipt, Report, Source, time};
use crate::domain::chain::ChainKey;
use crate::keys::{AUDIT_KEY, Sealer, open_audit_key};
use crate::storage::{IfMissing, settings};
use crate::support::{Clock, Id};

const EXAMPLES: &str = "\
Examples:
  latchway audit list --since 1h                         what was decided in the last hour
  latchway audit list --user alice --outcome failure     what was refused to one person
  latchway audit list --client notes --type token_issued --limit 20 --json
  latchway audit export --since 2026-11-01T00:00:00Z --out november.jsonl
  latchway audit verify                                  whether anybody changed it
  latchway audit verify --file november.jsonl --json

What verification can show and what it cannot is in docs/audit.md.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  latchway audit verify
  latchway audit verify --json | jq .last_checkpoint
  latchway audit verify --expect 1207:5f1c…              and its end was not cut off since that was noted
  latchway audit verify --file november.jsonl            an export, without a database

Exit code 1 if anything was changed, removed or added. Note the checkpoint that it prints somewhere else: with it a later
run notices even that the whole trail was set back.";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List what was decided, the oldest first
    List(audit_list::Args),
    /// Write the trail as lines of JSON, with all that is needed to verify it
    Export(ExportArgs),
    /// Find out whether anybody changed the trail
    Verify(VerifyArgs),
}

#[derive(clap::Args)]
pub struct ExportArgs {
    /// From then on: a duration before now, such as 30d, or a time, such as 2026-11-22T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Up to then
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// A new file, readable by you alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct VerifyArgs {
    /// An export instead of the database. Without the encryption key only its hashes are checked, not the signatures
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A checkpoint that an earlier run printed, and which must still be part of the trail
    #[arg(long, value_name = "NUMBER:SIGNATURE")]
    pub expect: Option<Receipt>,
    /// Until then nodes of a version without a chain still wrote events
    #[arg(long, value_name = "WHEN")]
    pub unchained_until: Option<String>,
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List(args) => audit_list::run(context, args),
        Command::Export(args) => export(context, args),
        Command::Verify(args) => verify(context, args),
    }
}

fn export(context: &Context, args: &ExportArgs) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    let now = tool.clock.now_millis();
    let when = |flag: &str, text: &Option<String>| text.as_deref().map(|text| moment(flag, text, now)).transpose();
    let sealed_key = tool.runtime.block_on(tool.db.read("audit.key", |conn| settings::get(conn, AUDIT_KEY)))?;
    let header = Header {
        at_millis: now,
        since_millis: when("since", &args.since)?,
        until_millis: when("until", &args.until)?,
        sealed_key,
    };
    let (begin, mut progress) = (Instant::now(), Progress::new());
    let show = |done: audit::Exported| {
        progress.show(|| format!("{} events in {:.0} s", done.events, begin.elapsed().as_secs_f64()));
    };
    let Some(path) = &args.out else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        tool.runtime.block_on(audit::export(&tool.db, header, &mut out, show))?;
        return Ok(());
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut out = BufWriter::new(file.with_context(|| format!("cannot make {}", path.display()))?);
    let written = tool.runtime.block_on(audit::export(&tool.db, header, &mut out, show)).map_err(anyhow::Error::from);
    let written = written.and_then(|done| {
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(done)
    });
    let done = written.inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })?;
    let json = json!({"path": path.display().to_string(), "events": done.events, "checkpoints": done.checkpoints});
    output::show(context, &json, || {
        outln!("Wrote {} events and {} checkpoints to {}.", done.events, done.checkpoints, path.display());
    })
}

fn verify(context: &Context, args: &VerifyArgs) -> anyhow::Result<()> {
    let now = Clock::system().now_millis();
    let until = args.unchained_until.as_deref().map(|text| moment("unchained-until", text, now)).transpose()?;
    let options = Options { expect: args.expect.clone(), unchained_until: until.map(Id::first_at) };
    let report = match &args.file {
        Some(path) => verify_file(context, path, &options)?,
        None => verify_database(context, &options)?,
    };
    output::show(context, &report_json(&report), || print(&report))?;
    match report.problems.count {
        0 => Ok(()),
        1 => bail!("the audit trail was tampered with, in one place"),
        count => bail!("the audit trail was tampered with, in {count} places"),
    }
}

fn verify_database(context: &Context, options: &Options) -> anyhow::Result<Report> {
    let tool = context.open_tool()?;
    let sealer = encryption_key::tool_sealer(context, &tool.config)?;
    let key = stored_key(&tool, &sealer)?;
    let (begin, mut progress) = (Instant::now(), Progress::new());
    let show = |events| progress.show(|| format!("{events} events in {:.0} s", begin.elapsed().as_secs_f64()));
    Ok(tool.runtime.block_on(audit::verify(Source::Database(&tool.db), Some(&key), options, show))?)
}

fn stored_key(tool: &Tool, sealer: &Sealer) -> anyhow::Result<ChainKey> {
    let stored = tool.runtime.block_on(tool.db.read("audit.key", |conn| settings::get(conn, AUDIT_KEY)))?;
    let stored = stored.context("the audit trail has no key: somebody removed it")?;
    Ok(open_audit_key(sealer, &stored)?)
}

/// An export comes with its key, sealed; who has the encryption key opens it.
fn verify_file(context: &Context, path: &Path, options: &Options) -> anyhow::Result<Report> {
    let cannot = || format!("cannot verify {}", path.display());
    let header = audit::header(path).with_context(cannot)?;
    let sealer =
        context.tool_config().and_then(|config| encryption_key::sealer(context, &config, IfMissing::Fail)).ok();
    let key = match (&sealer, &header.sealed_key) {
        (Some(sealer), Some(sealed)) => open_audit_key(sealer, sealed).ok(),
        _ => None,
    };
    let (begin, mut progress) = (Instant::now(), Progress::new());
    let show = |events| progress.show(|| format!("{events} events in {:.0} s", begin.elapsed().as_secs_f64()));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(audit::verify(Source::Export(path), key.as_ref(), options, show)).with_context(cannot)
}

fn found_json(found: &Found) -> Value {
    json!({
        "what": found.what.as_str(), "message": found.message, "id": found.id,
        "time": (found.at_millis > 0).then(|| time(found.at_millis)), "writer": found.writer,
        "sequence": found.sequence, "checkpoint": found.checkpoint,
    })
}

fn report_json(report: &Report) -> Value {
    let last = report.last_checkpoint.as_ref().map(
        |last| json!({"number": last.number, "time": time(last.at_millis), "receipt": Receipt::of(last).to_string()}),
    );
    let writers = report.writers.iter().map(|writer| {
        json!({
            "writer": writer.writer, "events": writer.events, "from_sequence": writer.first_sequence,
            "to_sequence": writer.last_sequence, "from": time(writer.first_millis), "to": time(writer.last_millis),
            "checkpoint": writer.checkpoint, "without_checkpoint": writer.unstated, "ended": writer.ended,
        })
    });
    json!({
        "ok": report.problems.count == 0, "events": report.events, "from_before_the_chain": report.unchained,
        "without_checkpoint": report.unstated(), "checkpoints": report.checkpoints, "last_checkpoint": last,
        "signatures": report.signed, "part": report.is_part, "receipt_compared": report.is_anchored,
        "removed_as_too_old_at": report.removed_millis.map(time),
        "began_anew": report.epoch.map(|(number, millis)| json!({
            "checkpoint": number, "time": time(millis), "unproved_first_events": report.unproved_first_events,
        })),
        "writers": writers.collect::<Value>(),
        "problem_count": report.problems.count,
        "problems": report.problems.told.iter().map(found_json).collect::<Value>(),
    })
}

/// How far it goes that no change was found.
fn print_extent(report: &Report) {
    if let Some(millis) = report.removed_millis {
        outln!(
            "Events that were too old were removed, last at {}: that was signed for, whoever's clock it was.",
            time(millis)
        );
    }
    if let Some((number, millis)) = report.epoch {
        outln!(
            "The encryption key was lost, and checkpoint {number} of {} began anew. What is from before is as it was then; who \
             signed for it cannot be verified any more.",
            time(millis)
        );
    }
    if report.unproved_first_events > 0 {
        outln!(
            "{} chains from before begin with an event that this checkpoint does not state, because it was made by an earlier \
             version: a change of such an event cannot be noticed.",
            report.unproved_first_events
        );
    }
    let what = if report.is_part { "of this part" } else { "of what is here" };
    match (&report.last_checkpoint, report.is_anchored) {
        (Some(last), true) => outln!(
            "No change was found, {what}, and the checkpoint that was noted is in it. It is proved up to the last one, of {}.",
            time(last.at_millis)
        ),
        _ => outln!(
            "No change was found {what}. Whether its end was cut off, or all of it was set back, only a checkpoint can show \
             that was noted elsewhere: --expect NUMBER:SIGNATURE."
        ),
    }
}

/// Chains that a person is shown one by one.
const SHOWN: usize = 20;

fn print(report: &Report) {
    let row = |writer: &audit::WriterReport| {
        let checkpoint = writer.checkpoint.map_or_else(|| "-".to_owned(), |number| number.to_string());
        vec![
            writer.writer.to_string(),
            format!("{} to {}", writer.first_sequence, writer.last_sequence),
            time(writer.first_millis),
            time(writer.last_millis),
            checkpoint,
            writer.unstated.to_string(),
        ]
    };
    let from = report.writers.len().saturating_sub(SHOWN);
    if from > 0 {
        outln!("The last {SHOWN} of {} chains (all with --json):\n", report.writers.len());
    }
    let rows: Vec<_> = report.writers.iter().skip(from).map(row).collect();
    output::table(&["writer", "events", "from", "to", "checkpoint", "after it"], &rows);
    outln!(
        "\n{} events in {} chains, {} checkpoints{}.",
        report.events,
        report.writers.len(),
        report.checkpoints,
        if report.is_part { ", a part of the trail" } else { "" }
    );
    if report.unchained > 0 {
        outln!("{} events are from before there was a chain, and prove nothing.", report.unchained);
    }
    if report.unstated() > 0 {
        outln!("{} events are younger than the last checkpoint of their writer.", report.unstated());
    }
    if let Some(last) = &report.last_checkpoint {
        outln!("Last checkpoint, of {}: {}", time(last.at_millis), Receipt::of(last));
    }
    if !report.signed {
        outln!("Only hashes were checked: without the encryption key nobody can tell who made them.");
    }
    if report.problems.count == 0 {
        print_extent(report);
        return;
    }
    outln!();
    for found in &report.problems.told {
        let place = match (found.id, found.checkpoint) {
            (Some(id), _) => format!("event {id} of {}: ", time(found.at_millis)),
            _ => String::new(),
        };
        outln!("{}: {place}{}", found.what.as_str().to_uppercase(), found.message);
    }
    let more = report.problems.count - report.problems.told.len() as u64;
    if more > 0 {
        outln!("… and {more} more.");
    }
}
