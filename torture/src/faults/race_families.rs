//! refreshing by many, and against everything that ends a family.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::Run;
use super::scene::{Shot, Tokens, Visitor, at_once, must, note_tokens, tally};
use crate::api::Said;
use crate::browser;
use crate::ledger::{State, Times};
use crate::world::World;

/// one refresh token, so many at the same moment, family after family. Nothing of an answer is used, so that each
/// is a retry of the first and gets the same successor.
pub async fn same_token(run: &mut Run<'_>, world: &Arc<World>, (families, count): (usize, usize)) -> Result<()> {
    let mut visitor = Visitor::new(world, "same token").await?;
    let (mut wrong, mut said) = (Vec::new(), Vec::new());
    for _ in 0..families {
        let tokens = visitor.tokens().await?;
        let bytes = visitor.api.refreshing(&visitor.app, &tokens.refresh);
        let shot = |_| Shot { api: visitor.api.clone(), what: "refresh", bytes: bytes.clone(), after: Duration::ZERO };
        let outcomes = at_once((0..count).map(shot).collect()).await;
        let mut successors = HashSet::new();
        let mut all = true;
        for (said, _) in &outcomes {
            match said {
                Said::Yes(answer) => {
                    let kinds = "token_refreshed|refresh_retried";
                    visitor.api.ledger.event(answer.header("x-request-id"), kinds, Times::Once);
                    successors.insert(note_tokens(&visitor.api, &visitor.app, tokens.family, answer)?.2);
                }
                _ => all = false,
            }
        }
        visitor.api.ledger.refresh_is(tokens.place, State::Dead);
        if successors.len() != 1 || !all {
            wrong.push(format!("{} successors, {}", successors.len(), tally(outcomes.iter().map(|(said, _)| said))));
        }
        said.extend(outcomes.into_iter().map(|(said, _)| said));
    }
    run.report.did((families * count) as u64);
    run.report.say(&format!("R-003 {families} families, {count} refreshes at once each: {}", tally(said.iter())));
    run.report.expect(
        "R-003 one successor a family, the same for all",
        must(wrong.is_empty(), || format!("{} families: {}", wrong.len(), wrong[0])),
    );
    Ok(())
}

/// What ends families in R-004.
#[derive(Clone, Copy, Debug)]
enum End {
    Revoke,
    LogOut,
    Disable,
}

/// refreshes against revocation, logout and disabling, in an order of the seed. Whatever a refresh still got,
/// nothing of it is alive after the end was acknowledged.
pub async fn mixed(run: &mut Run<'_>, world: &Arc<World>, rounds: usize) -> Result<()> {
    let mut visitor = Visitor::new(world, "mixed").await?;
    let (mut operations, mut late) = (0, 0);
    for round in 0..rounds {
        let end = match round % 12 {
            5 => End::Disable,
            n if n % 2 == 0 => End::Revoke,
            _ => End::LogOut,
        };
        let mut held = vec![visitor.tokens().await?, visitor.tokens().await?];
        let ending = async {
            let pause = Duration::from_micros(visitor.rng.clone().below(8000));
            tokio::time::sleep(pause).await;
            finish(world, &visitor, &held, end).await
        };
        let mut shots = Vec::new();
        let mut rng = visitor.rng.clone();
        for n in 0..48 {
            let bytes = visitor.api.refreshing(&visitor.app, &held[n % 2].refresh);
            let after = Duration::from_micros(rng.below(12_000));
            shots.push(Shot { api: visitor.api.clone(), what: "refresh", bytes, after });
        }
        let (ended, outcomes) = tokio::join!(ending, at_once(shots));
        ended?;
        visitor.rng = rng;
        for (n, (said, _)) in outcomes.iter().enumerate() {
            operations += 1;
            if let Said::Yes(answer) = said {
                late += 1;
                note_tokens(&visitor.api, &visitor.app, held[n % 2].family, answer)?;
            }
        }
        for tokens in held.drain(..) {
            visitor.api.ledger.end_family(tokens.family, State::Dead, "revoked, logged out or disabled in a race");
        }
        match end {
            End::Revoke => {}
            End::LogOut => visitor.jar = browser::Jar::default(),
            End::Disable => {
                visitor.jar = browser::Jar::default();
                world.cli(&["user", "enable", &visitor.person.name], "").await?;
            }
        }
        operations += 2;
    }
    run.report.did(operations);
    run.report
        .say(&format!("R-004 {rounds} rounds, {operations} operations, {late} refreshes got in: I4 says what lives"));
    Ok(())
}

/// Ends the families; returns when that was acknowledged.
async fn finish(world: &Arc<World>, visitor: &Visitor, held: &[Tokens], end: End) -> Result<()> {
    match end {
        End::Revoke => {
            for tokens in held {
                match visitor.api.revoke(&visitor.app, &tokens.refresh).await {
                    Said::Yes(answer) => {
                        visitor.api.ledger.event(answer.header("x-request-id"), "token_revoked", Times::AtMostOnce)
                    }
                    said => return Err(anyhow!("revoke: {said:?}")),
                }
            }
            Ok(())
        }
        End::LogOut => browser::log_out(&visitor.api, &visitor.jar).await.map_err(|said| anyhow!("logout: {said:?}")),
        End::Disable => world.cli(&["user", "disable", &visitor.person.name], "").await.map(|_| ()),
    }
}
