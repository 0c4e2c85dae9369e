//! `latchway cleanup`: one sweep of all tables, after the clock was compared.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::clock::{self, ClockArgs};
use super::context::Context;
use super::output;
use super::progress::Progress;
use super::tool::Tool;
use crate::jobs::{self, LargeShare, Sweep};

const EXAMPLES: &str = "\
Examples:
  latchway cleanup
  latchway cleanup --json | jq .rows

Works in batches of [cleanup] batch rows and rests between them, so that a running server hardly notices. One process
cleans at a time; this one waits for its turn. It can be interrupted and run again at any time. If more than a tenth
of the audit trail is older than [cleanup] audit_days, it asks first.";

/// As long as a sweep of the server's may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    clock: ClockArgs,
    /// Do not ask before more than a tenth of the audit trail is removed
    #[arg(long)]
    yes: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    clock::check(&tool, &args.clock)?;
    let begin = Instant::now();
    if let Some(events) = tool.runtime.block_on(jobs::large_share_of_trail(&tool.db, &tool.config, &tool.clock))? {
        output::confirm(args.yes, &format!("{} and are removed for good.", jobs::too_many(&tool.config, events)))?;
    }
    let removed = tool.runtime.block_on(wait_and_sweep(&tool))?;
    let all: u64 = removed.iter().map(|(_, rows)| rows).sum();
    let counts: serde_json::Map<String, serde_json::Value> =
        removed.iter().map(|(table, rows)| ((*table).to_owned(), (*rows).into())).collect();
    let json = serde_json::json!({"removed": counts, "rows": all, "seconds": begin.elapsed().as_secs_f64()});
    output::show(context, &json, || {
        let rows: Vec<Vec<String>> =
            removed.iter().map(|(table, rows)| vec![(*table).to_owned(), rows.to_string()]).collect();
        output::table(&["table", "removed"], &rows);
    })
}

async fn wait_and_sweep(tool: &Tool) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let begin = Instant::now();
    let (mut progress, mut all) = (Progress::new(), 0);
    loop {
        let each = |table: &'static str, rows: u64| {
            all += rows;
            progress.show(|| format!("{table}: {all} rows in all, {:.0} s", begin.elapsed().as_secs_f64()));
        };
        match jobs::sweep_all(&tool.db, &tool.config, (&tool.clock, &tool.rng), LargeShare::Remove, each).await? {
            Sweep::Done(removed) => return Ok(removed),
            Sweep::TrailKept(events) => bail!("{} and were kept", jobs::too_many(&tool.config, events)),
            Sweep::Elsewhere { .. } if begin.elapsed() > PATIENCE => {
                bail!("another process has been cleaning up for {} seconds; let it finish", PATIENCE.as_secs())
            }
            Sweep::Elsewhere { .. } => {
                progress.show(|| "another process is cleaning up; waiting for it".to_owned());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
