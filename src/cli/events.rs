//! `latchway events`: the last audit events, and new ones as they are recorded.

use std::io::Write;
use std::time::Duration;

use super::audit_list::{self, kind, line};
use super::context::Context;
use super::output;
use super::tool::Tool;
use crate::audit::{EventKind, Follower, event_json};
use crate::storage::StorageError;
use crate::storage::audit_events::{Filter, StoredEvent};
use crate::support::Id;

const EXAMPLES: &str = "\
Examples:
  latchway events                                       the last events
  latchway events --follow                              and new ones as they come, until Ctrl-C
  latchway events --follow --type login_failed --type login_throttled
  latchway events --follow --json | jq -c 'select(.outcome == \"failure\")'
  latchway events --follow --json --after 0197c2f4-…    go on after the last event that was kept

It looks at the database, and so shows what happens on every node. `latchway audit list` finds what was before.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Go on with new events as they are committed
    #[arg(long, short)]
    pub follow: bool,
    /// Only of this kind; docs/reference/audit-events.md has them all. May be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    pub kinds: Vec<EventKind>,
    /// Begin with the last so many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub limit: u32,
    /// Begin with all that came after the event with this id. Events that were recorded at about the same time may come once
    /// more: drop those whose id is known
    #[arg(long, value_name = "ID", requires = "follow", conflicts_with = "limit")]
    pub after: Option<Id>,
}

const PAUSE: Duration = Duration::from_millis(250);
/// Between two tries to reach a database that is gone.
const RETRY: Duration = Duration::from_secs(1);

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
    let mut followed = match args.after {
        Some(last) => Followed::new(Follower::after(&tool.db, timeout, last), filter),
        None => {
            let mut follower = Follower::new(&tool.db, timeout, tool.clock.now_millis());
            // What is there is remembered first, so that nothing falls between the last events and the next ones.
            while follower.poll(&tool.db, tool.clock.now_millis()).await?.more {}
            let events = audit_list::last(tool, filter.clone(), args.limit as usize).await?;
            write(context, &events)?;
            // Of these some may have come since.
            Followed { shown: events.into_iter().map(|event| event.id).collect(), ..Followed::new(follower, filter) }
        }
    };
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let pause = followed.step(context, tool).await?;
        tokio::select! {
            ended = &mut stop => return Ok(ended?),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Followed {
    follower: Follower,
    filter: Filter,
    /// What was shown before the follower began.
    shown: Vec<Vec<u8>>,
    is_gone: bool,
}

impl Followed {
    fn new(follower: Follower, filter: Filter) -> Self {
        Self { follower, filter, shown: Vec::new(), is_gone: false }
    }

    /// Shows what is new, and tells for how long to wait. A database that cannot be reached is waited for.
    async fn step(&mut self, context: &Context, tool: &Tool) -> anyhow::Result<Duration> {
        let news = match self.follower.poll(&tool.db, tool.clock.now_millis()).await {
            Ok(news) => news,
            Err(
                error @ (StorageError::Unavailable(_)
                | StorageError::Timeout
                | StorageError::Locked
                | StorageError::Busy),
            ) => {
                if !std::mem::replace(&mut self.is_gone, true) {
                    output::note(&format!("{error}; going on when it is back"));
                }
                return Ok(RETRY);
            }
            Err(error) => return Err(error.into()),
        };
        if std::mem::take(&mut self.is_gone) {
            output::note("the database is back");
        }
        let is_wanted = |event: &StoredEvent| {
            (self.filter.kinds.is_empty() || self.filter.kinds.contains(&event.kind)) && !self.shown.contains(&event.id)
        };
        let events: Vec<StoredEvent> = news.events.into_iter().filter(is_wanted).collect();
        write(context, &events)?;
        if news.more {
            return Ok(Duration::ZERO);
        }
        self.shown.clear();
        Ok(PAUSE)
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
