//! Scopes and APIs for the samples of pages.

use super::access::{ApiView, ScopeView};

pub fn scope(name: &str, title: &str, description: &str) -> ScopeView {
    ScopeView { name: name.into(), title: title.into(), description: description.into(), ..ScopeView::default() }
}

pub fn api(uri: &str, title: Option<&str>) -> ApiView {
    ApiView { uri: uri.into(), title: title.map(str::to_owned), is_new: title.is_none() }
}

pub fn scopes() -> Vec<ScopeView> {
    vec![
        scope("profile", "See your name", "Your display name and user name."),
        scope("email", "See your e-mail address", "And whether it was confirmed."),
        scope("notes:read", "Read your notes", "Your own notes and those shared with you."),
        scope("offline_access", "Stay connected when you are away", "Until you remove its access in your account."),
        scope("urn:example:unknown", "", ""),
    ]
}

/// So many that their descriptions are folded, with one that is warned of and one that has no words.
pub fn many_scopes() -> Vec<ScopeView> {
    let many = scopes().into_iter().cycle().take(13).enumerate().map(|(n, scope)| ScopeView {
        sensitive: n == 0,
        is_new: n % 4 == 1,
        value: (n == 2).then(|| "ada@notes.example".to_owned()),
        ..scope
    });
    many.chain([scope("urn:example:unknown", "", "")]).collect()
}
