//! `latchway scope`: the words for scopes on the consent page.

use clap::Subcommand;
use serde_json::json;

use super::context::{Context, usage};
use super::output;
use crate::audit::{Event, EventKind};
use crate::domain::Scopes;
use crate::storage::scopes::{self, ScopeText};
use crate::storage::{Refusal, StorageError};
use crate::support::text::is_one_line;

#[derive(Subcommand)]
pub enum Command {
    /// List the scopes that have words
    List,
    /// Say what a scope means
    Set {
        name: String,
        /// What it allows, in a few words: "See your orders"
        #[arg(long)]
        title: String,
        /// One sentence more
        #[arg(long, default_value = "")]
        description: String,
        /// Warn of it on the consent page, before all others
        #[arg(long)]
        sensitive: bool,
    },
    /// Forget the words of a scope
    Delete { name: String },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::List => {
            let scopes = tool.runtime.block_on(tool.db.read("scope.list", scopes::list))?;
            let json = scopes.iter().map(
                |s| json!({"name": s.name, "title": s.title, "description": s.description, "sensitive": s.sensitive}),
            );
            output::show(context, &json.collect(), || {
                let warns = |s: &ScopeText| if s.sensitive { "yes" } else { "" }.to_owned();
                let row = |s: &ScopeText| vec![s.name.clone(), s.title.clone(), s.description.clone(), warns(s)];
                output::table(
                    &["scope", "title", "description", "sensitive"],
                    &scopes.iter().map(row).collect::<Vec<_>>(),
                );
            })
        }
        Command::Set { name, title, description, sensitive } => {
            let parsed = Scopes::parse(name).map_err(|e| usage(e.to_string()))?;
            if parsed.iter().count() != 1 {
                return Err(usage("NAME must be one scope"));
            }
            for (flag, text, limit) in [("title", title, 100), ("description", description, 500)] {
                if !is_one_line(text) || text.chars().count() > limit {
                    return Err(usage(format!("--{flag} must be one line of {limit} characters at most")));
                }
            }
            let scope = ScopeText {
                name: name.clone(),
                title: title.clone(),
                description: description.clone(),
                sensitive: *sensitive,
            };
            let clock = tool.clock.clone();
            let write = tool.db.write("scope.set", move |tx| -> Result<_, Refusal<StorageError>> {
                scopes::put(tx, &scope)?;
                Ok(changed(&scope.name, "set").record(tx, &clock)?)
            });
            tool.runtime.block_on(write)?;
            output::show(context, &json!({"name": name}), || outln!("{name} is described."))
        }
        Command::Delete { name } => {
            let (wanted, clock) = (name.clone(), tool.clock.clone());
            let write = tool.db.write("scope.delete", move |tx| -> Result<_, Refusal<StorageError>> {
                let deleted = scopes::delete(tx, &wanted)?;
                if deleted {
                    changed(&wanted, "deleted").record(tx, &clock)?;
                }
                Ok(deleted)
            });
            if !tool.runtime.block_on(write)? {
                anyhow::bail!("there is no scope {name}");
            }
            output::show(context, &json!({"name": name}), || outln!("{name} has no words any more."))
        }
    }
}

fn changed(name: &str, what: &str) -> Event {
    Event::success(EventKind::ScopeChanged).detail(json!({"scope": name, "what": what}))
}
