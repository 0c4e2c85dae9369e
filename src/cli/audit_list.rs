//! `latchway audit list`, and how events are printed.

use chrono::DateTime;

use super::context::{Context, usage};
use super::tool::Tool;
use super::{output, user};
use crate::audit::{EventKind, event_json, hash_subject, time};
use crate::storage::audit_events::{self, Filter, StoredEvent};
use crate::support::{Id, duration};

#[derive(clap::Args)]
pub struct Args {
    /// From then on: a duration before now, such as 90s, 15m, 1h or 30d, or a time, such as 2026-11-22T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Up to then
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// About this person: user name, e-mail address or id
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// About this client
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Of this kind; docs/reference/audit-events.md has them all. May be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    pub kinds: Vec<EventKind>,
    /// success or failure
    #[arg(long, value_parser = ["success", "failure"])]
    pub outcome: Option<String>,
    /// With this reason
    #[arg(long)]
    pub reason: Option<String>,
    /// From this address
    #[arg(long, value_name = "IP")]
    pub address: Option<std::net::IpAddr>,
    /// Of the request with this id, which answers carry in X-Request-Id
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// Done at the command line by this person
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Only the last so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

pub fn kind(text: &str) -> Result<EventKind, String> {
    text.parse().map_err(|_| "there is no such kind of event; docs/reference/audit-events.md has them all".to_owned())
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    let now = tool.clock.now_millis();
    let when = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(flag, text, now).map(Id::first_at)).transpose()
    };
    let subject_hash = match &args.user {
        Some(name) => Some(hash_subject(user::find(&tool, name)?.id)),
        None => None,
    };
    let filter = Filter {
        from: when("since", &args.since)?,
        before: when("until", &args.until)?,
        kinds: args.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        outcome: args.outcome.clone(),
        reason: args.reason.clone(),
        client_id: args.client.clone(),
        subject_hash,
        operator: args.operator.clone(),
        address: args.address.map(|address| address.to_canonical().to_string()),
        request_id: args.request.clone(),
    };
    let events = tool.runtime.block_on(last(&tool, filter, args.limit as usize))?;
    output::show(context, &events.iter().map(event_json).collect(), || print(&events))
}

/// The last events that are wanted, the oldest of them first; a bounded step at a time, however far back they are.
pub async fn last(tool: &Tool, mut filter: Filter, limit: usize) -> anyhow::Result<Vec<StoredEvent>> {
    let mut found = Vec::new();
    loop {
        let (wanted, left) = (filter.clone(), i64::try_from(limit - found.len())?);
        let step = tool.db.read("audit.list", move |conn| audit_events::step_back(conn, &wanted, left)).await?;
        found.extend(step.events);
        match step.next {
            Some(next) if found.len() < limit => filter.before = Some(next),
            _ => break,
        }
    }
    found.reverse();
    Ok(found)
}

/// A table for people.
fn print(events: &[StoredEvent]) {
    output::table(HEADING, &events.iter().map(row).collect::<Vec<_>>());
}

const HEADING: &[&str] = &["time", "type", "outcome", "reason", "client", "who", "address", "request"];

fn row(event: &StoredEvent) -> Vec<String> {
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let who = match (&event.operator, &event.subject_hash) {
        (Some(operator), Some(subject)) => format!("{operator}, for {subject}"),
        (Some(operator), None) => operator.clone(),
        (None, subject) => shown(subject),
    };
    vec![
        time(event.at_millis),
        event.kind.clone(),
        event.outcome.clone(),
        shown(&event.reason),
        shown(&event.client_id),
        who,
        shown(&event.address),
        shown(&event.request_id),
    ]
}

/// One event on a line of its own.
pub fn line(event: &StoredEvent) -> String {
    let mut cells = row(event);
    cells.retain(|cell| cell != "-");
    cells.join("  ")
}

/// A moment in Unix milliseconds: RFC 3339, or how long before now.
pub fn moment(flag: &str, text: &str, now_millis: i64) -> anyhow::Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    duration::parse(text).map(|span| (now_millis - span * 1000).max(0)).map_err(|_| {
        usage(format!(
            "--{flag} must be a duration before now, such as 15m, 1h or 30d, or a time, such as 2026-11-22T12:00:00Z"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_durations_or_times() {
        let at = |text: &str| moment("since", text, 1_000_000_000).ok();
        assert_eq!([at("90s"), at("1h"), at("2d")], [Some(999_910_000), Some(996_400_000), Some(827_200_000)]);
        assert_eq!(at("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(at("1970-01-01T01:00:01+01:00"), Some(1000));
        for wrong in ["", "h", "-1h", "1y", "yesterday", "1ü", "2026-11-22"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
