//! Headless Chromium: the script says what would make each scenario fail. Screenshots go to `target/screenshots`.

use super::environment;
use crate::harness::*;

fn run_browser(scenario: &str, db: Db, environment: &[(&str, String)]) {
    let screenshots = target().join("screenshots").display().to_string();
    let mut borrowed: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    borrowed.push(("SCENARIO", scenario));
    // The pages look the same on both databases: one set of pictures is enough.
    if db == Db::Sqlite {
        borrowed.push(("SCREENSHOTS", &screenshots));
    }
    run_script("node/browser.mjs", &borrowed);
}

/// Set-up link, first administrator, playground from start to end: all that a newcomer sees. Whoever comes back to the
/// playground is at the next step.
async fn u14_newcomer(db: Db) {
    let server = Server::start_dev(db);
    let log = server.log();
    let setup = log.split_whitespace().find(|word| word.contains("/setup?token="));
    let setup = setup.unwrap_or_else(|| panic!("`serve --dev` prints a set-up link:\n{log}"));
    assert!(log.contains("/playground"), "`serve --dev` prints the address of the playground:\n{log}");
    let environment = [("ISSUER", server.issuer.clone()), ("SETUP", setup.to_owned())];
    run_browser("newcomer", db, &environment);
}

/// Login, consent, account, logout, as a person meets them who comes from an app.
async fn person(db: Db) {
    let server = Server::shared(db);
    let spec = Spec::confidential().name("Demo Notes").redirect("http://127.0.0.1/cb");
    let links = ["--policy-uri", "https://notes.example/privacy", "--tos-uri", "https://notes.example/terms"];
    let spec = spec.flags(&links).audience("https://api.notes.example");
    let (client, user, other) = (spec.create(server), User::new(server), User::new(server));
    let mut environment = environment(server, &client, &user);
    environment.push(("OTHER_LOGIN", other.username));
    environment.push(("OTHER_PASSWORD", other.password));
    run_browser("person", db, &environment);
}

/// The example of a first-party app, and the API's document.
async fn first_party(db: Db) {
    let server = Server::start_dev(db);
    let user = User::new(&server);
    let environment =
        [("ISSUER", server.issuer.clone()), ("LOGIN", user.username.clone()), ("PASSWORD", user.password.clone())];
    run_browser("firstParty", db, &environment);
}

/// API keys on the account page.
async fn api_keys(db: Db) {
    let server = Server::shared(db);
    register(server, "orders:read");
    Spec::api("https://orders.example").create(server);
    let (client, user) = (Client::confidential(server), User::new(server));
    run_browser("keys", db, &environment(server, &client, &user));
}

/// A device's code on a telephone.
async fn device(db: Db) {
    let server = Server::start(db, &[("limits.user_code_failures", "3/10m")]);
    let spec = Spec::device().name("Demo TV").audience("https://api.video.example");
    let client = spec.flags(&["--policy-uri", "https://video.example/privacy"]).create(&server);
    run_browser("device", db, &environment(&server, &client, &User::new(&server)));
}

/// No word is split, and nothing sticks out sideways, with long names and text of twice the size.
async fn u05_large_text(db: Db) {
    let server = Server::shared(db);
    register(server, "orders:read");
    let name = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk Kontoauszugsverwaltungsprogramm 2026";
    assert_eq!(name.chars().count(), 90);
    let spec = Spec::confidential().name(name).redirect("http://127.0.0.1/cb");
    let client = spec.audience("https://api.notes.example").create(server);
    run_browser("largeText", db, &environment(server, &client, &User::new(server)));
}

both![u14_newcomer, person, first_party, api_keys, device, u05_large_text];
