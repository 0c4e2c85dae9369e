//! 6 Login, at `/api/v1`: cookies, forged requests, and who is no longer let in.

use reqwest::RequestBuilder;
use serde_json::json;

use crate::harness::*;

/// The cookies with which an answer hands over tokens, sorted.
fn cookies(answer: &Answer) -> Vec<String> {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let mut set: Vec<String> = answer.headers.get_all("set-cookie").iter().map(text).collect();
    // By which the browser is known again: s6_login.rs.
    set.retain(|cookie| !cookie.contains("latchway_device="));
    set.sort();
    set
}

async fn f_009_disabled_everywhere_at_the_api(server: Shared) {
    let (app, user) = (FirstParty::page(server), User::new(server));
    app.login(&user).await;
    server.cli(&["user", "disable", &user.username]);
    assert_j(&app.me_page().await, 401, "invalid_token");
    assert_ig(&app.refresh_page().await);
    assert_ig(&app.try_login(&user.username, &user.password).await);
    server.cli(&["user", "enable", &user.username]);
    assert_ig(&app.refresh_page().await);
    assert_eq!(app.login(&user).await.status, 200);
}

async fn f_015_cookies_of_the_api(db: Db) {
    let server = Server::start(db, &[("server.issuer", "https://id.example")]);
    let (user, client) = (User::new(&server), FirstParty::spec().create(&server));
    let body = json!({"client_id": client.id, "username": user.username, "password": user.password});
    let request = http().post(server.url("/api/v1/login")).json(&body);
    let answer = Answer::of(request.header("Origin", "https://id.example")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = cookies(&answer);
    let of = |cookie: &str| {
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        let (name, value) = pair.split_once('=').expect("a value");
        let mut attributes: Vec<&str> = attributes.split("; ").collect();
        attributes.sort_unstable();
        (name.to_owned(), value.to_owned(), attributes.join("; "))
    };
    let set: Vec<_> = set.iter().map(|cookie| of(cookie)).collect();
    assert_eq!(set.len(), 3, "{answer:?}");
    let hidden = "HttpOnly; Path=/; SameSite=Strict; Secure";
    for ((name, _, attributes), (expected, its)) in set.iter().zip([
        ("__Host-latchway_access", hidden),
        ("__Host-latchway_csrf", "Path=/; SameSite=Strict; Secure"),
        ("__Host-latchway_refresh", hidden),
    ]) {
        assert_eq!((name.as_str(), attributes.as_str()), (expected, its), "and no Domain");
    }
    let [(_, access, _), (_, csrf, _), (_, refresh, _)] = &set[..] else { panic!("three") };
    assert!(access.starts_with("eyJ") && refresh.starts_with("lwrt_"), "{set:?}");
    assert!(csrf.len() >= 43 && !refresh.contains(csrf.as_str()), "{csrf}");
    for table in ["refresh_tokens", "grants", "access_tokens"] {
        let rows = format!("{:?}", server.database.rows(table, "1 = 1"));
        assert!([access, refresh, csrf].iter().all(|secret| !rows.contains(secret.as_str())), "only a hash in {table}");
    }
    // And they go with the same names and attributes.
    let header = format!("__Host-latchway_refresh={refresh}; __Host-latchway_access={access}");
    let out = http().post(server.url("/api/v1/logout")).header("Cookie", header).header("X-CSRF-Token", csrf);
    let out = Answer::of(out).await;
    assert_eq!(out.status, 204, "{out:?}");
    for (removed, (name, _, attributes)) in cookies(&out).iter().zip(&set) {
        let (its, value, said) = of(removed);
        assert_eq!((&its, value.as_str()), (name, ""));
        assert_eq!(said.replace("Max-Age=0; ", ""), *attributes);
    }
}

/// What is tossed in by another host of the domain counts as absent, never as half.
async fn f_016_cookies_tossed_in_at_the_api(server: Shared) {
    let (app, user) = (FirstParty::page(server), User::new(server));
    app.login(&user).await;
    let (access, refresh, csrf) =
        (app.cookie("latchway_access"), app.cookie("latchway_refresh"), app.cookie("latchway_csrf"));
    let other = FirstParty::page(server);
    other.login(&User::new(server)).await;
    let (theirs, their_refresh) = (other.cookie("latchway_access"), other.cookie("latchway_refresh"));
    let me = async |cookies: &[String]| {
        let request = http().get(server.url("/api/v1/me"));
        Answer::of(cookies.iter().fold(request, |request, cookie| request.header("Cookie", cookie))).await
    };
    assert_eq!(me(&[format!("latchway_access={access}")]).await.status, 200, "one counts");
    for tossed in [
        vec![format!("latchway_access={access}; latchway_access={theirs}")],
        vec![format!("latchway_access={access}; latchway_access={access}")],
        vec![format!("latchway_access={access}"), format!("latchway_access={theirs}")],
        vec![format!("latchway_access={}", &access[..access.len() - 1])],
        vec![format!("latchway_access=\"{access}\"")],
        vec![format!("latchway_access={}", "A".repeat(8_192))],
        vec![format!("latchway_access={refresh}")],
        vec!["latchway_access=; =; ;;=;latchway_access".to_owned()],
    ] {
        let answer = me(&tossed).await;
        assert!([400, 401].contains(&answer.status), "{tossed:?}: {answer:?}");
    }
    let body = json!({"client_id": app.client.id});
    for cookies in [
        format!("latchway_refresh={refresh}; latchway_refresh={their_refresh}"),
        format!("latchway_refresh={refresh}; latchway_refresh={refresh}"),
    ] {
        let request = http().post(server.url("/api/v1/token/refresh")).json(&body).header("Cookie", cookies);
        let request = request.header("X-CSRF-Token", &csrf).header("Sec-Fetch-Site", "same-origin");
        assert_ig(&Answer::of(request).await);
    }
    assert_eq!(app.refresh_page().await.status, 200, "nothing was used up");
}

/// A page of elsewhere logs nobody in: neither as the person whose password it knows, nor as the person who sits there.
async fn f_017_csrf_login_at_the_api(db: Db) {
    let server = Server::start(db, &[]);
    let (native, user) = (FirstParty::native(&server), User::new(&server));
    let foreign: &[&[(&str, &str)]] = &[
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "nonsense")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", &format!("{}0", server.issuer))],
        &[("Origin", &server.issuer.replace("http:", "https:"))],
        &[("Origin", ""), ("Sec-Fetch-Site", "none")],
    ];
    for headers in foreign {
        let request = native.bare("/login", &native.credentials(&user.username, &user.password));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = Answer::of(request).await;
        assert_j(&answer, 403, "forbidden");
        assert_eq!(answer.header("set-cookie"), None, "{headers:?}: {answer:?}");
        assert_audit(&server, &answer, "csrf_rejected");
    }
    assert_eq!(server.database.rows("throttles", "1 = 1").len(), 0, "no password was looked at");
    assert_eq!(server.database.rows("grants", "1 = 1").len(), 0);
    // Forms, which need no permission to be sent across sites, cannot be JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = native.credentials(&user.username, &user.password).to_string();
        let request = http().post(server.url("/api/v1/login")).header("Content-Type", kind).body(body);
        assert_j(&Answer::of(request).await, 415, "unsupported_media_type");
    }
}

/// Refresh and logout by cookie want the family's own token, repeated in a header.
async fn f_017_csrf_by_cookie_at_the_api(server: Shared) {
    let (app, other) = (FirstParty::page(server), FirstParty::page(server));
    let user = User::new(server);
    app.login(&user).await;
    other.login(&user).await;
    let before = app.cookie("latchway_csrf");
    assert_eq!(app.refresh_page().await.status, 200);
    let body = json!({"client_id": app.client.id});
    let token = app.cookie("latchway_csrf");
    type Change<'a> = Box<dyn Fn(RequestBuilder) -> RequestBuilder + 'a>;
    let with = |value: String| -> Change<'_> { Box::new(move |request| request.header("X-CSRF-Token", &value)) };
    let wrong: Vec<Change<'_>> = vec![
        Box::new(|request| request),
        with(String::new()),
        with("x".to_owned()),
        with(other.cookie("latchway_csrf")),
        with(before),
        with(app.cookie("latchway_refresh")),
        with(token[..token.len() - 1].to_owned()),
        Box::new(|request| request.header("X-CSRF-Token", &token).header("X-CSRF-Token", &token)),
    ];
    for path in ["/token/refresh", "/logout"] {
        for change in &wrong {
            let answer = Answer::of(change(app.bare(path, &body))).await;
            assert_j(&answer, 403, "forbidden");
            assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
            assert_audit(server, &answer, "csrf_rejected");
        }
        for (name, value) in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")] {
            let request = http().post(server.url(&format!("/api/v1{path}"))).json(&body).header(name, value);
            let request = request.header("Cookie", app.jar().header("/").expect("cookies"));
            assert_j(&Answer::of(request.header("X-CSRF-Token", &token)).await, 403, "forbidden");
        }
    }
    assert_eq!(app.me_page().await.status, 200, "nothing was ended");
    assert_eq!(app.refresh_page().await.status, 200, "nothing was used up");
    // Reading is free of it, but not for pages of elsewhere.
    let request = http().get(server.url("/api/v1/me")).header("Cookie", app.jar().header("/").expect("cookies"));
    assert_j(&Answer::of(request.header("Sec-Fetch-Site", "cross-site")).await, 403, "forbidden");
    assert_eq!(app.logout_page().await.status, 204);
    assert_eq!(other.me_page().await.status, 200, "another family goes on");
}

async fn f_033_nothing_secret_in_the_log_of_the_api(db: Db) {
    let server = Server::start(db, &[]);
    let (app, page, user) = (FirstParty::native(&server), FirstParty::page(&server), User::new(&server));
    let tokens = app.login(&user).await;
    page.login(&user).await;
    let mut secrets = vec![user.password.clone(), tokens.text("access_token"), tokens.text("refresh_token")];
    let names = page.jar().names();
    secrets.extend(names.iter().map(|name| page.cookie(name)));
    app.try_login(&user.username, "a wrong secret").await;
    secrets.push("a wrong secret".to_owned());
    for broken in [
        json!({"client_id": app.client.id, "username": user.username, "password": {"hidden": "in an object"}}),
        json!({"client_id": app.client.id, "username": user.username, "password": 314159265}),
        json!({"client_id": app.client.id, "username": user.username, "passwort": "in a member misspelt"}),
    ] {
        let answer = app.post("/login", &broken).await;
        assert_j(&answer, 400, "invalid_request");
        for secret in ["in an object", "314159265", "in a member misspelt"] {
            assert!(!answer.body.contains(secret), "{answer:?}");
        }
    }
    secrets.extend(["in an object", "314159265", "in a member misspelt"].map(str::to_owned));
    app.refresh(&tokens.text("refresh_token")).await;
    app.refresh("lwrt_something that is none").await;
    secrets.push("something that is none".to_owned());
    page.logout_page().await;
    let log = server.logged("refused");
    let trail = format!("{:?}", audit(&server, "1 = 1"));
    assert!(log.contains("refused") && trail.contains("login_failed"), "there is a log: {log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "the log tells {secret}");
        assert!(!trail.contains(&secret), "the trail tells {secret}");
    }
}

both![
    f_009_disabled_everywhere_at_the_api,
    f_015_cookies_of_the_api,
    f_016_cookies_tossed_in_at_the_api,
    f_017_csrf_login_at_the_api,
    f_017_csrf_by_cookie_at_the_api,
    f_033_nothing_secret_in_the_log_of_the_api,
];
