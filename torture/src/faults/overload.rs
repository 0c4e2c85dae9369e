//! ten times as much comes as can be done, for as long as there is time.
//!
//! PostgreSQL answers slowly here, so that the server has little to do and this program can send ten times its rate. What
//! is measured is what the server does with too much, not how fast the machine is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::Run;
use super::scene::{Tokens, Visitor, must, note_tokens, percentile};
use crate::api::{Api, Said};
use crate::ledger::{State, Times};
use crate::world::{App, Plan, Weather, World};

const FAMILIES: usize = 160;
/// How long PostgreSQL's network takes for each piece.
const SLOW: Duration = Duration::from_millis(4);
const TIMES: f64 = 10.0;
/// Clients, one request after the other, that keep the database busy and wait for nothing else.
const RATED: usize = 8;

/// Families that wait for their next refresh.
type Idle = Arc<Mutex<Vec<Tokens>>>;

/// One refresh: what was said, and how long it took.
struct Shot {
    said: Word,
    time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Done,
    Refused,
    Other,
}

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let plan = Plan { name: "overload", nodes: 1, proxied: true, ..Plan::default() };
    let world = run.world(&plan).await?;
    let mut visitor = Visitor::new(&world, "overload").await?;
    let mut families = Vec::new();
    for _ in 0..FAMILIES {
        families.push(visitor.tokens().await?);
    }
    let token = families[0].access.clone();
    let idle: Idle = Arc::new(Mutex::new(families));
    let proxy = world.proxy.as_ref().context("a proxy")?;
    proxy.weather(Weather::Slow(SLOW));

    let seconds = Duration::from_secs(4);
    let rated = busy(&visitor, &idle, seconds).await;
    let rate = count(&rated, Word::Done) as f64 / seconds.as_secs_f64();
    let before = resident(&world)?;
    let length = run.budget.max(Duration::from_secs(6));
    let (shots, urgent) =
        tokio::join!(flood(&visitor, &idle, rate * TIMES, length), probe(&world, &visitor, &token, length));
    let after = resident(&world)?;
    let back = recovery(&visitor, &idle).await;
    proxy.weather(Weather::Fair);

    let done = count(&shots, Word::Done) as f64 / length.as_secs_f64();
    let times = |word| shots.iter().filter(|shot| shot.said == word).map(|shot| shot.time).collect::<Vec<_>>();
    let (served, refused) = (percentile(times(Word::Done), 99), percentile(times(Word::Refused), 99));
    let report = &mut *run.report;
    report.did(shots.len() as u64);
    report.say(&format!(
        "R-060 rated {rate:.0}/s, sent {:.0}/s for {length:.0?}: {done:.0}/s served (p99 {served:.0?}), {} refused (p99 {refused:.0?}), \
         {} other; introspection, metadata and keys meanwhile: {} of {} (p99 {:.0?}); {} KiB more memory; back after {back:.0?}",
        shots.len() as f64 / length.as_secs_f64(),
        count(&shots, Word::Refused),
        count(&shots, Word::Other),
        count(&urgent, Word::Done),
        urgent.len(),
        percentile(urgent.iter().map(|shot| shot.time).collect(), 99),
        after.saturating_sub(before),
    ));
    report.expect("R-060 at least 80 % of the rated work is done", must(done >= 0.8 * rate, || format!("{done:.0}/s")));
    report.expect(
        "R-060 nothing but answers and refusals",
        must(count(&shots, Word::Other) == 0, || "others".to_owned()),
    );
    report.expect(
        "R-060 what is urgent gets in",
        must(count(&urgent, Word::Done) == urgent.len(), || "not all".to_owned()),
    );
    report.expect(
        "R-060 memory stays within 64 MiB of before",
        must(after < before + 64 * 1024, || format!("{after} KiB")),
    );
    report.expect("R-060 normal again within 5 s", must(back < Duration::from_secs(5), || format!("{back:?}")));
    if run.site.is_timed() {
        report.expect(
            "R-060 p99 of what is served below 1 s",
            must(served < Duration::from_secs(1), || format!("{served:?}")),
        );
        let quick = Duration::from_millis(50);
        report.expect("R-060 p99 of refusals below 50 ms", must(refused < quick, || format!("{refused:?}")));
    }
    report.say(&world.ledger.summary());
    report.check(&world).await?;
    world.end().await;
    Ok(())
}

/// As much as can be done.
async fn busy(visitor: &Visitor, idle: &Idle, length: Duration) -> Vec<Shot> {
    let (mut tasks, begin) = (JoinSet::new(), Instant::now());
    for _ in 0..RATED {
        let (api, app, idle) = (visitor.api.clone(), visitor.app.clone(), idle.clone());
        tasks.spawn(async move {
            let mut shots = Vec::new();
            while begin.elapsed() < length {
                shots.extend(refresh(&api, &app, &idle).await);
            }
            shots
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// So many a second, whether they are answered or not. What found no idle family was not sent.
async fn flood(visitor: &Visitor, idle: &Idle, rate: f64, length: Duration) -> Vec<Shot> {
    let (mut tasks, begin, mut sent) = (JoinSet::new(), Instant::now(), 0.0);
    while begin.elapsed() < length {
        while sent < begin.elapsed().as_secs_f64() * rate {
            let (api, app, idle) = (visitor.api.clone(), visitor.app.clone(), idle.clone());
            tasks.spawn(async move { refresh(&api, &app, &idle).await });
            sent += 1.0;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn refresh(api: &Api, app: &App, idle: &Idle) -> Option<Shot> {
    let taken = lock(idle).pop();
    let tokens = taken?;
    let begin = Instant::now();
    let said = api.send("refresh", &api.refreshing(app, &tokens.refresh)).await;
    let time = begin.elapsed();
    let said = match said {
        Said::Yes(answer) => {
            api.ledger.event(answer.header("x-request-id"), "token_refreshed|refresh_retried", Times::Once);
            let (access, place, refresh) = note_tokens(api, app, tokens.family, &answer).ok()?;
            api.ledger.refresh_is(tokens.place, State::Dead);
            // At the other end, so that a family's retries lie apart.
            lock(idle).insert(0, Tokens { access, place, refresh, ..tokens });
            Word::Done
        }
        Said::Later(_) => {
            lock(idle).push(tokens);
            Word::Refused
        }
        _ => {
            api.ledger.end_family(tokens.family, State::Doubtful, "an odd answer under overload");
            Word::Other
        }
    };
    Some(Shot { said, time })
}

/// What must get in whatever comes.
async fn probe(world: &World, visitor: &Visitor, token: &str, length: Duration) -> Vec<Shot> {
    let (begin, mut shots) = (Instant::now(), Vec::new());
    let get = |path: &str| crate::http::request("GET", path, world.front(), "", None);
    while begin.elapsed() < length {
        let asked = [
            visitor.api.client_form("/oauth2/introspect", &visitor.app, &[("token", token)]),
            get("/.well-known/jwks.json"),
            get("/.well-known/openid-configuration"),
            get("/livez"),
        ];
        for bytes in asked {
            let begin = Instant::now();
            let said = visitor.api.send("probe", &bytes).await;
            let said = if matches!(said, Said::Yes(_)) { Word::Done } else { Word::Refused };
            shots.push(Shot { said, time: begin.elapsed() });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    shots
}

/// How long it takes until ten refreshes in a row are served.
async fn recovery(visitor: &Visitor, idle: &Idle) -> Duration {
    let (begin, mut row) = (Instant::now(), 0);
    while row < 10 && begin.elapsed() < Duration::from_secs(30) {
        let shot = refresh(&visitor.api, &visitor.app, idle).await;
        row = if shot.is_some_and(|shot| shot.said == Word::Done) { row + 1 } else { 0 };
    }
    begin.elapsed()
}

fn count(shots: &[Shot], word: Word) -> usize {
    shots.iter().filter(|shot| shot.said == word).count()
}

fn lock(idle: &Idle) -> std::sync::MutexGuard<'_, Vec<Tokens>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// KiB that the server has in memory.
fn resident(world: &World) -> Result<u64> {
    let pid = world.nodes[0].pid().context("a running node")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("a number of KiB")
}
