//! `latchway restraint`: lists restrictions and limits that are reached, and lifts them.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::output;
use super::tool::Tool;
use crate::audit::{Event, EventKind};
use crate::defense::{self, Listed, Wanted};
use crate::storage::{Refusal, StorageError, users};
use crate::support::Network;

const EXAMPLES: &str = "\
Examples:
  latchway restraint list
  latchway restraint lift --user alice                  all failed logins of an account
  latchway restraint lift --address 198.51.100.7        all that an address (an IPv6 /64) may not do
  latchway restraint lift --client notes
  latchway restraint lift \"notes 198.51.100.7/32\"       one restraint, as the list shows it";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List who may not do what, until when and why
    List,
    /// End what restrains somebody; every node knows within a second
    Lift(LiftArgs),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct LiftArgs {
    /// A subject as `restraint list` shows it
    subject: Option<String>,
    /// All restraints of a person, by user name or e-mail address
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All restraints of a client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// All restraints of an address
    #[arg(long)]
    address: Option<IpAddr>,
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::List => list(context, &tool),
        Command::Lift(args) => lift(context, &tool, args),
    }
}

fn list(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let now = tool.clock.now();
    let live = tool.runtime.block_on(tool.db.read("restraint.list", move |conn| defense::list(conn, now)))?;
    let json = |r: &Listed| {
        json!({
            "kind": r.kind,
            "subject": r.subject,
            "user": r.user,
            "client_id": r.client,
            "api_key": r.api_key,
            "network": r.network,
            "reason": r.reason,
            "expires_at": r.expires_at,
        })
    };
    output::show(context, &live.iter().map(json).collect(), || {
        let row = |r: &Listed| {
            let left = format!("{} s", r.expires_at - now);
            vec![r.subject.clone(), r.kind.clone(), left, r.reason.clone()]
        };
        output::table(&["subject", "kind", "ends in", "reason"], &live.iter().map(row).collect::<Vec<_>>());
    })
}

/// The subject as it is stored, with its network in the one spelling that networks have.
fn canonical(subject: &str) -> String {
    let word = |word: &str| Network::or_address(word).map_or_else(|_| word.to_owned(), |network| network.to_string());
    subject.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn lift(context: &Context, tool: &Tool, args: &LiftArgs) -> anyhow::Result<()> {
    let (wanted, shown) = wanted(tool, args)?;
    let (clock, detail, now) = (tool.clock.clone(), json!({"subject": shown}), tool.clock.now());
    let write = tool.db.write("restraint.lift", move |tx| -> Result<_, Refusal<StorageError>> {
        let lifted = defense::lift(tx, &wanted, now)?;
        if lifted > 0 {
            let event = Event::success(EventKind::RestraintLifted).detail(detail.clone());
            let event = match &wanted {
                Wanted::User(id) => event.subject(*id),
                Wanted::Client(client_id) => event.client(client_id),
                Wanted::Address(address) => event.address(address),
                Wanted::Subject(_) => event,
            };
            event.record(tx, &clock)?;
        }
        Ok(lifted)
    });
    let lifted = tool.runtime.block_on(write)?;
    if lifted == 0 {
        anyhow::bail!("nothing restrains {shown}; `latchway restraint list` shows who is restrained");
    }
    let json = json!({"subject": shown, "lifted": lifted});
    output::show(context, &json, || outln!("{shown} is restrained no more."))
}

/// Who is meant, and how they are called.
fn wanted(tool: &Tool, args: &LiftArgs) -> anyhow::Result<(Wanted, String)> {
    if let Some(name) = &args.user {
        let login = name.clone();
        let found = tool.runtime.block_on(tool.db.read("restraint.user", move |c| users::find_by_login(c, &login)))?;
        let user = found.ok_or_else(|| anyhow::anyhow!("there is no user {name}"))?;
        return Ok((Wanted::User(user.id), user.username));
    }
    Ok(match (&args.client, args.address, &args.subject) {
        (Some(client_id), ..) => (Wanted::Client(client_id.clone()), client_id.clone()),
        (_, Some(address), _) => (Wanted::Address(address.to_canonical()), address.to_canonical().to_string()),
        (_, _, subject) => {
            let subject = canonical(subject.as_deref().unwrap_or_default());
            (Wanted::Subject(subject.clone()), subject)
        }
    })
}
