//! Samples of the account pages.

use super::page_rules::HOSTILE;
use super::sample_access::{api, scopes};
use super::sample_parts::{demo, layout};
use super::{account_view::*, api_keys_view::*, view::*};

pub(super) fn account() -> AccountPage {
    let moment = When::from_unix(1_772_460_300);
    let session = |id: &str, device: &str, current: bool| SessionView {
        id: id.into(),
        device: device.into(),
        address: current.then(|| HOSTILE.to_owned()),
        signed_in: moment,
        last_seen: Some(moment),
        current,
    };
    AccountPage {
        layout: layout(true, Some("ada")),
        csrf: "csrf".into(),
        username: "ada".into(),
        email: Some("ada@example.com".into()),
        apps: vec![
            AppView {
                client_id: "notes".into(),
                client: demo(),
                scopes: scopes(),
                resources: vec![
                    api("https://api.notes.example", Some("Notes")),
                    api("https://files.notes.example", None),
                ],
                allowed_at: moment,
                last_used: Some(moment),
                stays_connected: true,
            },
            AppView {
                client_id: HOSTILE.into(),
                client: ClientView::new(HOSTILE, Some("/\\evil.example".into())),
                scopes: Vec::new(),
                resources: Vec::new(),
                allowed_at: moment,
                last_used: None,
                stays_connected: false,
            },
        ],
        unlisted_sessions: 0,
        sessions: vec![session("1", "Chrome on Linux", true), session("2", "Safari on iPhone", false)],
        flash: Some(Flash::AppRemoved("Old Calendar".into())),
        first_steps: None,
    }
}

pub(super) fn maker(errors: Vec<KeyError>) -> Maker {
    Maker {
        csrf: "csrf".into(),
        once: "0197c2f4".into(),
        name: if !errors.is_empty() { HOSTILE.into() } else { String::new() },
        networks: "10.0.0.0/8".into(),
        scopes: scopes().into_iter().map(|scope| (scope, true)).collect(),
        audiences: vec![("https://api.example".to_owned(), true), ("https://wiki.example".to_owned(), false)],
        lifetimes: vec![("30d", "30 days", false), ("90d", "90 days", true)],
        errors,
    }
}

pub(super) fn api_keys() -> ApiKeysPage {
    let moment = When::from_unix(1_772_460_300);
    let key = |name: &str, expired| KeyView {
        id: "0197c2f4-a1b2-7d3e-8f00-0123456789ab".into(),
        name: name.into(),
        scopes: scopes(),
        audience: vec!["https://api.example".into()],
        networks: if expired { Vec::new() } else { vec!["10.0.0.0/8".into(), "2001:db8::/32".into()] },
        created: moment,
        expires: Some(moment),
        expired,
        last_used: (!expired).then(|| (moment, Some("10.1.2.3".into()))),
        previous_until: (!expired).then_some(moment),
    };
    ApiKeysPage {
        layout: layout(false, Some("ada")),
        csrf: "csrf".into(),
        account_csrf: "csrf".into(),
        keys: vec![key("Nightly backup", false), key(HOSTILE, true)],
        maker: Some(maker(Vec::new())),
        confirm: "/login?after=api-keys".into(),
        shown: Some(ShownKey {
            name: HOSTILE.into(),
            text: "lw_shown".into(),
            api: Some(HOSTILE.into()),
            nonce: "r4nd0m".into(),
            replaces: Some(moment),
        }),
        notice: None,
    }
}
