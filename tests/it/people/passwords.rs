//! Passwords: which may be chosen at the command line, and what an unknown name costs (P13).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::*;

const EASY: &[&str] = &[
    "password",
    "12345678",
    "aaaaaaaa",
    "P@ssw0rd123",
    "Summer2026!",
    "qwertyuiop",
    "Latchway1",
    "latchway2026!",
    "short",
];

/// The link that `serve --dev` prints once it is ready.
fn setup_link(server: &Server) -> String {
    let begin = Instant::now();
    loop {
        let log = server.log();
        if let Some(path) = log.find("/setup?token=").and_then(|at| log[at..].split_once(char::is_whitespace)) {
            return path.0.to_owned();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "no link: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// P20, ux: the command line takes what the page takes, and refuses what the page refuses.
async fn p20_u20_passwords_by_command_line(db: Db) {
    let server = Server::start_dev(db);
    let create = |name: &str, email: &str, password: &str| {
        let args = ["user", "create", "--username", name, "--email", email, "--password-stdin"];
        server.try_cli(&args, password)
    };
    let browser = Browser::new(&server);
    let link = setup_link(&server);
    let page = browser.get(&link).await;
    // The rule for user names is told before it is broken, and a refusal tells it again.
    assert!(page.select("#username-hint").join(" ").contains("1 to 64 letters or digits"), "{page:?}");
    let refused = browser.post(&page.form("/setup").with("username", "two words")).await;
    assert!(refused.select("#username-error").join(" ").contains("1 to 64 letters or digits"), "{refused:?}");
    let own = ["carol-example", "carol-example99", "c.example@people.example", "C.Example!!"];
    for password in EASY.iter().copied().chain(own) {
        let failure = create("carol-example", "c.example@people.example", password).expect_err(password);
        let form = page.form("/setup").with("username", "carol-example").with("email", "c.example@people.example");
        let answer = browser.post(&form.with("password", password).with("password_again", password)).await;
        assert_eq!(answer.status, 422, "{password}: {answer:?}");
        let told = answer.select("#password-error").join(" ");
        let reason = told.split_once('>').and_then(|(_, rest)| rest.split_once('.')).expect("a reason").0.to_owned();
        assert!(failure.output.contains(&reason), "the same reason: {reason:?} and {failure:?}");
    }
    create("carol-example", "c.example@people.example", "long walks at noon").expect("a good one");
    let set = ["user", "set-password", "carol-example", "--password-stdin"];
    for password in ["password", "carol-example1"] {
        assert!(server.try_cli(&set, password).is_err(), "{password}");
    }
    server.try_cli(&set, "longer walks at night").expect("a good one");
}

/// At a terminal the password is asked for, twice, and not shown.
async fn u17_the_password_is_asked_for(db: Db) {
    let server = Server::start(db, &[]);
    let create = ["user", "create", "--username", "dora", "--email", "dora@people.example"];
    let (status, shown) = server.at_terminal(&create, &["walks in the rain", "walks in the snow"]);
    assert_eq!(status, 2, "{shown}");
    assert!(shown.contains("not the same") && !shown.contains("walks"), "{shown}");
    let (status, shown) = server.at_terminal(&create, &["password", "password"]);
    assert!(status == 2 && shown.contains("most used passwords"), "{shown}");
    let (status, shown) = server.at_terminal(&create, &["walks in the rain", "walks in the rain"]);
    assert!(status == 0 && shown.contains("Created dora") && !shown.contains("walks"), "{shown}");
    let set = ["user", "set-password", "dora"];
    let (status, shown) = server.at_terminal(&set, &["walks at midnight", "walks at midnight"]);
    assert!(status == 0 && !shown.contains("walks"), "{shown}");
    let id = server.cli(&["user", "show", "dora"])["id"].as_str().expect("an id").to_owned();
    let dora = User {
        id,
        username: "dora".to_owned(),
        email: "dora@people.example".to_owned(),
        password: "walks at midnight".to_owned(),
    };
    Browser::of(&server, &dora).await;
    // Without a terminal nothing waits for an answer.
    let failure = server.try_cli(&set, "").expect_err("no password");
    assert!(failure.output.contains("--password-stdin"), "{failure:?}");
}

/// How many hashes were computed, by their parameters.
async fn verifications(server: &Server) -> BTreeMap<String, u64> {
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    let lines =
        metrics.lines().filter_map(|line| line.strip_prefix("latchway_password_verifications_total{parameters=\""));
    lines
        .map(|line| {
            let (parameters, count) = line.split_once("\"} ").expect("a label and a count");
            (parameters.to_owned(), count.parse().expect("a count"))
        })
        // A metric that was described is shown before it counts anything.
        .filter(|(_, count)| *count > 0)
        .collect()
}

async fn wrong_login(server: &Server, username: &str) {
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    let answer = browser.post(&page.form("/login").with("username", username).with("password", "wrong")).await;
    assert_eq!(answer.status, 422, "{answer:?}");
}

/// P13: while accounts have hashes of other parameters, so have names without an account, in the same proportion and each
/// always the same. Told by the parameters that were computed and not by the clock.
async fn p13_unknown_names_cost_what_accounts_cost(db: Db) {
    let (old, new) = ("m=8192,t=1,p=1", "m=8192,t=3,p=1");
    let config = |iterations| [("passwords.memory_kib", "8192"), ("passwords.iterations", iterations)];
    let before = Server::prepared(db, &config("1"));
    let after = before.node(&config("3"));
    before.cli(&["migrate"]);
    after.spawn();
    wrong_login(&after, "unknown-yet").await;
    assert_eq!(verifications(&after).await, BTreeMap::from([(new.to_owned(), 1)]), "no account has an old one");
    after.stop();
    let people = [User::new(&before), User::new(&before), User::new(&before)];
    after.spawn();
    for n in 0..6 {
        wrong_login(&after, &format!("unknown{n}")).await;
    }
    wrong_login(&after, &people[0].username).await;
    assert_eq!(verifications(&after).await, BTreeMap::from([(old.to_owned(), 7)]), "all have an old one");
    // Two of three have logged in since.
    for user in &people[1..] {
        Browser::of(&after, user).await;
    }
    after.stop();
    after.spawn();
    let mut chosen = BTreeMap::new();
    for n in 0..12 {
        let name = format!("unknown{n}");
        let seen = verifications(&after).await;
        wrong_login(&after, &name).await;
        wrong_login(&after, &format!(" {} ", name.to_uppercase())).await;
        let now = verifications(&after).await;
        let more = |parameters: &str| now.get(parameters).unwrap_or(&0) - seen.get(parameters).unwrap_or(&0);
        assert!([(2, 0), (0, 2)].contains(&(more(old), more(new))), "{name}: {seen:?} {now:?}");
        *chosen.entry(more(old) == 2).or_insert(0) += 1;
    }
    // The names and the key of the tests are fixed, and so is what each name gets.
    assert_eq!(chosen.len(), 2, "some like this and some like that: {chosen:?}");
}

both![p20_u20_passwords_by_command_line, u17_the_password_is_asked_for, p13_unknown_names_cost_what_accounts_cost];
