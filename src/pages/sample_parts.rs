//! What samples of several pages have in common.

use super::view::{ClientView, Layout, ScopeView};

pub(super) fn layout(dev: bool, signed_in_as: Option<&str>) -> Layout {
    Layout {
        service_name: "Latchway".into(),
        dev,
        mock: false,
        signed_in_as: signed_in_as.map(str::to_owned),
        issuer_host: "id.example".into(),
        help_url: "https://help.example/login".into(),
        support_url: if dev { "javascript:alert(1)".into() } else { "https://help.example/".into() },
        support_email: "support@example.com".into(),
    }
}

pub(super) fn demo() -> ClientView {
    ClientView::new("Demo Notes", None)
}

pub(super) fn scope(name: &str, title: &str, description: &str) -> ScopeView {
    ScopeView { name: name.into(), title: title.into(), description: description.into() }
}

pub(super) fn scopes() -> Vec<ScopeView> {
    vec![
        scope("profile", "See your name", "Your display name and user name."),
        scope("email", "See your e-mail address", "And whether it was confirmed."),
        scope("notes:read", "Read your notes", "Your own notes and those shared with you."),
        scope("offline_access", "Stay connected when you are away", "Until you remove its access in your account."),
        scope("urn:example:unknown", "", ""),
    ]
}
