//! Mixed traffic: a person with an app, who does one thing after the other and knows what they were told.

mod endings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::api::{Api, Said};
use crate::browser::{self, Grant, Jar};
use crate::ledger::{State, Times, handle_id};
use crate::rng::Rng;
use crate::world::{App, Person, World};

/// For so long somebody asks again before they say that the server is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// The server's `tokens.refresh_retry_seconds`, less what a slow answer may take.
const RETRY_WINDOW: Duration = Duration::from_secs(25);
/// More families than this, and the oldest are left to the checker.
const HELD: usize = 24;

/// A family as its app holds it.
#[derive(Clone, Debug)]
struct Held {
    family: usize,
    grant: Grant,
    access: Vec<String>,
    /// Place in the ledger, and text.
    refresh: Option<(usize, String)>,
    spent: Option<String>,
}

/// One person with one app.
pub struct Actor {
    world: Arc<World>,
    api: Api,
    rng: Rng,
    app: App,
    person: Person,
    jar: Jar,
    held: Vec<Held>,
    /// All families of the session that goes on, held or not.
    families: Vec<usize>,
}

/// Actors at work.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    steps: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Result<Actor>>>,
}

impl Crowd {
    /// Sends actors to work, with a pause of up to so many milliseconds between two steps.
    pub fn start(actors: Vec<Actor>, pause: u64) -> Self {
        let (stop, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let work = |mut actor: Actor| {
            let (stop, steps) = (stop.clone(), steps.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    actor.step().await?;
                    steps.fetch_add(1, Ordering::Relaxed);
                    let pause = actor.rng.below(pause + 1);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Ok(actor)
            })
        };
        let tasks = actors.into_iter().map(work).collect();
        Self { stop, steps, tasks }
    }

    /// Waits until everybody has finished what they were at.
    pub async fn finish(self) -> Result<Vec<Actor>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut actors = Vec::new();
        for task in self.tasks {
            actors.push(task.await??);
        }
        Ok(actors)
    }

    /// How many steps were done.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

impl Actor {
    /// So many people, each with an app of their own.
    pub async fn several(world: &Arc<World>, count: usize) -> Result<Vec<Self>> {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..count {
            let world = world.clone();
            tasks.spawn(async move { anyhow::Ok((n, world.app().await?, world.person().await?)) });
        }
        let mut made = tasks.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        made.sort_by_key(|(n, ..)| *n);
        let mut actors = Vec::new();
        for (n, app, person) in made {
            let rng = Rng::new(world.rng.clone().below(u64::MAX), &format!("actor {n}"));
            let (world, api) = (world.clone(), world.api());
            actors.push(Self {
                world,
                api,
                rng,
                app,
                person,
                jar: Jar::default(),
                held: Vec::new(),
                families: Vec::new(),
            });
        }
        Ok(actors)
    }

    /// One thing, to its end.
    async fn step(&mut self) -> Result<()> {
        if self.held.len() > HELD {
            self.held.remove(0);
        }
        let choice = self.rng.below(1000);
        match choice {
            _ if self.held.is_empty() => self.flow().await,
            0..300 => self.flow().await,
            300..560 => self.refresh().await,
            560..680 => self.client_credentials().await,
            680..820 => self.introspect().await,
            820..880 => self.revoke().await,
            880..930 => self.replay_code().await,
            930..970 => self.reuse_refresh().await,
            970..990 => self.log_out().await,
            990..995 => return self.disable_user().await,
            _ => return self.disable_app().await,
        }
        Ok(())
    }

    fn pick(&mut self) -> usize {
        self.rng.place(self.held.len())
    }

    /// Waits before the same is asked again; `false`: long enough.
    async fn again(&self, since: Instant, what: &str) -> bool {
        if since.elapsed() > PATIENCE {
            self.api.ledger.complain(format!("{what}: no definite answer for {PATIENCE:?}"));
            return false;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        true
    }

    fn surprised(&self, what: &str, rule: &str, said: &Said) {
        let text: String = format!("{said:?}").chars().take(400).collect();
        self.api.ledger.complain(format!("{rule}: {what}: {text}"));
    }

    async fn flow(&mut self) {
        let since = Instant::now();
        let grant = loop {
            let mut rng = self.rng.clone();
            let outcome = browser::authorize(&self.api, &mut self.jar, &self.app, &self.person, &mut rng).await;
            self.rng = rng;
            match outcome {
                Ok(grant) => break grant,
                Err(Said::Later(_) | Said::Nothing(_)) => {
                    if !self.again(since, "authorize").await {
                        return;
                    }
                }
                // A form that was answered, and whose answer was lost, is answered no second time: begin anew.
                Err(Said::No(400 | 403, _)) if since.elapsed() < PATIENCE => {}
                Err(said) => return self.surprised("authorize", "I3 a person with the right password", &said),
            }
        };
        // Some codes are never used.
        if !self.rng.chance(3) {
            self.redeem(grant).await;
        }
    }

    async fn redeem(&mut self, grant: Grant) {
        let (since, mut unknown) = (Instant::now(), false);
        let id = handle_id(&grant.code).unwrap_or_default();
        loop {
            let said = self.api.redeem(&self.app, &grant.code, &grant.verifier).await;
            match &said {
                Said::Yes(answer) => {
                    let family = self.api.ledger.family();
                    self.families.push(family);
                    let (access, refresh) = self.tokens(answer, Some(family), "token_issued");
                    let mut book = self.api.ledger.book();
                    let code = book.codes.entry(id).or_default();
                    code.successes += 1;
                    code.family = Some(family);
                    drop(book);
                    self.held.push(Held { family, grant, access: vec![access], refresh, spent: None });
                    return;
                }
                // It was committed the first time, so this was a replay: the person must begin anew, by A-120.
                Said::No(400, error) if unknown && error == "invalid_grant" => {
                    self.api.ledger.book().codes.entry(id).or_default().replayed = true;
                    return;
                }
                Said::Later(_) | Said::Nothing(_) => {
                    unknown |= !matches!(said, Said::Nothing(crate::http::NoAnswer::Refused));
                    if !self.again(since, "redeem").await {
                        return;
                    }
                }
                Said::No(..) => return self.surprised("redeem", "I3 a code was acknowledged and is refused", &said),
            }
        }
    }

    /// Writes down what a token answer brought.
    fn tokens(
        &self,
        answer: &crate::http::Answer,
        family: Option<usize>,
        kind: &'static str,
    ) -> (String, Option<(usize, String)>) {
        let json = answer.json();
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let access = text("access_token").unwrap_or_default();
        let refresh = text("refresh_token");
        let place = self.api.ledger.tokens(&self.app, family, &access, refresh.as_deref());
        if let Some(id_token) = text("id_token") {
            self.api.ledger.secret(&id_token);
        }
        self.api.ledger.event(answer.header("x-request-id"), kind, Times::Once);
        (access, place.zip(refresh))
    }

    async fn refresh(&mut self) {
        let n = self.pick();
        let Held { family, refresh: Some((place, text)), .. } = self.held[n].clone() else { return };
        let (since, mut unknown) = (Instant::now(), false);
        loop {
            let said = self.api.refresh(&self.app, &text).await;
            match &said {
                Said::Yes(answer) => {
                    self.api.ledger.refresh_is(place, State::Dead);
                    let kind = if unknown { "token_refreshed|refresh_retried" } else { "token_refreshed" };
                    let (access, refresh) = self.tokens(answer, Some(family), kind);
                    let held = &mut self.held[n];
                    held.access.push(access);
                    held.refresh = refresh;
                    held.spent = Some(text);
                    return;
                }
                Said::No(400, _) if unknown && since.elapsed() > RETRY_WINDOW => {
                    self.api.ledger.end_family(family, State::Dead, "refreshed again too late");
                    self.held.remove(n);
                    return;
                }
                Said::Later(_) | Said::Nothing(_) => {
                    if !matches!(said, Said::Nothing(crate::http::NoAnswer::Refused)) {
                        unknown = true;
                        self.api.ledger.refresh_is(place, State::Doubtful);
                    }
                    if !self.again(since, "refresh").await {
                        return;
                    }
                }
                Said::No(..) => {
                    self.api.ledger.end_family(family, State::Doubtful, "refused");
                    self.held.remove(n);
                    return self.surprised("refresh", "I3, B-060: a live refresh token is refused", &said);
                }
            }
        }
    }

    async fn client_credentials(&mut self) {
        let since = Instant::now();
        loop {
            match self.api.client_credentials(&self.app).await {
                Said::Yes(answer) => {
                    self.tokens(&answer, None, "token_issued");
                    return;
                }
                Said::Later(_) | Said::Nothing(_) => {
                    if !self.again(since, "client_credentials").await {
                        return;
                    }
                }
                said @ Said::No(..) => return self.surprised("client_credentials", "I3", &said),
            }
        }
    }

    /// Looks at any token of its own.
    async fn introspect(&mut self) {
        let n = self.pick();
        let held = &self.held[n];
        let text = held.access[held.access.len() - 1].clone();
        let asked = self.api.is_active(&self.app, &text).await;
        let state = {
            let book = self.api.ledger.book();
            book.access.iter().rfind(|token| token.text == text).map(|token| book.access_state(token))
        };
        match (asked, state) {
            (Ok(true), Some(State::Dead)) => self.api.ledger.complain("I4: a dead token is active".to_owned()),
            (Ok(false), Some(State::Live)) => self.api.ledger.complain("I3: a live token is not active".to_owned()),
            (Err(said @ Said::No(..)), _) => self.surprised("introspect", "I3", &said),
            _ => {}
        }
    }
}
