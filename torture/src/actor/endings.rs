//! What ends things: revocation, replay, reuse, logout, and the operator's commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Actor, PATIENCE};
use crate::api::{Api, Said};
use crate::browser::{self, Jar};
use crate::ledger::{State, Times, handle_id};

impl Actor {
    /// Revokes one access token, or a family by its refresh token.
    pub(super) async fn revoke(&mut self) {
        let n = self.pick();
        let held = self.held[n].clone();
        let whole = self.rng.chance(50) && held.refresh.is_some();
        let token = match &held.refresh {
            Some((_, text)) if whole => text.clone(),
            _ => held.access[0].clone(),
        };
        let place = self.api.ledger.book().access.iter().rposition(|access| access.text == token);
        let mark = |state| match place {
            _ if whole => self.api.ledger.end_family(held.family, state, "revoked"),
            Some(place) => {
                let mut book = self.api.ledger.book();
                if book.access[place].state != State::Dead {
                    book.access[place].state = state;
                }
            }
            None => {}
        };
        let (since, mut times) = (Instant::now(), Times::AtMostOnce);
        if place.is_none_or(|place| self.api.ledger.book().access[place].state == State::Live) {
            times = Times::Once;
        }
        loop {
            mark(State::Doubtful);
            match self.api.revoke(&self.app, &token).await {
                Said::Yes(answer) => {
                    mark(State::Dead);
                    self.api.ledger.event(answer.header("x-request-id"), "token_revoked", times);
                    break;
                }
                Said::Later(_) | Said::Nothing(_) => {
                    times = Times::AtMostOnce;
                    if !self.again(since, "revoke").await {
                        return;
                    }
                }
                said @ Said::No(..) => return self.surprised("revoke", "I4", &said),
            }
        }
        if whole {
            self.held.remove(n);
        }
    }

    /// Redeems a code again, which ends its family.
    pub(super) async fn replay_code(&mut self) {
        let n = self.pick();
        let held = self.held.remove(n);
        let id = handle_id(&held.grant.code).unwrap_or_default();
        let request = self.api.redeeming(&self.app, &held.grant.code, &held.grant.verifier);
        self.refused("replay", held.family, &request).await;
        if self.api.ledger.book().families[held.family].state == State::Dead {
            self.api.ledger.book().codes.entry(id).or_default().replayed = true;
        }
    }

    /// Uses a refresh token whose successor was used, which ends the family.
    pub(super) async fn reuse_refresh(&mut self) {
        let n = self.pick();
        let Some(spent) = self.held[n].spent.clone() else { return };
        let held = self.held.remove(n);
        let last = held.access[held.access.len() - 1].clone();
        // The use that closes the retry, unless the newest token was revoked.
        let used = self.api.is_active(&self.app, &last).await;
        if !matches!(used, Ok(true)) {
            self.api.ledger.end_family(held.family, State::Doubtful, "left alone");
            return;
        }
        let request = self.api.refreshing(&self.app, &spent);
        self.refused("reuse", held.family, &request).await;
    }

    /// Something that must be refused, and whose refusal is the end of the family.
    async fn refused(&self, what: &'static str, family: usize, request: &[u8]) {
        let since = Instant::now();
        loop {
            self.api.ledger.end_family(family, State::Doubtful, what);
            match self.api.send(what, request).await {
                Said::No(400, error) if error == "invalid_grant" => {
                    self.api.ledger.end_family(family, State::Dead, what);
                    return;
                }
                Said::Later(_) | Said::Nothing(_) => {
                    if !self.again(since, what).await {
                        return;
                    }
                }
                said => return self.surprised(what, "I1 something was taken twice", &said),
            }
        }
    }

    pub(super) async fn log_out(&mut self) {
        let since = Instant::now();
        let ended = |state| {
            for family in &self.families {
                self.api.ledger.end_family(*family, state, "logged out");
            }
        };
        loop {
            ended(State::Doubtful);
            match browser::log_out(&self.api, &self.jar).await {
                Ok(()) => break,
                Err(Said::Later(_) | Said::Nothing(_)) => {
                    if !self.again(since, "logout").await {
                        return;
                    }
                }
                Err(said) => return self.surprised("logout", "I4", &said),
            }
        }
        ended(State::Dead);
        self.held.clear();
        self.families.clear();
        self.jar = Jar::default();
    }

    /// Locks the person out, by the command line, and lets them in again.
    pub(super) async fn disable_user(&mut self) -> Result<()> {
        for family in &self.families {
            self.api.ledger.end_family(*family, State::Doubtful, "its user may be disabled");
        }
        self.command(&["user", "disable", &self.person.name]).await?;
        for family in self.families.drain(..) {
            self.api.ledger.end_family(family, State::Dead, "its user was disabled");
        }
        self.held.clear();
        self.jar = Jar::default();
        self.command(&["user", "enable", &self.person.name]).await?;
        Ok(())
    }

    /// Takes the app out of service, looks whether that holds at every node, and takes it in again.
    pub(super) async fn disable_app(&mut self) -> Result<()> {
        self.command(&["client", "disable", &self.app.id]).await?;
        let n = self.pick();
        let text = self.held[n].access[0].clone();
        for node in &self.world.nodes {
            // A node may be down at this moment, of which nothing follows.
            let aside = Api { ledger: Arc::default(), ..self.world.api_at(node.port) };
            if aside.is_active(&self.app, &text).await.is_ok_and(|active| active) {
                self.api.ledger.complain(format!("I4: a disabled client's token is active at port {}", node.port));
            }
        }
        self.command(&["client", "update", &self.app.id, "--enable"]).await
    }

    /// A command that is given until it succeeds: its database can be in trouble too.
    async fn command(&self, args: &[&str]) -> Result<()> {
        let since = Instant::now();
        loop {
            match self.world.cli(args, "").await {
                Ok(_) => return Ok(()),
                Err(error) if since.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
