//! `latchway restore-point`: ends everything that was issued before, after other tools set the database back.

use serde_json::{Value, json};

use super::clock::{self, ClockArgs};
use super::context::{Context, usage};
use super::output;
use crate::audit::{Event, EventKind};
use crate::storage::restore_point::{self, Active, Ended};
use crate::storage::{Refusal, StorageError};

const EXAMPLES: &str = "\
Examples:
  pg_restore --clean --if-exists --dbname latchway latchway.dump && latchway restore-point --yes

For PostgreSQL, after its own tools restored it and before the first server starts: a database that was set back has
forgotten which codes and tokens were used or revoked since, so that all of them are ended. `latchway restore` does this
by itself. Doing it again ends what was issued meanwhile.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Yes, end all sessions, tokens, codes, links and remembered consents
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub clock: ClockArgs,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    if !args.yes {
        return Err(usage("this logs everybody out and ends every token; say --yes if that is what you want"));
    }
    let tool = context.open_tool()?;
    clock::check(&tool, &args.clock)?;
    let (now, clock) = (tool.clock.now(), tool.clock.clone());
    let work = tool.db.write("restore-point", move |tx| -> Result<_, Refusal<StorageError>> {
        let ended = restore_point::set(tx, now)?;
        let active = restore_point::active(tx.reader())?;
        Event::success(EventKind::Restored).detail(json!({"ended": ended_json(&ended)})).record(tx, &clock)?;
        Ok((ended, active))
    });
    let (ended, active) = tool.runtime.block_on(work)?;
    let json = json!({
        "restore_point": now, "ended": ended_json(&ended), "active_clients": active.clients,
        "active_users": active.users, "live_api_keys": active.api_keys,
    });
    output::show(context, &json, || {
        print_ended(&ended);
        print_advice(&active, "after the moment to which the database was set back");
    })
}

pub fn ended_json(ended: &Ended) -> Value {
    json!({
        "grants": ended.grants, "refresh_tokens": ended.refresh_tokens, "access_tokens": ended.access_tokens,
        "codes": ended.codes, "device_codes": ended.device_codes, "sessions": ended.sessions,
        "links": ended.links, "consents": ended.consents,
    })
}

pub fn print_ended(ended: &Ended) {
    outln!("\nEnded, as nobody can know which of them were used or revoked since:");
    let rows = [
        ("token families", ended.grants),
        ("refresh tokens", ended.refresh_tokens),
        ("access tokens", ended.access_tokens),
        ("authorization codes", ended.codes),
        ("device codes", ended.device_codes),
        ("login sessions", ended.sessions),
        ("one-time links", ended.links),
        ("remembered consents", ended.consents),
    ];
    let rows: Vec<Vec<String>> = rows.iter().map(|(what, n)| vec![(*what).to_owned(), n.to_string()]).collect();
    output::table(&["what", "count"], &rows);
    outln!("Client assertions (private_key_jwt) that were made before this moment are refused.");
}

/// What only a person can know.
pub fn print_advice(active: &Active, since: &str) {
    outln!(
        "\n{} client(s) and {} account(s) are active, and {} API key(s) are not revoked. Disable or revoke\n\
         again those that were disabled or revoked {since},\n\
         and change again passwords, client secrets and keys that were changed for a reason:\n\
         `latchway client list`, `latchway user list`, `latchway api-key list`, `latchway keys list`.",
        active.clients,
        active.users,
        active.api_keys
    );
}
