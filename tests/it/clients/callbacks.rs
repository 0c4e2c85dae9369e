//! What follows a form, in Chromium and in Debian's Firefox: the scripts say what would make them fail.

use crate::harness::*;

/// One walk: a callback that redirects on to a third origin, one on `[::1]`, one of a private-use scheme, by query and by
/// form_post, after a login and after a consent.
async fn walk(script: &str) {
    let gate = free_port().to_string();
    let server = Server::start(Db::Sqlite, &[("gatekeeper.allowed_origins", &format!("http://localhost:{gate}"))]);
    let user = User::new(&server);
    let native = Spec::public().redirect("http://127.0.0.1/cb").redirect("http://[::1]/cb");
    let native = native.redirect("com.example.app:/cb").flags(&["--application-type", "native"]).create(&server);
    run_script(
        script,
        &[
            ("ISSUER", &server.issuer),
            ("NATIVE_ID", &native.id),
            ("GATE_PORT", &gate),
            ("LOGIN", &user.username),
            ("PASSWORD", &user.password),
        ],
    );
}

async fn b015_b016_f01_chromium() {
    walk("node/callbacks-chromium.mjs").await;
}

async fn b015_b016_f01_firefox() {
    walk("node/callbacks-firefox.mjs").await;
}

once![b015_b016_f01_chromium, b015_b016_f01_firefox];
