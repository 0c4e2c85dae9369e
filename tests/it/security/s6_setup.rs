//! 6 The first administrator, and links that a foreign Host cannot bend.

use std::time::{Duration, Instant};

use super::held::at_once;
use crate::harness::*;

/// The link that `serve --dev` prints.
fn link(server: &Server) -> String {
    link_after(server, 0).expect("a link")
}

/// The link in what was written after so many bytes of the log, once the server has presented itself there.
fn link_after(server: &Server, bytes: usize) -> Option<String> {
    let begin = Instant::now();
    loop {
        let log = server.log()[bytes..].to_owned();
        if log.contains("/playground") {
            let path = &log[log.find("/setup?token=")?..];
            return Some(path.split_whitespace().next().expect("a path").to_owned());
        }
        assert!(begin.elapsed().as_secs() < 10, "no banner: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn filled(page: &Answer, username: &str) -> Form {
    let form = page.form("/setup").with("username", username).with("email", &format!("{username}@people.example"));
    form.with("password", "correct horse battery").with("password_again", "correct horse battery")
}

async fn f_024_foreign_hosts(server: Shared) {
    let user = User::new(server);
    let (host, port) = server.address();
    for header in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: {host}:{port}\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n"),
        format!("Host: {host}:{port}\r\nX-Forwarded-Proto: javascript\r\n"),
    ] {
        for path in ["/", "/login", "/account", "/oauth2/authorize", "/logged-out", "/.well-known/openid-configuration"]
        {
            let answer = server.raw(format!("GET {path} HTTP/1.1\r\n{header}Connection: close\r\n\r\n").as_bytes());
            assert!([200, 303, 400].contains(&answer.status), "{path}: {}", answer.text);
            assert!(!answer.text.contains("evil.example") && !answer.text.contains("javascript:"), "{}", answer.text);
        }
    }
    // Two of them, none, or another in the request line.
    for head in [
        format!("GET /login HTTP/1.1\r\nHost: {host}:{port}\r\nHost: evil.example\r\n"),
        format!("GET http://evil.example/login HTTP/1.1\r\nHost: {host}:{port}\r\n"),
        format!("GET http://{host}:{port}/login HTTP/1.1\r\nHost: {host}:{port}\r\n"),
    ] {
        let answer = server.raw(format!("{head}Connection: close\r\n\r\n").as_bytes());
        assert_eq!(answer.status, 400, "{head}: {}", answer.text);
    }
    assert!(Browser::of(server, &user).await.get("/account").await.status == 200);
}

async fn f_024_development_is_reached_by_loopback_names_alone(db: Db) {
    let server = Server::start_dev(db);
    let (_, port) = server.address();
    for (host, wanted) in [
        (format!("127.0.0.1:{port}"), 200),
        // Other names of this machine lead to the issuer's, where cookies and forms work.
        (format!("localhost:{port}"), 307),
        (format!("[::1]:{port}"), 307),
        (format!("evil.example:{port}"), 421),
        (format!("127.0.0.1.evil.example:{port}"), 421),
        (format!("localhost.evil.example:{port}"), 421),
        ("192.168.1.7".to_owned(), 421),
        (String::new(), 421),
    ] {
        let request = format!("GET /playground HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes());
        assert_eq!(answer.status, wanted, "{host}: {}", answer.text);
        let to_issuer = format!("location: http://127.0.0.1:{port}/playground\r\n");
        assert_eq!(answer.text.contains(&to_issuer), wanted == 307, "{host}: {}", answer.text);
    }
}

async fn f_026_looking_does_not_use_it_up(db: Db) {
    let server = Server::start_dev(db);
    let link = link(&server);
    for _ in 0..3 {
        let page = Browser::new(&server).get(&link).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_own_page(&page);
        assert_no_store(&page);
        assert!(
            page.select("script, iframe, img[src^=http], link[href^=http]").is_empty(),
            "nothing foreign: {page:?}"
        );
    }
    let browser = Browser::new(&server);
    let page = browser.get(&link).await;
    // A mistake costs nothing: the link still works.
    let wrong = browser.post(&filled(&page, "root").with("password_again", "another")).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let long = "x1y2".repeat(257);
    let wrong = browser.post(&filled(&page, "root").with("password", &long).with("password_again", &long)).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    for weak in ["short", "password", "aaaaaaaaaaaa", "root"] {
        let wrong = browser.post(&filled(&page, "root").with("password", weak).with("password_again", weak)).await;
        assert_eq!(wrong.status, 422, "{weak}: {wrong:?}");
    }
    assert_eq!(browser.post(&filled(&page, "root").with("csrf", "x")).await.status, 403);
    assert_eq!(Browser::new(&server).post(&filled(&page, "root")).await.status, 400, "another browser's form");
    let done = browser.submit(&filled(&page, "root")).await;
    assert!(done.status == 200 && done.url.path() == "/account", "{done:?}");
    assert_eq!(audit(&server, "kind = 'setup_completed'").len(), 1);
}

/// What a form says beyond its fields changes nothing.
async fn f_027_fields_that_nobody_asked_for(db: Db) {
    let server = Server::start_dev(db);
    let browser = Browser::new(&server);
    let page = browser.get(&link(&server)).await;
    let id = "00000000-0000-7000-8000-000000000000";
    let form = filled(&page, "root").with("email_verified", "true").with("id", id).with("user_id", id);
    browser.submit(&form.with("name", "Admin").with("status", "disabled").with("role", "superuser")).await;
    let users = server.cli(&["user", "list"]);
    let user = &users.as_array().expect("a list")[0];
    assert_eq!((&user["email_verified"], &user["status"]), (&false.into(), &"active".into()), "{user}");
    assert_eq!((&user["role"], &user["name"]), (&"admin".into(), &serde_json::Value::Null), "{user}");
    assert_ne!(user["id"], id);
}

async fn f_025_f_029_one_first_administrator(db: Db) {
    let server = Server::start_dev(db);
    let used = link(&server);
    let browser = Browser::new(&server);
    let page = browser.get(&used).await;
    let post = |n: usize| {
        let form = filled(&page, &format!("root{n}"));
        let request = browser.request(reqwest::Method::POST, &form.action).header("Sec-Fetch-Site", "same-origin");
        request.header("Content-Type", "application/x-www-form-urlencoded").body(form.encoded())
    };
    let answers = at_once((0..20).map(post)).await;
    let won = answers.iter().filter(|answer| answer.status == 303).count();
    assert_eq!(won, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status != 303) {
        assert!((400..500).contains(&answer.status) || answer.status == 503, "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
    let users = server.cli(&["user", "list"]);
    assert_eq!(users.as_array().expect("a list").len(), 1, "{users}");
    // Used, guessed and absent look alike, and stay so after a restart and without any administrator.
    let name = users[0]["username"].as_str().expect("a name").to_owned();
    server.cli(&["user", "disable", &name]);
    server.stop();
    let printed = server.log().len();
    server.spawn();
    assert_eq!(link_after(&server, printed), None, "no further link");
    let guess = format!("/setup?token={}", "A".repeat(64));
    for path in [used.as_str(), &guess, "/setup", "/setup?token=", "/setup?token=x"] {
        let answer = Browser::new(&server).get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.has_form("/setup"), "{path}: {answer:?}");
    }
    assert!((400..500).contains(&browser.post(&filled(&page, "late")).await.status));
}

/// An administrator made on the command line closes the door too, and a restart's link makes the one before it dead.
async fn f_029_closed_by_the_command_line(db: Db) {
    let server = Server::start_dev(db);
    let first = link(&server);
    server.stop();
    let printed = server.log().len();
    server.spawn();
    let second = link_after(&server, printed).expect("another link");
    assert_ne!(first, second);
    assert!((400..500).contains(&Browser::new(&server).get(&first).await.status));
    let browser = Browser::new(&server);
    let page = browser.get(&second).await;
    assert_eq!(page.status, 200);
    let args =
        ["user", "create", "--username", "boss", "--email", "boss@people.example", "--password-stdin", "--admin"];
    server.try_cli(&args, "correct horse battery").expect("an administrator");
    assert!((400..500).contains(&browser.post(&filled(&page, "root")).await.status));
    assert_eq!(server.cli(&["user", "list"]).as_array().expect("a list").len(), 1);
}

/// Without `--dev` there is no link at all, and no password that everybody knows.
async fn f_029_none_in_production(server: Shared) {
    assert!(!server.log().contains("/setup?token="), "{}", server.log());
    for (name, password) in [("admin", "admin"), ("admin", "password"), ("root", "root"), ("latchway", "latchway")] {
        let user =
            User { username: name.to_owned(), password: password.to_owned(), id: String::new(), email: String::new() };
        let browser = Browser::new(server);
        let page = browser.get("/login").await;
        assert_eq!(browser.login(&page, &user).await.status, 422);
    }
}

both![
    f_024_foreign_hosts,
    f_024_development_is_reached_by_loopback_names_alone,
    f_026_looking_does_not_use_it_up,
    f_027_fields_that_nobody_asked_for,
    f_025_f_029_one_first_administrator,
    f_029_closed_by_the_command_line,
    f_029_none_in_production,
];
