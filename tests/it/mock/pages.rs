//! The mock's pages: where a developer lands, and where the focus is.

use super::*;

/// Fails if a developer who opens the issuer meets the start page of an end user, or has to tab back to the personas.
async fn u20_a_developer_lands_on_the_mock() {
    let mock = Mock::start("[[issuers]]\npath = \"acme\"\n");
    let browser = mock.browser();
    let page = browser.open("/").await;
    assert_eq!(page.url.path(), "/mock", "{page:?}");
    assert_eq!(page.select("aside.mock-banner[aria-label]").len(), 1, "the banner is a landmark: {page:?}");
    let login = browser.get("/login").await;
    let focused = login.select("[autofocus]");
    assert_eq!(focused.len(), 1, "{focused:?}");
    assert!(focused[0].contains("name=\"persona\""), "the first persona has the focus: {focused:?}");
    let wrong = browser.post(&login.form("/login").with("username", "alice").with("password", "x")).await;
    assert_eq!(wrong.select("#password[autofocus]").len(), 1, "{wrong:?}");
}

/// Fails if the headings of the journal leave a level out, or if an empty filter is answered in riddles.
async fn u20_the_journal_is_in_order() {
    let mock = Mock::start(CI);
    ci_token(&mock).await;
    let page =
        |query: &str| Answer::of(mock.request("GET", &format!("/mock/journal{query}")).header("Accept", "text/html"));
    let none = page("?text=no-such-thing").await;
    let page = page("").await;
    assert!(!page.select("h2").is_empty() && page.select("h3").is_empty(), "{page:?}");
    assert!(page.select("pre[aria-label]:not([role])").is_empty(), "a name needs a role: {page:?}");
    assert!(none.words().contains("No requests match."), "{none:?}");
}

once![u20_a_developer_lands_on_the_mock, u20_the_journal_is_in_order];
