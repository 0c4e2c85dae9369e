//! a device polls at every node while somebody allows it and denies it, in several tabs at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Run;
use super::scene::{Shot, Visitor, at_once, must, note_tokens, word};
use crate::api::{Api, Said};
use crate::browser;
use crate::ledger::{State, Times};
use crate::world::World;

/// Tabs in which it is allowed, and as many in which it is denied.
const TABS: usize = 2;
const POLLS: usize = 12;
/// Two polls within this are a network's doing; a later one ends the family (`device_code.rs` in the server).
const MOMENT: Duration = Duration::from_millis(1500);

/// How a race ended, as everybody was told.
#[derive(Default)]
struct Told {
    allowed: usize,
    denied: usize,
    tokens: usize,
    refusals: usize,
    others: BTreeMap<String, usize>,
}

pub async fn decisions(run: &mut Run<'_>, world: &Arc<World>, rounds: usize) -> Result<()> {
    let mut visitor = Visitor::new(world, "device").await?;
    // Logs in.
    visitor.tokens().await?;
    let (mut allowed, mut denied, mut wrong) = (0, 0, Vec::new());
    for _ in 0..rounds {
        let told = round(world, &mut visitor).await?;
        allowed += told.allowed;
        denied += told.denied;
        // The same form sent twice leads where the first one led, so that a decision may be told to both its tabs.
        let one_decision = (told.allowed == 0) != (told.denied == 0);
        let one_end = told.tokens == told.allowed.min(1) && told.refusals == told.denied.min(1);
        if !one_decision || !one_end || !told.others.is_empty() {
            wrong.push(format!(
                "{}x allowed, {}x denied, {}x tokens, {}x access_denied, {:?}",
                told.allowed, told.denied, told.tokens, told.refusals, told.others
            ));
        }
    }
    // What the rows say, whatever the answers said.
    let rows = "FROM device_codes d WHERE d.client_id = '";
    let open = format!("{rows}{}' AND d.ended_at IS NULL", visitor.app.id);
    let open = world.database.count("count(*)", &open).await?;
    let odd = format!(
        "{rows}{}' AND (SELECT count(*) FROM access_tokens a WHERE a.grant_id = d.grant_id) \
         <> CASE WHEN d.grant_id IS NULL THEN 0 ELSE 1 END",
        visitor.app.id
    );
    let odd = world.database.count("count(*)", &odd).await?;
    run.report.did(rounds as u64);
    run.report.say(&format!(
        "R-006 {rounds} devices, {TABS} tabs allow, {TABS} deny, {POLLS} polls each at once: {allowed} allowed, {denied} denied, \
         {} wrong",
        wrong.len()
    ));
    run.report
        .expect("R-006 one decision, one end, at most one token set", must(wrong.is_empty(), || wrong[0].clone()));
    run.report.expect(
        "R-006 the rows say the same",
        must(open + odd == 0, || format!("{open} without an end, {odd} with another number of token sets")),
    );
    Ok(())
}

async fn round(world: &Arc<World>, visitor: &mut Visitor) -> Result<Told> {
    let (device_code, user_code) = ask(visitor).await?;
    let (action, body) = browser::device_page(&visitor.api, &mut visitor.jar, &user_code)
        .await
        .map_err(|said| anyhow::anyhow!("no page for the device: {said:?}"))?;
    let cookies = visitor.jar.header();
    let poll = visitor.api.polling(&visitor.app, &device_code);
    let mut shots = Vec::new();
    let mut kinds = Vec::new();
    for n in 0..2 * TABS + POLLS {
        let api = at_node(world, n);
        let (kind, bytes) = match n {
            n if n < TABS => ("allow", visitor.api.deciding(&action, &cookies, &body, "approve")),
            n if n < 2 * TABS => ("deny", visitor.api.deciding(&action, &cookies, &body, "deny")),
            _ => ("poll", poll.clone()),
        };
        kinds.push(kind);
        shots.push(Shot { api, what: kind, bytes, after: Duration::from_micros(visitor.rng.below(20_000)) });
    }
    let begin = Instant::now();
    let mut outcomes: Vec<Said> = at_once(shots).await.into_iter().map(|(said, _)| said).collect();
    // Whatever the race left open ends with the next poll; the one after it finds nothing.
    for n in 0..2 {
        kinds.push("poll");
        outcomes.push(at_node(world, n).send("poll", &poll).await);
    }
    let mut told = Told::default();
    for (kind, said) in kinds.into_iter().zip(&outcomes) {
        note(visitor, &mut told, kind, said, begin)?;
    }
    Ok(told)
}

/// Past the balancer, so that every node has its part.
fn at_node(world: &Arc<World>, n: usize) -> Api {
    world.api_at(world.nodes[n % world.nodes.len()].port)
}

async fn ask(visitor: &Visitor) -> Result<(String, String)> {
    let said =
        visitor.api.send("device", &visitor.api.client_form("/oauth2/device_authorization", &visitor.app, &[])).await;
    let Said::Yes(answer) = said else { anyhow::bail!("no device code: {said:?}") };
    visitor.api.ledger.event(answer.header("x-request-id"), "device_requested", Times::Once);
    let json = answer.json();
    let text = |name: &str| json[name].as_str().map(str::to_owned).context("a device code");
    let (device_code, user_code) = (text("device_code")?, text("user_code")?);
    visitor.api.ledger.secret(&device_code);
    visitor.api.ledger.secret(&user_code);
    Ok((device_code, user_code))
}

fn note(visitor: &Visitor, told: &mut Told, kind: &str, said: &Said, begin: Instant) -> Result<()> {
    let ledger = &visitor.api.ledger;
    match (kind, said) {
        ("allow", Said::Yes(answer)) => {
            told.allowed += 1;
            // The other tab is told the same decision, which was recorded once.
            for event in ["device_approved", "consent_given"] {
                ledger.event(answer.header("x-request-id"), event, Times::AtMostOnce);
            }
        }
        ("deny", Said::Yes(answer)) => {
            told.denied += 1;
            ledger.event(answer.header("x-request-id"), "device_denied", Times::AtMostOnce);
        }
        ("poll", Said::Yes(answer)) => {
            told.tokens += 1;
            ledger.event(answer.header("x-request-id"), "device_redeemed", Times::Once);
            let family = ledger.family();
            note_tokens(&visitor.api, &visitor.app, family, answer)?;
            if begin.elapsed() > MOMENT {
                ledger.end_family(family, State::Doubtful, "a poll may have come late enough to be a replay");
            }
        }
        ("poll", Said::No(400, error)) if error == "access_denied" => told.refusals += 1,
        ("poll", Said::No(400, error)) if is_no_token(error) => {}
        ("allow" | "deny", Said::No(403, _)) => {}
        _ => *told.others.entry(format!("{kind}: {}", word(said))).or_default() += 1,
    }
    Ok(())
}

fn is_no_token(error: &str) -> bool {
    ["authorization_pending", "slow_down", "invalid_grant", "expired_token"].contains(&error)
}
