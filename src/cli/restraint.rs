use clap::Subcommand;
use serde_json::json;

use super::context::{Context, Tool};
use super::output;
use crate::audit::{Event, EventKind};
use crate::storage::restraints::{self, Restraint};
use crate::storage::{Refusal, StorageError};

const EXAMPLES: &str = "\
Examples:
  latchway restraint list
  latchway restraint lift 198.51.100.7/32
  latchway restraint lift \"notes 198.51.100.7/32\"     a client at an address, as the list shows it";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List who may not do what, until when and why
    List,
    /// End what restrains somebody; every node knows within a second
    Lift {
        /// As `restraint list` shows it
        subject: String,
    },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::List => list(context, &tool),
        Command::Lift { subject } => lift(context, &tool, subject),
    }
}

fn list(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let now = tool.clock.now();
    let read = tool.db.read("restraint.list", move |conn| restraints::live(conn, now));
    let live = tool.runtime.block_on(read)?;
    let json = |r: &Restraint| {
        json!({
            "kind": r.kind,
            "subject": r.subject,
            "reason": r.reason,
            "created_at": r.created_at,
            "expires_at": r.expires_at,
        })
    };
    output::show(context, &live.iter().map(json).collect(), || {
        let row = |r: &Restraint| {
            let left = format!("{} s", r.expires_at - now);
            vec![r.subject.clone(), r.kind.clone(), left, r.reason.clone()]
        };
        output::table(&["subject", "kind", "ends in", "reason"], &live.iter().map(row).collect::<Vec<_>>());
    })
}

fn lift(context: &Context, tool: &Tool, subject: &str) -> anyhow::Result<()> {
    let (wanted, clock) = (subject.to_owned(), tool.clock.clone());
    let write = tool.db.write("restraint.lift", move |tx| -> Result<_, Refusal<StorageError>> {
        let lifted = restraints::lift(tx, &wanted)?;
        if lifted > 0 {
            let event = Event::success(EventKind::RestraintLifted).detail(json!({"subject": wanted}));
            event.record(tx, &clock)?;
        }
        Ok(lifted)
    });
    if tool.runtime.block_on(write)? == 0 {
        anyhow::bail!("nothing restrains {subject}; `latchway restraint list` shows who is restrained");
    }
    output::show(context, &json!({"subject": subject}), || outln!("{subject} is restrained no more."))
}
