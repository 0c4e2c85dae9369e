//! Carries out the configured reactions to a finding, for all nodes.

use serde_json::json;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::config::{Anomalies, Reaction};
use crate::defense::RestraintKind;
use crate::defense::anomaly::{Finding, Rule};
use crate::identity;
use crate::storage::restraints::{self, Restraint};
use crate::storage::{Refusal, StorageError, Tx, grants};
use crate::support::{Id, Seconds, host, is_exempt};

/// What the configuration wants done.
pub(super) fn wanted(settings: &Anomalies, rule: Rule) -> &[Reaction] {
    match rule {
        Rule::PasswordSpraying => &settings.password_spraying_reactions,
        Rule::BruteForceAccount => &settings.brute_force_account_reactions,
        Rule::BruteForceClient => &settings.brute_force_client_reactions,
        Rule::TokenReuse => &settings.token_reuse_reactions,
        Rule::NewNetwork => &settings.new_network_reactions,
        Rule::ErrorRate => &settings.error_rate_reactions,
        // There is nobody in particular to do anything to.
        Rule::CredentialStuffing | Rule::ClientBurst => &[],
    }
}

/// Does it, for all nodes, and records what was done.
pub(super) async fn carry_out(app: &App, finding: &Finding, reactions: &[Reaction]) -> Result<(), StorageError> {
    if reactions.is_empty() {
        return Ok(());
    }
    let (writer, finding, reactions) = (app.clone(), finding.clone(), reactions.to_vec());
    app.db
        .write("anomalies.react", move |tx| -> Result<_, Refusal<StorageError>> {
            let mut done = Vec::new();
            for reaction in &reactions {
                done.extend(apply(&writer, tx, &finding, *reaction)?);
            }
            if !done.is_empty() {
                let detail = json!({"rule": finding.rule.as_str(), "done": done});
                let event = Event::success(EventKind::AnomalyReaction).detail(detail);
                let event = finding.client.iter().fold(event, |event, client| event.client(client));
                event.record(tx, &writer.clock)?;
            }
            Ok(())
        })
        .await
}

/// What was done, in words.
fn apply(app: &App, tx: &mut Tx<'_>, finding: &Finding, reaction: Reaction) -> Result<Vec<String>, StorageError> {
    let now = app.now();
    let until = now + Seconds::from(app.config.anomalies.reaction_seconds);
    let restrain = |tx: &mut Tx<'_>, kind: RestraintKind, subject: String| -> Result<String, StorageError> {
        let (reason, done) = (finding.reason.clone(), format!("{kind} {subject} until {until}"));
        let kind = kind.to_string();
        restraints::put(tx, &Restraint { kind, subject, reason, created_at: now, expires_at: until })?;
        Ok(done)
    };
    let restrainable =
        finding.addresses.iter().filter(|address| !is_exempt(**address, &app.config.server.trusted_proxies));
    let addresses = |tx: &mut Tx<'_>, kind: RestraintKind| -> Result<Vec<String>, StorageError> {
        restrainable.clone().map(|address| restrain(tx, kind, host(*address).to_string())).collect()
    };
    match (reaction, finding.rule, &finding.client) {
        (Reaction::SlowDown, Rule::ErrorRate, Some(client)) => {
            Ok(vec![restrain(tx, RestraintKind::SlowClient, client.clone())?])
        }
        (Reaction::SlowDown, ..) => addresses(tx, RestraintKind::SlowAddress),
        (Reaction::BlockAddress, ..) => addresses(tx, RestraintKind::Block),
        (Reaction::RevokeFamily, ..) => revoke_family(tx, finding, now),
        (Reaction::FreshLogin, ..) => end_sessions(tx, finding, now),
    }
}

fn family(finding: &Finding) -> Option<Id> {
    finding.family.as_deref().and_then(|family| family.parse().ok())
}

fn revoke_family(tx: &mut Tx<'_>, finding: &Finding, now: Seconds) -> Result<Vec<String>, StorageError> {
    let Some(id) = family(finding) else { return Ok(Vec::new()) };
    match grants::find(tx.reader(), id)? {
        Some(grant) if grants::revoke(tx, &grant, now)? => Ok(vec![format!("revoked family {id}")]),
        _ => Ok(Vec::new()),
    }
}

/// Whose family it is has to log in again, wherever they are. Only what shows that a credential was stolen leads here:
/// nobody can bring it about from outside.
fn end_sessions(tx: &mut Tx<'_>, finding: &Finding, now: Seconds) -> Result<Vec<String>, StorageError> {
    let Some(id) = family(finding) else { return Ok(Vec::new()) };
    let Some(grant) = grants::find(tx.reader(), id)? else { return Ok(Vec::new()) };
    let ended = identity::end_all(tx, grant.user_id, None, now)?;
    Ok(if ended == 0 { Vec::new() } else { vec![format!("ended {ended} sessions")] })
}
