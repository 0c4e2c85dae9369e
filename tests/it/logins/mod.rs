//! A login's way: what follows a form, the same form twice, logins that wait, and state that is asked at every use.

mod forms;
mod repeats;
mod state;
mod waiting;

use crate::harness::*;

/// An app whose consent is remembered, so that the login is the last step.
fn remembering(server: &Server) -> Client {
    Spec::confidential().scope("openid profile").create(server)
}

/// The person has allowed the app what it asks for.
async fn allowed_before(server: &Server, client: &Client, user: &User) {
    Browser::new(server).grant(user, &client.request()).await.code();
}

/// The login form of a page, filled in.
fn filled(page: &Answer, user: &User) -> Form {
    page.form("/login").with("username", &user.username).with("password", &user.password)
}

fn allow(page: &Answer) -> Form {
    page.form("/consent").press("decision", "approve")
}

/// The page for a login that is over: the number on it is the status, and it leads on.
#[track_caller]
fn assert_finished(answer: &Answer, back: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_own_page(answer);
    assert!(answer.words().contains("This login has already been finished"), "{answer:?}");
    assert!(answer.words().contains("Error 403"), "{answer:?}");
    let link = answer.select("a#way-back");
    assert_eq!(link.len(), 1, "a way back to the app: {answer:?}");
    assert!(link[0].contains(&format!("href=\"{back}\"")), "{link:?}");
}
