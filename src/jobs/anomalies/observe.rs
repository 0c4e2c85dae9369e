//! Translates audit events into observations for the anomaly rules.

use serde_json::Value;

use crate::audit::{AUTHENTICATED, EventKind};
use crate::defense::anomaly::{Finding, Observation, Rule, Subject, What};
use crate::storage::audit_events::SeenEvent;
use crate::support::Seconds;

use super::record::rule_of;

/// What an event means to the rules, if anything.
pub(super) fn observation(event: &SeenEvent) -> Option<Observation> {
    let detail = detail(event);
    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let family = text("family").or_else(|| text("api_key"));
    let known_for = || detail.get("known_seconds").and_then(Value::as_i64).unwrap_or(0);
    let what = match event.kind.parse().ok()? {
        EventKind::LoginSucceeded => What::LoginSucceeded,
        EventKind::LoginFailed | EventKind::LoginThrottled | EventKind::CredStuffing => What::LoginFailed,
        EventKind::TokenIssued | EventKind::DeviceRedeemed | EventKind::TokenRefreshed | EventKind::RefreshRetried
            if family.is_some() =>
        {
            What::FamilyUsed
        }
        EventKind::TokenIssued | EventKind::CodeIssued | EventKind::DeviceRequested => What::ClientServed,
        EventKind::CodeReplay | EventKind::RefreshReuse | EventKind::DeviceCodeReplay => What::Reused,
        EventKind::ClientAuthFailed | EventKind::ClientAuthMethodMismatch => {
            let secret = text("tried").and_then(|tag| u8::from_str_radix(&tag, 16).ok());
            What::ClientAuthFailed { secret }
        }
        // What anyone can do in a client's name says nothing of the client, and must not restrain it.
        EventKind::TokenRefused | EventKind::CodeClientMismatch | EventKind::PkceMismatch
            if detail.get(AUTHENTICATED) == Some(&Value::Bool(true)) =>
        {
            What::ClientRefused
        }
        EventKind::ClientCreated => What::ClientCreated,
        EventKind::ApiKeyMoved => What::KeyMoved { known_for: known_for() },
        _ => return None,
    };
    // A name that nobody has must not be mistaken for an account.
    let account = event.subject_hash.clone().or_else(|| text("account").map(|tag| format!("?{tag}")));
    Some(Observation {
        address: event.address.as_deref().and_then(|address| address.parse().ok()),
        account,
        client: event.client_id.clone(),
        family,
        ..Observation::new(event.at_millis.div_euclid(1000), what)
    })
}

/// A finding that was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub rule: Rule,
    pub subject: Subject,
    pub at: Seconds,
    pub since: Seconds,
}

impl Told {
    /// Whether that was this one.
    pub fn covers(&self, finding: &Finding) -> bool {
        let near = (self.at - finding.at).abs() < finding.window.max(60);
        self.rule == finding.rule && self.subject == finding.subject && near
    }
}

/// The finding that an event tells of, if it does.
pub(super) fn told(event: &SeenEvent) -> Option<Told> {
    let rule = rule_of(event.kind.parse().ok()?)?;
    let detail = detail(event);
    let text = |name: &str| detail.get(name).and_then(Value::as_str);
    let subject = Subject::read(text("subject_kind")?, text("subject")?)?;
    let at = event.at_millis.div_euclid(1000);
    let since = detail.get("since").and_then(Value::as_i64).unwrap_or(at);
    Some(Told { rule, subject, at, since })
}

fn detail(event: &SeenEvent) -> Value {
    event.detail.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, detail: &str) -> SeenEvent {
        SeenEvent {
            id: Vec::new(),
            at_millis: 5_999,
            kind: kind.to_owned(),
            client_id: Some("app".to_owned()),
            subject_hash: None,
            address: Some("192.0.2.1".to_owned()),
            detail: Some(detail.to_owned()),
        }
    }

    #[test]
    fn events_mean_something() {
        let seen = |kind: &str, detail: &str| observation(&event(kind, detail));
        let what = |kind: &str, detail: &str| seen(kind, detail).map(|seen| seen.what);
        assert_eq!(
            what("client_auth_failed", r#"{"tried":"a7"}"#),
            Some(What::ClientAuthFailed { secret: Some(0xa7) })
        );
        assert_eq!(what("client_auth_failed", "nonsense"), Some(What::ClientAuthFailed { secret: None }));
        assert_eq!(what("token_refreshed", r#"{"family":"f"}"#), Some(What::FamilyUsed));
        assert_eq!(what("token_issued", "{}"), Some(What::ClientServed));
        let moved = seen("api_key_moved", r#"{"api_key":"k","known_seconds":7}"#).expect("an observation");
        assert_eq!((moved.what, moved.family.as_deref()), (What::KeyMoved { known_for: 7 }, Some("k")));
        assert_eq!(what("user_created", "{}"), None);
        assert_eq!(what("of a later version", "{}"), None);
        let failed = seen("login_failed", r#"{"account":"12ab"}"#).expect("an observation");
        assert_eq!((failed.at, failed.account.as_deref()), (5, Some("?12ab")));
        assert_eq!(failed.address.map(|address| address.to_string()).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn what_was_told_is_read_again() {
        let told = told(&event("anomaly_error_rate", r#"{"subject_kind":"client","subject":"app","since":4}"#));
        let told = told.expect("a finding");
        assert_eq!(
            (told.rule, told.subject, told.at, told.since),
            (Rule::ErrorRate, Subject::Client("app".to_owned()), 5, 4)
        );
        assert!(super::told(&event("login_failed", "{}")).is_none());
        assert!(super::told(&event("anomaly_error_rate", "{}")).is_none());
    }
}
