//! Writes a finding to the log, the metrics and the trail.

use serde_json::{Value, json};

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::defense::anomaly::{Finding, Rule};
use crate::storage::{Refusal, StorageError};

/// Every rule has a kind of its own in the trail.
const KINDS: &[(Rule, EventKind)] = &[
    (Rule::PasswordSpraying, EventKind::AnomalyPasswordSpraying),
    (Rule::CredentialStuffing, EventKind::AnomalyCredentialStuffing),
    (Rule::BruteForceAccount, EventKind::AnomalyBruteForceAccount),
    (Rule::BruteForceClient, EventKind::AnomalyBruteForceClient),
    (Rule::TokenReuse, EventKind::AnomalyTokenReuse),
    (Rule::ClientBurst, EventKind::AnomalyClientBurst),
    (Rule::NewNetwork, EventKind::AnomalyNewNetwork),
    (Rule::ErrorRate, EventKind::AnomalyErrorRate),
];

/// The rule of a kind of event.
pub(super) fn rule_of(kind: EventKind) -> Option<Rule> {
    KINDS.iter().find(|(_, of)| *of == kind).map(|(rule, _)| *rule)
}

/// Tells of a finding in the log, the metrics and the trail.
pub(super) async fn finding(app: &App, finding: &Finding) -> Result<(), StorageError> {
    let Some((_, kind)) = KINDS.iter().find(|(rule, _)| *rule == finding.rule) else { return Ok(()) };
    metrics::counter!("latchway_anomalies_total", "rule" => finding.rule.as_str()).increment(1);
    tracing::warn!(
        rule = finding.rule.as_str(),
        severity = finding.severity.as_str(),
        subject = %finding.subject,
        reason = finding.reason,
        "an anomaly"
    );
    let event = Event::failure(*kind).detail(detail(finding));
    let event = finding.client.iter().fold(event, |event, client| event.client(client));
    let writer = app.clone();
    app.db
        .write("anomalies.record", move |tx| -> Result<_, Refusal<StorageError>> {
            Ok(event.clone().record(tx, &writer.clock)?)
        })
        .await
}

/// All that is known of a finding, for machines.
pub(super) fn detail(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "subject_kind": finding.subject.kind(),
        "subject": finding.subject.value(),
        "reason": finding.reason,
        "count": finding.count,
        "threshold": finding.threshold,
        "window_seconds": finding.window,
        "since": finding.since,
        "addresses": finding.addresses,
        "family": finding.family,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_kind() {
        assert_eq!(KINDS.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), Rule::ALL);
        for (rule, kind) in KINDS {
            assert_eq!(kind.as_str(), format!("anomaly_{rule}"));
            assert_eq!(rule_of(*kind), Some(*rule));
        }
    }
}
