//! `latchway config change-issuer`: gives the database to another issuer, and says what stops working.

use serde_json::json;

use super::context::{Context, environment, usage};
use super::output;
use crate::config::{Dev, load};
use crate::jobs::{change_issuer, running_nodes};
use crate::storage::nodes::{ISSUER_PIN, affected};
use crate::storage::settings;

const EXAMPLES: &str = "\
Examples:
  LATCHWAY__SERVER__ISSUER=https://new.example latchway config change-issuer          who would have to change
  LATCHWAY__SERVER__ISSUER=https://new.example latchway config change-issuer --yes    and do it

Stop all servers first, and start them with the new issuer. Signing keys, people and clients stay; every client and every
API has to be configured with the new issuer, and every token is one of the old issuer.";

/// Names that a person is shown.
const SHOWN: usize = 20;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Yes, give the database to the configured issuer
    #[arg(long)]
    yes: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let config = load(&context.overrides(Dev::No), environment()).map_err(|e| usage(e.to_string()))?;
    let (tool, issuer) = (context.open_tool()?, config.server.issuer);
    let now = tool.clock.now();
    let (pinned, affected) = tool.runtime.block_on(
        tool.db.read("pins.issuer", move |conn| Ok((settings::get(conn, ISSUER_PIN)?, affected(conn, now)?))),
    )?;
    let running = tool.db.is_served() || tool.runtime.block_on(running_nodes(&tool.db, now))? > 0;
    let is_change = pinned.as_deref() != Some(&issuer);
    if args.yes && is_change {
        if running {
            return Err(usage("a server uses this database, or did within the last minute: stop all of them first"));
        }
        tool.runtime.block_on(change_issuer(&tool.db, &tool.clock, &issuer))?;
    }
    let json = json!({
        "from": pinned, "to": issuer, "changed": args.yes && is_change, "clients": affected.clients,
        "grants": affected.grants, "access_tokens": affected.access_tokens, "sessions": affected.sessions,
    });
    output::show(context, &json, || {
        if !is_change {
            return outln!("The database belongs to {issuer} already.");
        }
        outln!("From {} to {issuer}:\n", pinned.as_deref().unwrap_or("no issuer"));
        let count = affected.clients.len();
        outln!("{count} client(s) have to be configured with the new issuer, and so have the APIs that verify tokens:");
        affected.clients.iter().take(SHOWN).for_each(|client| outln!("  {client}"));
        if count > SHOWN {
            outln!("  and {} more (all with --json)", count - SHOWN);
        }
        outln!(
            "{} access token(s) stop counting; {} grant(s) and {} login session(s) go on if their client and the host of the \
             pages are the same.",
            affected.access_tokens,
            affected.grants,
            affected.sessions
        );
    })?;
    match args.yes || !is_change {
        true => Ok(()),
        false => Err(usage("nothing was changed; say --yes to give the database to the new issuer")),
    }
}
