use std::io::Write;
use std::time::Duration;

use super::audit_list::{self, kind, line};
use super::context::{Context, Tool};
use crate::audit::{EventKind, Follower, event_json};
use crate::storage::audit_events::{Filter, StoredEvent};

const EXAMPLES: &str = "\
Examples:
  latchway events                                       the last events
  latchway events --follow                              and new ones as they come, until Ctrl-C
  latchway events --follow --type login_failed --type login_throttled
  latchway events --follow --json | jq -c 'select(.outcome == \"failure\")'

It looks at the database, and so shows what happens on every node. `latchway audit list` finds what was before.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Go on with new events as they are committed
    #[arg(long, short)]
    pub follow: bool,
    /// Only of this kind; docs/audit.md has them all. May be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    pub kinds: Vec<EventKind>,
    /// Begin with the last so many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub limit: u32,
}

const PAUSE: Duration = Duration::from_millis(250);

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    tool.runtime.block_on(show(context, &tool, args))
}

async fn show(context: &Context, tool: &Tool, args: &Args) -> anyhow::Result<()> {
    let filter =
        Filter { kinds: args.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(), ..Filter::default() };
    if !args.follow {
        let events = audit_list::last(tool, filter, args.limit as usize).await?;
        return write(context, &events);
    }
    let timeout = i64::try_from(tool.config.database.timeout_seconds)? * 1000;
    let mut follower = Follower::new(&tool.db, timeout, tool.clock.now_millis());
    // What is there is remembered first, so that nothing falls between the last events and the next ones.
    follower.poll(&tool.db, tool.clock.now_millis()).await?;
    let events = audit_list::last(tool, filter.clone(), args.limit as usize).await?;
    write(context, &events)?;
    // Of these some may have come since.
    let mut shown: Vec<Vec<u8>> = events.into_iter().map(|event| event.id).collect();
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let news = follower.poll(&tool.db, tool.clock.now_millis()).await?;
        let is_wanted = |event: &StoredEvent| {
            (filter.kinds.is_empty() || filter.kinds.contains(&event.kind)) && !shown.contains(&event.id)
        };
        let news: Vec<StoredEvent> = news.into_iter().filter(is_wanted).collect();
        write(context, &news)?;
        shown.clear();
        tokio::select! {
            ended = &mut stop => return Ok(ended?),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn write(context: &Context, events: &[StoredEvent]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for event in events {
        if context.json {
            writeln!(out, "{}", event_json(event))?;
        } else {
            writeln!(out, "{}", line(event))?;
        }
    }
    Ok(out.flush()?)
}
