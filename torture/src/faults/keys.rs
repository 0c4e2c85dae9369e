//! R-041: signing keys are rotated again and again under load, while APIs verify by the keys that they remember. Then one
//! is retired as compromised.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Run;
use super::scene::{must, percentile};
use crate::api::{Api, Said};
use crate::rng::Rng;
use crate::world::{App, Kind, Plan, World};

const VERIFIERS: usize = 8;
/// `keys.reload_seconds` of the nodes.
const RELOAD: u64 = 1;
/// Rotations in the time for which a verifier remembers.
const ROTATIONS: u64 = 5;
/// One in so many tokens is asked about at another node, too.
const ASKED: u64 = 20;
const WORKERS: usize = 8;

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    // An hour: five minutes, and a rotation each minute, as the catalogue has it.
    let cache = (run.budget.as_secs() / 12).clamp(3, 300);
    let every = Duration::from_secs_f64(cache as f64 / ROTATIONS as f64).max(Duration::from_secs(1));
    // What a busy machine may be late by, beyond what is asked for.
    let late = if run.site.is_timed() { 1 } else { 4 };
    let prepublish = cache + RELOAD + late;
    let length = run.budget.max(Duration::from_secs(prepublish + cache * 2));
    // A debug build, or one of the many of a short run, has no such rate to promise.
    let rate = if run.site.is_timed() { 500.0 } else { 60.0 };
    let config = vec![
        // The audit trail is compared with the rows.
        ("cleanup.interval_seconds", "86400".to_owned()),
        // A node publishes a new key when it has read it; whoever asked just before may remember for so long.
        ("keys.prepublish_seconds", prepublish.to_string()),
        ("keys.reload_seconds", RELOAD.to_string()),
        ("tokens.access_token_seconds", (cache * 2 + late).to_string()),
        ("tokens.id_token_seconds", cache.to_string()),
        ("tokens.clock_skew_seconds", "0".to_owned()),
    ];
    let nodes = if run.kind == Kind::Postgres { 4 } else { 1 };
    let world = run.world(&Plan { name: "keys", nodes, balanced: nodes > 1, config, ..Plan::default() }).await?;
    let app = world.app().await?;
    let places: Vec<Api> = world.nodes.iter().map(|node| world.api_at(node.port)).collect();
    let mut rng = Rng::new(run.site.seed, "keys");
    let mut verifiers = Vec::new();
    for n in 0..VERIFIERS {
        let cache = Duration::from_secs(cache);
        // They do not all ask at the same moment.
        let asked_at = Instant::now().checked_sub(cache * n as u32 / VERIFIERS as u32).context("a moment ago")?;
        let keys = keys_of(&places[n % nodes]).await?;
        verifiers.push(Verifier { api: places[n % nodes].clone(), cache, keys, asked_at });
    }
    let verifiers = Arc::new(tokio::sync::Mutex::new(verifiers));
    let tally = Arc::new(Mutex::new(Tally::default()));

    let end = Instant::now() + length;
    let traffic = Traffic { app: app.clone(), places: places.clone(), verifiers, tally: tally.clone() };
    let worker = |n: usize| {
        let (traffic, rng) = (traffic.clone(), Rng::new(rng.below(u64::MAX), &n.to_string()));
        traffic.go_on(rng, rate / WORKERS as f64, Duration::from_secs(cache) * 8 / 5, end)
    };
    let mut work: JoinSet<Result<()>> = (0..WORKERS).map(worker).collect();
    let rotations = rotate(&world, every, end).await?;
    while let Some(done) = work.join_next().await {
        done??;
    }

    let told = std::mem::take(&mut *lock(&tally));
    // A rate is promised of the release build; a debug build on a slow disk may have too much for a moment.
    let refusable = if run.site.is_timed() { 0 } else { told.tokens / 20 };
    run.report.did(rotations);
    run.report.say(&format!(
        "R-041 {rotations} rotations, one in {every:.1?}, {VERIFIERS} verifiers that remember for {cache} s: {} tokens in {length:.0?} ({:.0}/s, \
         p99 {:.0?}) by {} keys, {} verifications, {} failed, {} requests refused; {} introspections at another node, {} said dead",
        told.tokens,
        told.tokens as f64 / length.as_secs_f64(),
        percentile(told.times, 99),
        told.by.len(),
        told.verified,
        told.failures.len(),
        told.refused,
        told.asked,
        told.dead,
    ));
    run.report.expect(
        "R-041 no verification fails",
        must(told.failures.is_empty() && told.dead == 0, || {
            told.failures.iter().take(3).cloned().collect::<Vec<_>>().join("; ")
        }),
    );
    run.report.expect(
        "R-041 requests are served, and several keys signed",
        must(told.refused <= refusable && told.by.len() > 2, || {
            format!("{} refused, {} keys", told.refused, told.by.len())
        }),
    );
    emergency(run, &world, &app, &places).await?;
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}

/// A new key, again and again.
async fn rotate(world: &World, every: Duration, end: Instant) -> Result<u64> {
    let mut count = 0;
    let mut next = Instant::now();
    while next < end {
        world.cli(&["keys", "rotate"], "").await?;
        count += 1;
        next += every;
        tokio::time::sleep(next.saturating_duration_since(Instant::now())).await;
    }
    Ok(count)
}

/// The key that signs has leaked: it is refused everywhere at once, and another one signs.
async fn emergency(run: &mut Run<'_>, world: &World, app: &App, places: &[Api]) -> Result<()> {
    let (kid, mut stolen) = (kid_of(&token(&places[0], app).await?)?, Vec::new());
    for place in places {
        for _ in 0..5 {
            let token = token(place, app).await?;
            if kid_of(&token)? == kid {
                stolen.push(token);
            }
        }
    }
    ensure!(!stolen.is_empty(), "nothing was signed by {kid}");
    world.cli(&["keys", "retire", "--compromised", "--yes", &kid], "").await?;
    let (begin, limit) = (Instant::now(), Duration::from_secs(10));
    let mut refused_after = Duration::ZERO;
    for place in places {
        for token in &stolen {
            while place.is_active(app, token).await.map_err(|said| anyhow!("{said:?}"))? && begin.elapsed() <= limit * 2
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        refused_after = begin.elapsed();
    }
    let mut problems = Vec::new();
    for place in places {
        let keys = keys_of(place).await?;
        let token = token(place, app).await?;
        if keys.contains_key(&kid) {
            problems.push(format!("{} still publishes it", place.port));
        }
        if let Err(problem) = verify(&keys, &token) {
            problems.push(format!("{} signs by a key that it does not publish: {problem}", place.port));
        }
    }
    run.report.did(1);
    run.report.say(&format!(
        "R-041 retired as compromised: {} tokens refused by {} nodes {refused_after:.1?} after the command",
        stolen.len(),
        places.len()
    ));
    run.report.expect(
        "R-041 refused within 10 s on every node",
        must(refused_after <= limit, || format!("{refused_after:?}")),
    );
    run.report.expect("R-041 another key signs, and is known", must(problems.is_empty(), || problems.join("; ")));
    Ok(())
}

/// What happened.
#[derive(Default)]
struct Tally {
    tokens: u64,
    times: Vec<Duration>,
    /// Tokens by key.
    by: BTreeMap<String, u64>,
    verified: u64,
    failures: Vec<String>,
    refused: u64,
    asked: u64,
    dead: u64,
}

/// One who asks for tokens, and has them verified when they are new and when they are old.
#[derive(Clone)]
struct Traffic {
    app: App,
    places: Vec<Api>,
    verifiers: Arc<tokio::sync::Mutex<Vec<Verifier>>>,
    tally: Arc<Mutex<Tally>>,
}

impl Traffic {
    async fn go_on(self, mut rng: Rng, rate: f64, age: Duration, end: Instant) -> Result<()> {
        let (begin, mut sent, mut kept) = (Instant::now(), 0.0, VecDeque::<(Instant, String)>::new());
        while Instant::now() < end {
            let due = Duration::from_secs_f64(sent / rate).saturating_sub(begin.elapsed());
            tokio::time::sleep(due).await;
            sent += 1.0;
            let asked_at = Instant::now();
            let place = rng.place(self.places.len());
            match self.places[place].client_credentials(&self.app).await {
                Said::Yes(answer) => {
                    let token = answer.json()["access_token"].as_str().context("a token")?.to_owned();
                    {
                        let mut tally = lock(&self.tally);
                        tally.tokens += 1;
                        tally.times.push(asked_at.elapsed());
                        *tally.by.entry(kid_of(&token)?).or_default() += 1;
                    }
                    self.look_at(&token, rng.place(VERIFIERS), "new").await?;
                    if rng.below(ASKED) == 0 {
                        self.ask(&token, (place + 1) % self.places.len()).await;
                    }
                    kept.push_back((Instant::now() + age, token));
                }
                _ => lock(&self.tally).refused += 1,
            }
            while kept.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                if let Some((_, token)) = kept.pop_front() {
                    self.look_at(&token, rng.place(VERIFIERS), "old").await?;
                }
            }
        }
        Ok(())
    }

    async fn look_at(&self, token: &str, verifier: usize, when: &str) -> Result<()> {
        let outcome = self.verifiers.lock().await[verifier].verify(token).await?;
        let mut tally = lock(&self.tally);
        tally.verified += 1;
        if let Err(problem) = outcome {
            tally.failures.push(format!("verifier {verifier}, a token that was {when}: {problem}"));
        }
        Ok(())
    }

    async fn ask(&self, token: &str, place: usize) {
        let said = self.places[place].is_active(&self.app, token).await;
        let mut tally = lock(&self.tally);
        tally.asked += 1;
        match said {
            Ok(true) => {}
            Ok(false) => tally.dead += 1,
            Err(_) => tally.refused += 1,
        }
    }
}

/// The public keys by their ids.
type Keys = BTreeMap<String, Vec<u8>>;

/// An API that verifies by what it remembers, and asks again when that is old, not when a key is unknown.
struct Verifier {
    api: Api,
    cache: Duration,
    keys: Keys,
    asked_at: Instant,
}

impl Verifier {
    async fn verify(&mut self, token: &str) -> Result<Result<(), String>> {
        if self.asked_at.elapsed() >= self.cache {
            // From before it was sent: an answer may be as old as its question.
            self.asked_at = Instant::now();
            self.keys = keys_of(&self.api).await?;
        }
        Ok(verify(&self.keys, token))
    }
}

async fn keys_of(api: &Api) -> Result<Keys> {
    let Said::Yes(answer) = api.get("jwks", "/.well-known/jwks.json", "").await else { anyhow::bail!("no keys") };
    let document = answer.json();
    let keys = document["keys"].as_array().context("keys")?;
    let coordinate = |key: &Value, name: &str| -> Result<Vec<u8>> {
        Ok(URL_SAFE_NO_PAD.decode(key[name].as_str().context("a coordinate")?)?)
    };
    let of = |key: &Value| -> Result<(String, Vec<u8>)> {
        let kid = key["kid"].as_str().context("kid")?.to_owned();
        Ok((kid, [vec![4], coordinate(key, "x")?, coordinate(key, "y")?].concat()))
    };
    keys.iter().filter(|key| key["alg"] == "ES256").map(of).collect()
}

fn verify(keys: &Keys, token: &str) -> Result<(), String> {
    let kid = kid_of(token).map_err(|e| e.to_string())?;
    let key = keys.get(&kid).ok_or_else(|| format!("key {kid} is not known"))?;
    let (input, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|e| e.to_string())?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
    key.verify(input.as_bytes(), &signature).map_err(|_| format!("the signature by {kid} is wrong"))
}

fn kid_of(token: &str) -> Result<String> {
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?)?;
    Ok(header["kid"].as_str().context("kid")?.to_owned())
}

async fn token(api: &Api, app: &App) -> Result<String> {
    let Said::Yes(answer) = api.client_credentials(app).await else { anyhow::bail!("no token") };
    Ok(answer.json()["access_token"].as_str().context("a token")?.to_owned())
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_sees_what_is_wrong() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let input = format!("{}.e30", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"one"}"#));
        let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), input.as_bytes()).expect("a signature");
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        let keys = Keys::from([("one".to_owned(), pair.public_key().as_ref().to_vec())]);
        assert_eq!(verify(&keys, &token), Ok(()));
        assert!(verify(&keys, &token.replace("e30", "e31")).is_err());
        assert!(verify(&Keys::new(), &token).is_err());
    }
}
