//! `latchway api`: titles of APIs for the consent page.

use clap::Subcommand;
use serde_json::json;

use super::context::{Context, usage};
use super::output;
use crate::audit::{Event, EventKind};
use crate::domain::validate_resource;
use crate::storage::apis::{self, ApiTitle};
use crate::storage::{Refusal, StorageError};

const EXAMPLES: &str = "\
Examples:
  latchway api set https://orders.example --title \"Orders\"
  latchway api list";

/// More does not fit on a consent page.
const MAX_TITLE: usize = 60;

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List the APIs that have a title
    List,
    /// Say what an API is called; people see it beside the URI when an app asks for access
    Set {
        /// As `client create --audience` and `--resource` name it
        uri: String,
        /// A name of 1 to 60 characters: "Orders"
        #[arg(long)]
        title: String,
    },
    /// Remove the title of an API; its tokens and clients stay as they are
    Delete { uri: String },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::List => {
            let titles = tool.runtime.block_on(tool.db.read("api.list", apis::list))?;
            let json = titles.iter().map(|api| json!({"uri": api.uri, "title": api.title}));
            output::show(context, &json.collect(), || {
                let rows: Vec<_> = titles.iter().map(|api| vec![api.uri.clone(), api.title.clone()]).collect();
                output::table(&["API", "title"], &rows);
            })
        }
        Command::Set { uri, title } => {
            validate_resource(uri).map_err(|e| usage(e.to_string()))?;
            let title = title.trim();
            if title.is_empty() || title.chars().count() > MAX_TITLE || title.chars().any(char::is_control) {
                return Err(usage(format!("--title must have 1 to {MAX_TITLE} characters, and no control characters")));
            }
            let (api, clock) = (ApiTitle { uri: uri.clone(), title: title.to_owned() }, tool.clock.clone());
            let write = tool.db.write("api.set", move |tx| -> Result<_, Refusal<StorageError>> {
                apis::put(tx, &api)?;
                Ok(changed(&api.uri, "set").record(tx, &clock)?)
            });
            tool.runtime.block_on(write)?;
            output::show(context, &json!({"uri": uri, "title": title}), || outln!("{uri} is called {title}."))
        }
        Command::Delete { uri } => {
            let (wanted, clock) = (uri.clone(), tool.clock.clone());
            let write = tool.db.write("api.delete", move |tx| -> Result<_, Refusal<StorageError>> {
                let deleted = apis::delete(tx, &wanted)?;
                if deleted {
                    changed(&wanted, "deleted").record(tx, &clock)?;
                }
                Ok(deleted)
            });
            if !tool.runtime.block_on(write)? {
                anyhow::bail!("the API {uri} has no title");
            }
            output::show(context, &json!({"uri": uri}), || outln!("{uri} has no title any more."))
        }
    }
}

fn changed(uri: &str, what: &str) -> Event {
    Event::success(EventKind::ApiTitleChanged).detail(json!({"api": uri, "what": what}))
}
