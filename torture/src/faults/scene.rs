//! What faults have in common: somebody with an app and a session, many requests at once, figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::task::JoinSet;

use crate::api::{Api, Said};
use crate::browser::{self, Grant, Jar};
use crate::ledger::{State, Times, handle_id};
use crate::rng::Rng;
use crate::world::{App, Person, World};

/// Somebody with an app, who is logged in as soon as a code was asked for.
pub struct Visitor {
    pub api: Api,
    pub app: App,
    pub person: Person,
    pub jar: Jar,
    pub rng: Rng,
}

/// What a code became.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub family: usize,
    pub grant: Grant,
    pub access: String,
    /// Place in the ledger.
    pub place: usize,
    pub refresh: String,
}

impl Visitor {
    pub async fn new(world: &Arc<World>, name: &str) -> Result<Self> {
        let (app, person) = (world.app().await?, world.person().await?);
        let rng = Rng::new(world.rng.clone().below(u64::MAX), name);
        Ok(Self { api: world.api(), app, person, jar: Jar::default(), rng })
    }

    /// A code.
    pub async fn grant(&mut self) -> Result<Grant> {
        let outcome = browser::authorize(&self.api, &mut self.jar, &self.app, &self.person, &mut self.rng).await;
        outcome.map_err(|said| anyhow!("no code: {said:?}"))
    }

    /// A code, redeemed.
    pub async fn tokens(&mut self) -> Result<Tokens> {
        let grant = self.grant().await?;
        match self.api.redeem(&self.app, &grant.code, &grant.verifier).await {
            Said::Yes(answer) => note_redeemed(&self.api, &self.app, &grant, &answer),
            said => Err(anyhow!("no tokens: {said:?}")),
        }
    }
}

/// Writes down the one answer that redeemed a code.
pub fn note_redeemed(api: &Api, app: &App, grant: &Grant, answer: &crate::http::Answer) -> Result<Tokens> {
    let family = api.ledger.family();
    {
        let mut book = api.ledger.book();
        let code = book.codes.entry(handle_id(&grant.code).unwrap_or_default()).or_default();
        code.successes += 1;
        code.family = Some(family);
    }
    api.ledger.event(answer.header("x-request-id"), "token_issued", Times::Once);
    let (access, place, refresh) = note_tokens(api, app, family, answer)?;
    Ok(Tokens { family, grant: grant.clone(), access, place, refresh })
}

/// Writes down the tokens of an answer of a family: access token, the refresh token's place and text.
pub fn note_tokens(
    api: &Api,
    app: &App,
    family: usize,
    answer: &crate::http::Answer,
) -> Result<(String, usize, String)> {
    let json = answer.json();
    let text = |name: &str| json[name].as_str().map(str::to_owned).ok_or_else(|| anyhow!("no {name} in {json}"));
    let (access, refresh) = (text("access_token")?, text("refresh_token")?);
    let place = api.ledger.tokens(app, Some(family), &access, Some(&refresh));
    place.map(|place| (access, place, refresh)).ok_or_else(|| anyhow!("no refresh token"))
}

/// A code was replayed with all that makes it right: its family must be dead.
pub fn note_replayed(api: &Api, tokens: &Tokens) {
    api.ledger.book().codes.entry(handle_id(&tokens.grant.code).unwrap_or_default()).or_default().replayed = true;
    api.ledger.end_family(tokens.family, State::Dead, "its code was replayed");
}

/// A request for [`at_once`]: where it goes, what it is called, its bytes, and how long it waits first.
pub struct Shot {
    pub api: Api,
    pub what: &'static str,
    pub bytes: Vec<u8>,
    pub after: Duration,
}

/// Sends all at the same moment. The answers are in the order of the requests, each with how long it took.
pub async fn at_once(shots: Vec<Shot>) -> Vec<(Said, Duration)> {
    let mut places = BTreeMap::<u16, (&Api, usize)>::new();
    shots.iter().for_each(|shot| places.entry(shot.api.port).or_insert((&shot.api, 0)).1 += 1);
    for (api, count) in places.into_values() {
        // What cannot be opened now is opened then.
        let _ = api.open(count).await;
    }
    let mut tasks = JoinSet::new();
    let start = Arc::new(tokio::sync::Barrier::new(shots.len()));
    for (n, shot) in shots.into_iter().enumerate() {
        let start = start.clone();
        tasks.spawn(async move {
            start.wait().await;
            if !shot.after.is_zero() {
                tokio::time::sleep(shot.after).await;
            }
            let begin = Instant::now();
            let said = shot.api.send(shot.what, &shot.bytes).await;
            (n, said, begin.elapsed())
        });
    }
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|(n, ..)| *n);
    outcomes.into_iter().map(|(_, said, time)| (said, time)).collect()
}

/// A word for a kind of answer, for counting.
pub fn word(said: &Said) -> String {
    match said {
        Said::Yes(answer) => answer.status.to_string(),
        Said::No(status, error) => format!("{status} {error}").chars().take(60).collect(),
        Said::Later(status) => status.to_string(),
        Said::Nothing(no) => format!("{no:?}"),
    }
}

/// `3x 200, 997x 400 invalid_grant`
pub fn tally<'a>(said: impl Iterator<Item = &'a Said>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    said.for_each(|said| *counts.entry(word(said)).or_default() += 1);
    counts.iter().map(|(word, count)| format!("{count}x {word}")).collect::<Vec<_>>().join(", ")
}

/// The time that so many in a hundred stayed below.
pub fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// `Ok` if it is so, else why not.
pub fn must(so: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(why()) }
}
