//! `latchway keys begin-anew`: new signing keys and a new audit key after the encryption key was lost.

use serde_json::json;

use super::clock::{self, ClockArgs};
use super::context::{Context, usage};
use super::tool::Tool;
use super::{encryption_key, output, restore_point};
use crate::jobs::running_nodes;
use crate::keys;
use crate::storage::IfMissing;

#[derive(clap::Args)]
pub struct Args {
    /// Yes, end all sessions, tokens and codes, and make new keys
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    clock: ClockArgs,
}

pub fn run(context: &Context, tool: &Tool, args: &Args) -> anyhow::Result<()> {
    let sealer = encryption_key::sealer(context, &tool.config, IfMissing::Fail)?;
    let lost = tool.runtime.block_on(keys::lost(&tool.db, &sealer))?;
    if lost.signing_keys == 0 && !lost.audit_key {
        return Err(usage(
            "nothing is lost: [keys] encryption_key opens all keys. `latchway keys rotate` makes a new signing key, \
             `latchway keys reseal` changes the encryption key",
        ));
    }
    if tool.db.is_served() || tool.runtime.block_on(running_nodes(&tool.db, tool.clock.now()))? > 0 {
        return Err(usage("a server uses this database, or did within the last minute: stop all of them first"));
    }
    if !args.yes {
        return Err(usage(format!(
            "{} signing key(s){} were sealed with another encryption key. If that key can be found, set it as [keys] \
             encryption_key and nothing is lost. Otherwise this makes new keys, logs everybody out and ends every token; \
             people, clients and API keys stay, and what is in the audit trail stays without the proof of who wrote it. Say \
             --yes if that is what you want",
            lost.signing_keys,
            if lost.audit_key { " and the audit trail's key" } else { "" },
        )));
    }
    clock::check_for_new_keys(tool, &args.clock)?;
    let ended = tool.runtime.block_on(keys::begin_anew(&tool.db, &sealer, &tool.clock, &tool.rng))?;
    let json = json!({"signing_keys_lost": lost.signing_keys, "ended": restore_point::ended_json(&ended)});
    output::show(context, &json, || {
        outln!(
            "Made new signing keys and a new key for the audit trail. `latchway audit verify` tells where it begins."
        );
        restore_point::print_ended(&ended);
    })
}
