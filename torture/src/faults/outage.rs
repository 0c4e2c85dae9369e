//! PostgreSQL cannot be reached, lets nobody in, or takes no writes any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::Run;
use super::scene::{Visitor, must};
use crate::actor::{Actor, Crowd};
use crate::http::{Answer, NoAnswer, request};
use crate::report::Report;
use crate::world::{Database, Plan, Weather, World};

const POOL: u64 = 4;
/// No request may take longer.
const LONGEST: Duration = Duration::from_secs(6);
const BACK: Duration = Duration::from_secs(2);

/// What is asked during an outage, and what must be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// 503 with `Retry-After` and the right kind of body.
    Unavailable,
    /// As if nothing were.
    Fine,
    /// 503 within two seconds.
    NotReady,
}

#[derive(Clone)]
struct Probe {
    name: &'static str,
    want: Want,
    bytes: Vec<u8>,
}

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let plan = Plan { name: "outage", nodes: 1, proxied: true, ..Plan::default() };
    let kinds = [
        Trouble::Network(Weather::Cut),
        Trouble::Network(Weather::Stalled),
        Trouble::Network(Weather::Slow(Duration::from_secs(5))),
        // invalid_password, too_many_connections
        Trouble::Network(Weather::Refused("28P01")),
        Trouble::Network(Weather::Refused("53300")),
        Trouble::ReadOnly,
    ];
    // There is much waiting in it, so that each has a world of its own and all go on at the same time.
    let mut tasks = Vec::new();
    for trouble in kinds {
        let world = run.world(&plan).await?;
        let probes = probes(&world).await?;
        let crowd = Crowd::start(Actor::several(&world, 2).await?, 10);
        tasks.push((world.clone(), tokio::spawn(one(world, trouble, probes, crowd, run.budget))));
    }
    for (world, task) in tasks {
        let seen = task.await??;
        run.report.did(1);
        seen.tell(run.report);
        run.report.say(&world.ledger.summary());
        run.report.check(&world).await?;
        world.end().await;
    }
    Ok(())
}

/// What happens to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Network(Weather),
    /// As after a failover to a standby that was not promoted: it answers, and takes no writes.
    ReadOnly,
}

impl Trouble {
    async fn begins(self, world: &World) -> Result<()> {
        match self {
            Self::Network(weather) => world.proxy.as_ref().context("a proxy")?.weather(weather),
            Self::ReadOnly => read_only(world, "on").await?,
        }
        Ok(())
    }

    async fn ends(self, world: &World) -> Result<()> {
        match self {
            Self::Network(_) => world.proxy.as_ref().context("a proxy")?.weather(Weather::Fair),
            Self::ReadOnly => read_only(world, "off").await?,
        }
        Ok(())
    }
}

/// A failover ends all connections, too.
async fn read_only(world: &World, value: &str) -> Result<()> {
    let Database::Postgres { name, .. } = &world.database else { anyhow::bail!("PostgreSQL is meant") };
    let session = world.database.session().await?;
    // A session that began while it was on may change nothing until it says otherwise.
    session.batch_execute("SET default_transaction_read_only = off").await?;
    session
        .batch_execute(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {value}; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        ))
        .await?;
    Ok(())
}

/// What one outage showed.
struct Seen {
    trouble: Trouble,
    answers: BTreeMap<(&'static str, u16), u32>,
    wrong: Vec<String>,
    longest: Duration,
    back: Result<Duration>,
    opened: u64,
    runs: bool,
}

impl Seen {
    fn tell(&self, report: &mut Report) {
        let Self { trouble, longest, opened, .. } = self;
        let answers = self.answers.iter().map(|((name, status), count)| format!("{name} {status} x{count}"));
        let answers = answers.collect::<Vec<_>>().join(", ");
        report.say(&format!("R-020 {trouble:?}: {answers}, longest {longest:.1?}, {opened} connections afterwards"));
        report.expect(
            &format!("R-020 {trouble:?}: 503 where the database is needed, all else as ever, nothing above 6 s"),
            must(self.wrong.is_empty(), || format!("{} answers; {}", self.wrong.len(), distinct(&self.wrong))),
        );
        report.expect(
            &format!("R-020 {trouble:?}: all well within 2 s of its return"),
            must(self.back.as_ref().is_ok_and(|back| *back <= BACK), || format!("{:?}", self.back)),
        );
        report.expect(
            &format!("R-020 {trouble:?}: no herd of connections, no process ended"),
            must(*opened <= 2 * (POOL + 2) && self.runs, || format!("{opened} connections, runs: {}", self.runs)),
        );
    }
}

async fn one(world: Arc<World>, trouble: Trouble, probes: Vec<Probe>, crowd: Crowd, length: Duration) -> Result<Seen> {
    let proxy = world.proxy.as_ref().context("a proxy")?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    trouble.begins(&world).await?;
    // What is asked from one second on is judged; what was under way before may end either way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    let (mut seen, mut wrong, mut longest) = (BTreeMap::new(), Vec::new(), Duration::ZERO);
    loop {
        let mut tasks = JoinSet::new();
        for probe in probes.clone() {
            let world = world.clone();
            tasks.spawn(async move {
                let begin = Instant::now();
                let outcome = world.http.send(world.nodes[0].port, &probe.bytes, Duration::from_secs(20)).await;
                (probe, outcome, begin.elapsed())
            });
        }
        for (probe, outcome, time) in tasks.join_all().await {
            let status = outcome.as_ref().map_or(0, |answer| answer.status);
            *seen.entry((probe.name, status)).or_insert(0) += 1;
            longest = longest.max(time);
            if let Err(why) = judge(&probe, &outcome, time) {
                wrong.push(format!("{}: {why}", probe.name));
            }
        }
        if begin.elapsed() > length.max(Duration::from_secs(2)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let opened = proxy.opened();
    trouble.ends(&world).await?;
    let back = back(&world, &probes).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let opened = proxy.opened() - opened;
    tokio::time::sleep(Duration::from_millis(500)).await;
    crowd.finish().await?;
    let runs = world.nodes[0].ended().is_none();
    Ok(Seen { trouble, answers: seen, wrong, longest, back, opened, runs })
}

/// Each kind of complaint once.
fn distinct(wrong: &[String]) -> String {
    let kinds: std::collections::BTreeSet<&str> = wrong.iter().map(String::as_str).collect();
    kinds.into_iter().take(12).collect::<Vec<_>>().join("; ")
}

async fn probes(world: &Arc<World>) -> Result<Vec<Probe>> {
    let mut visitor = Visitor::new(world, "outage").await?;
    let tokens = visitor.tokens().await?;
    let grant = visitor.grant().await?;
    let (api, app) = (visitor.api.clone(), visitor.app.clone());
    let get = |path: &str, cookies: &str| {
        let headers = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        request("GET", path, world.front(), &headers, None)
    };
    let (authorize, _) = crate::browser::authorize_path(&app, &mut visitor.rng, "");
    let cookies = visitor.jar.header();
    let probe = |name, want, bytes| Probe { name, want, bytes };
    use Want::{Fine, NotReady, Unavailable};
    // What these might have done is not known.
    api.ledger.end_family(tokens.family, crate::ledger::State::Doubtful, "asked about during an outage");
    Ok(vec![
        probe(
            "client_credentials",
            Unavailable,
            api.client_form("/oauth2/token", &app, &[("grant_type", "client_credentials")]),
        ),
        probe("redeem", Unavailable, api.redeeming(&app, &grant.code, &grant.verifier)),
        probe("refresh", Unavailable, api.refreshing(&app, &tokens.refresh)),
        probe("introspect", Unavailable, api.client_form("/oauth2/introspect", &app, &[("token", &tokens.access)])),
        probe("introspect nonsense", Unavailable, api.client_form("/oauth2/introspect", &app, &[("token", "x")])),
        probe("revoke", Unavailable, api.client_form("/oauth2/revoke", &app, &[("token", &tokens.access)])),
        probe("authorize", Unavailable, get(&authorize, &cookies)),
        probe("authorize, a stranger", Unavailable, get(&authorize, "")),
        probe("account", Unavailable, get("/account", &cookies)),
        probe("discovery", Fine, get("/.well-known/openid-configuration", "")),
        probe("metadata", Fine, get("/.well-known/oauth-authorization-server", "")),
        probe("jwks", Fine, get("/.well-known/jwks.json", "")),
        probe("livez", Fine, get("/livez", "")),
        probe("readyz", NotReady, get("/readyz", "")),
    ])
}

fn judge(probe: &Probe, outcome: &Result<Answer, NoAnswer>, time: Duration) -> Result<(), String> {
    let answer = outcome.as_ref().map_err(|no| format!("{no:?}"))?;
    if time > LONGEST {
        return Err(format!("{} after more than 6 s", answer.status));
    }
    let slow = Duration::from_millis(2500);
    match probe.want {
        Want::Fine if answer.status != 200 => Err(format!("{}", answer.status)),
        Want::Fine if time > Duration::from_secs(1) => Err("200 after more than 1 s".to_owned()),
        Want::NotReady if answer.status != 503 => Err(format!("{}", answer.status)),
        Want::NotReady if time > slow => Err("503 after more than 2 s".to_owned()),
        Want::Unavailable => {
            let seconds = answer.header("retry-after").parse::<u64>().unwrap_or(0);
            if answer.status != 503 {
                Err(format!("{} {}", answer.status, answer.header("location").chars().take(40).collect::<String>()))
            } else if !(1..=10).contains(&seconds) {
                Err(format!("Retry-After {:?}", answer.header("retry-after")))
            } else if !is_right_body(probe.name, answer) {
                Err(format!("body {:?}", answer.text().chars().take(80).collect::<String>()))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// JSON with an OAuth error where machines ask, HTML where people do.
fn is_right_body(name: &str, answer: &Answer) -> bool {
    if name.starts_with("authorize") || name == "account" {
        return answer.header("content-type").starts_with("text/html");
    }
    let json = answer.json();
    json["error"] == "temporarily_unavailable" && json.get("access_token").is_none() && json.get("active").is_none()
}

/// How long it takes until tokens, introspection and readiness are back.
async fn back(world: &World, probes: &[Probe]) -> Result<Duration> {
    let begin = Instant::now();
    for probe in probes.iter().filter(|p| ["client_credentials", "introspect", "readyz"].contains(&p.name)) {
        loop {
            let answer = world.http.send(world.nodes[0].port, &probe.bytes, Duration::from_secs(10)).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                break;
            }
            anyhow::ensure!(begin.elapsed() < Duration::from_secs(30), "{} is not back after 30 s", probe.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(begin.elapsed())
}
