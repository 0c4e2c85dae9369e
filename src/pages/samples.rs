//! Every template in its states, so that a broken or an unsafe page cannot land.

use askama::Template;

use super::confirm::{ConfirmPage, Question};
use super::page_rules::HOSTILE;
use super::sample_access::{api, many_scopes, scope, scopes};
use super::sample_parts::{demo, layout};
use super::samples_account::{account, api_keys, maker};
use super::{account_view::*, api_keys_view::*, device_view::*, view::*};
use crate::fault::Problem;

/// Name and HTML of every page in its states.
pub fn samples() -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    add(&mut pages, "home", &HomePage { layout: layout(true, None), first_steps: Some(first_steps()) });
    add(&mut pages, "home-quiet", &HomePage { layout: layout(false, Some("ada")), first_steps: None });
    let anyone = |name: &str| LoginMode::Anyone { username: name.into() };
    add(&mut pages, "login", &login(anyone(""), None));
    add(&mut pages, "login-account", &LoginPage { client: None, ..login(anyone(""), None) });
    add(&mut pages, "login-wrong", &login(anyone("ada"), Some(LoginProblem::WrongCredentials)));
    add(&mut pages, "login-wait", &login(anyone("ada"), Some(LoginProblem::TooManyAttempts { seconds: 95 })));
    add(&mut pages, "login-busy", &login(anyone("ada"), Some(LoginProblem::Busy)));
    add(&mut pages, "login-again", &login(LoginMode::Again { username: "ada".into() }, None));
    add(
        &mut pages,
        "login-hostile",
        &LoginPage {
            client: Some(ClientView::new(HOSTILE, Some("//evil.example/x.svg".into()))),
            transaction: HOSTILE.into(),
            ..login(anyone(HOSTILE), Some(LoginProblem::WrongCredentials))
        },
    );
    let persona = |username: &str, name: &str, about: &str| PersonaView {
        username: username.into(),
        name: name.into(),
        about: about.into(),
    };
    add(
        &mut pages,
        "login-mock",
        &LoginPage {
            layout: Layout { mock: true, ..layout(false, None) },
            personas: vec![persona("alice", "Alice", "user"), persona(HOSTILE, HOSTILE, HOSTILE)],
            ..login(anyone(""), None)
        },
    );
    add(
        &mut pages,
        "login-gate",
        &LoginPage {
            client: None,
            after: vec![("after".into(), HOSTILE.into())],
            destination: Some("wiki.example".into()),
            ..login(anyone(""), None)
        },
    );
    add(&mut pages, "consent", &consent());
    add(
        &mut pages,
        "consent-native",
        &ConsentPage {
            return_to: ReturnTo::ThisDevice("127.0.0.1:8090".into()),
            resources: Vec::new(),
            memory: ConsentMemory::AskedEachTime,
            policy_uri: Some("javascript:alert(1)".into()),
            terms_uri: None,
            ..consent()
        },
    );
    add(
        &mut pages,
        "consent-nothing",
        &ConsentPage { return_to: ReturnTo::App("com.example.notes".into()), scopes: Vec::new(), ..consent() },
    );
    add(&mut pages, "consent-many", &ConsentPage { scopes: many_scopes(), ..consent() });
    add(
        &mut pages,
        "consent-hostile",
        &ConsentPage {
            client: ClientView::new(&HOSTILE.repeat(5), Some("https://evil.example/x.svg".into())),
            return_to: ReturnTo::Host(HOSTILE.into()),
            user: HOSTILE.into(),
            scopes: vec![scope(HOSTILE, "", HOSTILE), scope("x", HOSTILE, "")],
            resources: vec![api(HOSTILE, None), api(HOSTILE, Some(HOSTILE))],
            policy_uri: Some(format!("https://app.example/{HOSTILE}")),
            ..consent()
        },
    );
    add(&mut pages, "device", &device("", None));
    add(&mut pages, "device-link", &device("WDJB-MJHT", None));
    add(&mut pages, "device-no-code", &device(HOSTILE, Some(EntryProblem::NoCode)));
    add(&mut pages, "device-wrong", &device("WDJB-MJHT", Some(EntryProblem::Wrong)));
    add(&mut pages, "device-wait", &device("WDJB-MJHT", Some(EntryProblem::TooMany { seconds: 540 })));
    add(&mut pages, "device-confirm", &device_confirm());
    add(
        &mut pages,
        "device-confirm-hostile",
        &DeviceConfirmPage {
            client: ClientView::new(&HOSTILE.repeat(5), Some("https://evil.example/x.svg".into())),
            user: HOSTILE.into(),
            after: vec![("after".into(), HOSTILE.into())],
            scopes: vec![scope(HOSTILE, "", HOSTILE), scope("x", HOSTILE, "")],
            resources: vec![api(HOSTILE, None), api(HOSTILE, Some(HOSTILE))],
            asked_seconds_ago: 3,
            asked_from: AskedFrom::Elsewhere(HOSTILE.into()),
            policy_uri: Some("javascript:alert(1)".into()),
            ..device_confirm()
        },
    );
    add(
        &mut pages,
        "device-confirm-nothing",
        &DeviceConfirmPage { scopes: Vec::new(), resources: Vec::new(), ..device_confirm() },
    );
    add(&mut pages, "device-done", &DeviceDonePage { layout: layout(false, None), allowed: Some(demo()) });
    add(&mut pages, "device-refused", &DeviceDonePage { layout: layout(false, None), allowed: None });
    add(&mut pages, "setup", &setup(SetupErrors::default()));
    add(
        &mut pages,
        "setup-errors",
        &setup(SetupErrors {
            form: None,
            username: Some("Use letters, digits, dots and dashes only.".into()),
            email: Some("This does not look like an e-mail address.".into()),
            password: Some("This password is too short.".into()),
            password_again: Some("The two passwords differ.".into()),
        }),
    );
    add(&mut pages, "setup-refused", &setup(SetupErrors { form: Some(HOSTILE.into()), ..SetupErrors::default() }));
    add(&mut pages, "logged-out", &LoggedOutPage { layout: layout(false, None) });
    add(&mut pages, "logout", &LogoutPage { layout: layout(false, Some(HOSTILE)), csrf: "csrf".into() });
    add(&mut pages, "account", &account());
    add(
        &mut pages,
        "account-empty",
        &AccountPage {
            apps: Vec::new(),
            sessions: account().sessions.into_iter().take(1).collect(),
            email: None,
            flash: Some(Flash::Welcome),
            first_steps: Some(first_steps()),
            ..account()
        },
    );
    for (name, flash) in [("account-ended", Flash::SessionEnded), ("account-others", Flash::OthersEnded)] {
        add(&mut pages, name, &AccountPage { flash: Some(flash), ..account() });
    }
    for (name, question) in [
        ("confirm-app", Question::RemoveApp { client_id: HOSTILE.into(), name: HOSTILE.into() }),
        ("confirm-sessions", Question::EndOtherSessions),
        ("confirm-key", Question::RevokeKey { id: HOSTILE.into(), name: HOSTILE.into() }),
    ] {
        let layout = layout(false, Some("ada"));
        add(&mut pages, name, &ConfirmPage { layout, csrf: "csrf".into(), question });
    }
    add(&mut pages, "api-keys", &api_keys());
    add(&mut pages, "api-keys-empty", &ApiKeysPage { keys: Vec::new(), maker: None, shown: None, ..api_keys() });
    let nothing = Maker { scopes: Vec::new(), ..maker(Vec::new()) };
    add(&mut pages, "api-keys-nothing", &ApiKeysPage { maker: Some(nothing), ..api_keys() });
    let nowhere = Maker { audiences: Vec::new(), ..maker(Vec::new()) };
    add(&mut pages, "api-keys-nowhere", &ApiKeysPage { maker: Some(nowhere), ..api_keys() });
    for (name, error) in [
        ("api-keys-name", KeyError::Name(HOSTILE.into())),
        ("api-keys-scope", KeyError::Scope("Choose at least one.".into())),
        ("api-keys-audience", KeyError::Audience("Choose at least one.".into())),
        ("api-keys-networks", KeyError::Networks("Write networks.".into())),
        ("api-keys-form", KeyError::Form("There are 50 keys.".into())),
    ] {
        add(&mut pages, name, &ApiKeysPage { maker: Some(maker(vec![error])), shown: None, ..api_keys() });
    }
    for (name, notice) in [("api-keys-revoked", Notice::Revoked), ("api-keys-already", Notice::AlreadyMade)] {
        add(&mut pages, name, &ApiKeysPage { notice: Some(notice), shown: None, ..api_keys() });
    }
    add(
        &mut pages,
        "form-post",
        &FormPostPage {
            layout: layout(false, None),
            client: demo(),
            action: "https://notes.example/callback?a=1&b=2".into(),
            fields: vec![("code".into(), "abc.def".into()), ("state".into(), HOSTILE.into())],
            nonce: "r4nd0m".into(),
        },
    );
    for (name, location) in [
        ("onward", "https://notes.example/callback?code=abc.def&state=a+b&iss=https%3A%2F%2Fid.example"),
        ("onward-native", "com.example.notes:/callback?code=abc.def"),
        ("onward-hostile", HOSTILE),
    ] {
        let page = OnwardPage { layout: layout(false, None), name: Some(HOSTILE.into()), location: location.into() };
        add(&mut pages, name, &page);
    }
    add(&mut pages, "playground", &playground());
    for (name, fault) in faults() {
        let note = ("invalid_request".to_owned(), format!("redirect_uri is not registered for this client {HOSTILE}"));
        let facts = vec![("Client id", HOSTILE.to_owned()), ("Redirect URI", HOSTILE.to_owned())];
        let page = fault.page(layout(matches!(fault, Problem::RedirectUri), None), "0197c2f4a1b27d3e", Some(note));
        let page = ErrorPage { facts, ..page };
        add(&mut pages, name, &page);
        if matches!(fault, Problem::Finished) {
            let back = Some((HOSTILE.into(), "https://notes.example/".to_owned()));
            add(&mut pages, "error-finished-back", &ErrorPage { back, ..page });
        }
    }
    pages
}

fn add(pages: &mut Vec<(&'static str, String)>, name: &'static str, page: &impl Template) {
    pages.push((name, page.render().unwrap_or_else(|e| panic!("{name}: {e}"))));
}

/// Every error page, for `docs/reference/errors.md`.
pub(crate) fn error_pages() -> Vec<ErrorPage> {
    faults().iter().map(|(_, fault)| fault.page(layout(false, None), "", None)).collect()
}

fn faults() -> [(&'static str, Problem); 15] {
    [
        ("error-client", Problem::UnknownClient),
        ("error-redirect", Problem::RedirectUri),
        ("error-request", Problem::MalformedRequest),
        ("error-expired", Problem::Expired),
        ("error-finished", Problem::Finished),
        ("error-cookies", Problem::CookiesMissing),
        ("error-csrf", Problem::Forged),
        ("error-setup", Problem::LinkUsed),
        ("error-404", Problem::NotFound),
        ("error-405", Problem::MethodNotAllowed),
        ("error-413", Problem::TooLarge),
        ("error-415", Problem::UnsupportedMediaType),
        ("error-429", Problem::TooMany { retry_after: 30 }),
        ("error-500", Problem::Internal),
        ("error-503", Problem::Unavailable { retry_after: 1 }),
    ]
}

fn first_steps() -> FirstSteps {
    FirstSteps { issuer: "https://id.example".into(), playground: Some("/playground") }
}

fn login(mode: LoginMode, problem: Option<LoginProblem>) -> LoginPage {
    LoginPage {
        layout: layout(false, None),
        csrf: "csrf".into(),
        transaction: "0197c2f4".into(),
        client: Some(demo()),
        after: Vec::new(),
        destination: None,
        mode,
        problem,
        personas: Vec::new(),
    }
}

fn consent() -> ConsentPage {
    ConsentPage {
        layout: layout(false, None),
        csrf: "csrf".into(),
        transaction: "0197c2f4".into(),
        client: ClientView::new("Demo Notes", Some("/static/logo.svg".into())),
        return_to: ReturnTo::Host("notes.example".into()),
        user: "ada".into(),
        website: Some("https://notes.example/about".into()),
        registered: When::from_unix(1_772_460_300),
        scopes: scopes(),
        resources: vec![api("https://api.notes.example", Some("Notes"))],
        memory: ConsentMemory::Remembered,
        policy_uri: Some("https://notes.example/privacy".into()),
        terms_uri: Some("https://notes.example/terms".into()),
    }
}

fn device(typed: &str, problem: Option<EntryProblem>) -> DeviceEntryPage {
    DeviceEntryPage { layout: layout(false, None), csrf: "csrf".into(), typed: typed.into(), problem }
}

fn device_confirm() -> DeviceConfirmPage {
    DeviceConfirmPage {
        layout: layout(false, None),
        csrf: "csrf".into(),
        switch_csrf: "csrf".into(),
        after: vec![("after".into(), "device".into())],
        user_code: "WDJB-MJHT".into(),
        shown: "sample-proof".into(),
        client: ClientView::new("Demo TV", None),
        user: "ada".into(),
        scopes: scopes(),
        resources: vec![api("https://api.notes.example", Some("Notes"))],
        asked_seconds_ago: 95,
        asked_from: AskedFrom::Here("192.0.2.7".into()),
        policy_uri: Some("https://notes.example/privacy".into()),
        terms_uri: None,
    }
}

fn setup(errors: SetupErrors) -> SetupPage {
    let (username, email) = if errors.any() { ("ada lovelace", "ada@") } else { ("", "") };
    SetupPage {
        layout: layout(true, None),
        csrf: "csrf".into(),
        token: "one-time".into(),
        username: username.into(),
        email: email.into(),
        password_min: 12,
        errors,
    }
}

fn playground() -> PlaygroundPage {
    PlaygroundPage {
        layout: layout(true, None),
        issuer: "http://127.0.0.1:8410".into(),
        client_id: "playground".into(),
        scope: "openid profile email offline_access notes:read".into(),
        redirect_uri: "http://127.0.0.1:8410/playground/callback".into(),
        api_client_id: "demo-api".into(),
        api_client_secret: HOSTILE.into(),
        resource: "http://127.0.0.1:8410/demo-api".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::page_rules::{assert_bones, assert_closed, assert_harmless, assert_strict_policy};
    use super::*;

    #[test]
    fn every_page_has_the_bones_of_a_page() {
        assert_bones(&samples());
    }

    #[test]
    fn no_page_needs_a_lenient_content_security_policy() {
        assert_strict_policy(&samples());
    }

    #[test]
    fn a_page_loads_nothing_from_elsewhere_and_links_away_only_with_care() {
        assert_closed(&samples());
    }

    #[test]
    fn hostile_values_come_out_harmless() {
        let mut seen = 0;
        assert_harmless(&samples());
        for (name, html) in samples() {
            assert!(!html.contains("evil.example"), "{name}: a foreign logo");
            seen += usize::from(html.contains("&#60;img src=x onerror=alert(1)&#62;{{7*7}}"));
        }
        assert!(seen >= 15, "the hostile value was shown, escaped, on {seen} pages only");
    }

    #[test]
    fn names_lose_what_turns_or_hides_them() {
        let (_, html) = samples().into_iter().find(|(name, _)| *name == "consent-hostile").expect("the sample");
        let heading = html.split("<h1>").nth(1).and_then(|h| h.split("</h1>").next()).expect("a heading");
        assert!(!heading.contains(['\u{202E}', '\u{200B}']), "{heading}");
        assert!(heading.contains('…'), "{heading}");
    }

    #[test]
    fn every_form_posts_and_every_own_form_carries_its_csrf_value() {
        for (name, html) in samples() {
            for form in html.split("<form").skip(1) {
                assert!(form.starts_with(" method=\"post\" action=\""), "{name}");
                let own = form.contains("action=\"/");
                assert!(!own || form.split("</form>").next().is_some_and(|f| f.contains("name=\"csrf\"")), "{name}");
            }
        }
    }

    #[test]
    fn allow_and_deny_weigh_the_same() {
        let html = consent().render().expect("consent");
        for (word, value) in [("Deny", "deny"), ("Allow", "approve")] {
            let button = format!(
                "<button class=\"button choice\" type=\"submit\" name=\"decision\" value=\"{value}\">{word}</button>"
            );
            assert_eq!(html.matches(&button).count(), 1, "{word}");
        }
    }
}
