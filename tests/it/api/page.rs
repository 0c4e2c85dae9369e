//! A page of the issuer's origin: tokens in cookies, and never where a script could read them.

use serde_json::json;

use crate::harness::*;

/// Nothing of a token is in a body.
fn assert_no_token(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut members: Vec<String> = answer.json().as_object().expect("an object").keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["csrf_token", "expires_in", "scope"], "{answer:?}");
    assert!(!answer.body.contains("eyJ") && !answer.body.contains("lwrt_"), "{answer:?}");
    assert_no_store(answer);
}

async fn from_login_to_logout(server: Shared) {
    let (app, user) = (FirstParty::page(server), User::new(server));
    assert_j(&app.me_page().await, 401, "invalid_token");
    let answer = app.login(&user).await;
    assert_no_token(&answer);
    assert_eq!(app.jar().names(), ["latchway_access", "latchway_csrf", "latchway_device", "latchway_refresh"]);
    assert_eq!(app.cookie("latchway_csrf"), answer.text("csrf_token"));
    let me = app.me_page().await;
    assert_eq!((me.status, &me.json()["sub"]), (200, &json!(user.id)), "{me:?}");
    let (access, refresh, csrf) =
        (app.cookie("latchway_access"), app.cookie("latchway_refresh"), app.cookie("latchway_csrf"));
    assert_eq!(claims_of(&access)["client_id"], json!(app.client.id));

    assert_no_token(&app.refresh_page().await);
    assert_ne!(app.cookie("latchway_access"), access);
    assert_ne!(app.cookie("latchway_refresh"), refresh);
    assert_ne!(app.cookie("latchway_csrf"), csrf);
    assert_eq!(app.me_page().await.status, 200);

    let (access, refresh) = (app.cookie("latchway_access"), app.cookie("latchway_refresh"));
    let out = app.logout_page().await;
    assert_eq!((out.status, out.body.as_str()), (204, ""), "{out:?}");
    assert_audit(server, &out, "logged_out");
    assert_eq!(app.jar().names(), ["latchway_device"], "nothing but that the browser is known: {out:?}");
    // Whoever kept a copy has nothing either.
    assert_j(&app.me(&access).await, 401, "invalid_token");
    let native = FirstParty::native_of(app.client.clone());
    assert_eq!(native.logout(&refresh).await.status, 204, "nothing to end");
}

/// A browser is known by its headers, whatever its client is registered as; and a web client's tokens stay in cookies,
/// whoever asks.
async fn whoever_is_a_browser_gets_cookies(server: Shared) {
    let user = User::new(server);
    let native = FirstParty::native(server);
    let page = FirstParty::page_of(native.client.clone());
    assert_no_token(&page.login(&user).await);
    assert_no_token(&page.refresh_page().await);
    let old = native.bare("/login", &native.credentials(&user.username, &user.password));
    let answer = Answer::of(old.header("Origin", &server.issuer)).await;
    assert_no_token(&answer);

    let web = FirstParty::native_of(FirstParty::page(server).client);
    assert_no_token(&web.login(&user).await);
    // Tokens that came by cookie leave by cookie.
    let body = json!({"client_id": web.client.id});
    let cookies = web.jar().header("/").expect("cookies");
    let answer = web.send(web.request("/token/refresh", &body).header("Cookie", cookies)).await;
    assert_no_token(&answer);
    // Nobody gets them into a body by showing the refresh token there.
    let body = json!({"client_id": web.client.id, "refresh_token": web.cookie("latchway_refresh")});
    assert_j(&Answer::of(web.bare("/token/refresh", &body)).await, 400, "invalid_request");
    let tokens = native.login(&user).await;
    let page = FirstParty::page_of(native.client.clone());
    assert_j(&page.refresh(&tokens.text("refresh_token")).await, 400, "invalid_request");
    let mut both = page.bare("/token/refresh", &json!({"client_id": native.client.id, "refresh_token": "lwrt_x"}));
    both = both.header("Cookie", format!("latchway_refresh={}", tokens.text("refresh_token")));
    assert_j(&Answer::of(both).await, 400, "invalid_request");
}

/// The family before ends with the login that overwrites its cookies.
async fn another_login_ends_the_one_before(server: Shared) {
    let (app, one, other) = (FirstParty::page(server), User::new(server), User::new(server));
    app.login(&one).await;
    let before = app.cookie("latchway_access");
    assert_eq!(app.me(&before).await.status, 200);
    app.login(&other).await;
    assert_eq!(app.me_page().await.json()["sub"], json!(other.id));
    assert_j(&app.me(&before).await, 401, "invalid_token");
}

/// Two tabs refresh at once: both go on with the same cookies.
async fn two_tabs(server: Shared) {
    let (app, user) = (FirstParty::page(server), User::new(server));
    app.login(&user).await;
    let body = json!({"client_id": app.client.id});
    let (one, other) = (app.request("/token/refresh", &body), app.request("/token/refresh", &body));
    let (one, other) = tokio::join!(Answer::of(one), Answer::of(other));
    assert_no_token(&one);
    assert_no_token(&other);
    assert_eq!(one.text("csrf_token"), other.text("csrf_token"));
    app.jar().learn(&one.headers);
    app.jar().learn(&other.headers);
    assert_eq!(app.me_page().await.status, 200);
    assert_no_token(&app.refresh_page().await);
}

/// A page whose cookies are gone is told to log in, by the code that says so.
async fn no_cookie(server: Shared) {
    let app = FirstParty::page(server);
    assert_ig(&app.refresh_page().await);
    assert_eq!(app.logout_page().await.status, 204);
    let native = FirstParty::native_of(app.client.clone());
    assert_j(&native.refresh_page().await, 400, "invalid_request");
}

both![from_login_to_logout, whoever_is_a_browser_gets_cookies, another_login_ends_the_one_before, two_tabs, no_cookie,];
