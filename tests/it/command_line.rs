//! The command line as a person or a script meets it: its output, its questions, its hints.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::harness::*;

/// What a command prints to a reader that closes at once.
fn with_a_closed_pipe(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the built latchway");
    drop(child.stdout.take());
    child.wait_with_output().expect("its end")
}

fn with_output_to(mut command: Command, file: &str) -> Output {
    let full = File::options().write(true).open(file).expect("a device");
    command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    command.spawn().expect("the built latchway").wait_with_output().expect("its end")
}

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the built latchway")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Commands that print much or little, as text and as JSON.
const PRINTING: &[&[&str]] = &[
    &["--help"],
    &["client", "list"],
    &["client", "list", "--json"],
    &["user", "list"],
    &["scope", "list"],
    &["keys", "list"],
    &["audit", "list"],
    &["audit", "export"],
    &["audit", "verify"],
    &["events"],
    &["config", "print"],
    &["config", "template"],
    &["completions", "bash"],
    &["version"],
];

async fn u09_a_closed_pipe_ends_quietly(server: Shared) {
    Spec::confidential().create(server);
    for args in PRINTING {
        let mut command = server.command();
        command.args(*args);
        let ended = with_a_closed_pipe(command);
        assert_eq!((ended.status.code(), stderr(&ended)), (Some(0), String::new()), "{args:?}");
    }
}

async fn u09_output_that_cannot_be_written_is_an_error(server: Shared) {
    for args in PRINTING.iter().filter(|args| args[0] != "--help") {
        let mut command = server.command();
        command.args(*args);
        let ended = with_output_to(command, "/dev/full");
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {}", stderr(&ended));
        assert!(stderr(&ended).contains("No space left on device"), "{args:?}: {}", stderr(&ended));
    }
}

async fn b1_a_secret_that_cannot_be_printed_is_not_lost_in_silence(server: Shared) {
    let client = Spec::confidential().create(server);
    let create = ["client", "create", "--name", "Lost", "--grant", "client_credentials", "--scope", "a:b"];
    for args in [&create[..], &["client", "rotate-secret", &client.id]] {
        for closed in [false, true] {
            let mut command = server.command();
            command.args(args);
            let ended = if closed { with_a_closed_pipe(command) } else { with_output_to(command, "/dev/full") };
            assert_eq!(ended.status.code(), Some(1), "{args:?}");
            assert!(stderr(&ended).contains("latchway client rotate-secret"), "{args:?}: {}", stderr(&ended));
        }
    }
}

async fn b101_names_cannot_steer_a_terminal(server: Shared) {
    // Nothing takes such a title; a database may have it from elsewhere.
    let title = "two\nlines\u{1b}[2J\u{202e}";
    assert!(server.try_cli(&["scope", "set", "steer:it", "--title", title], "").is_err());
    server.cli(&["scope", "set", "steer:it", "--title", "Steer"]);
    server.database.execute(&format!("UPDATE scopes SET title = '{title}' WHERE name = 'steer:it'"));
    let mut command = server.command();
    command.args(["scope", "list"]);
    let printed = stdout(&run(command));
    let line = printed.lines().find(|line| line.starts_with("steer:it")).expect("the scope");
    assert!(line.contains("two\\nlines\\u{1b}[2J\\u{202e}"), "{line}");
    server.cli(&["scope", "delete", "steer:it"]);
}

async fn u17_what_destroys_asks_first(server: Shared) {
    let client = Spec::confidential().create(server);
    let key = server.cli(&["keys", "list"])[0]["kid"].as_str().expect("a key").to_owned();
    for args in [
        &["client", "delete", &client.id][..],
        &["keys", "retire", &key],
        &["client", "update", &client.id, "--scope", ""],
    ] {
        let mut command = server.command();
        command.args(args);
        let ended = run(command);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", stdout(&ended));
        assert!(stderr(&ended).contains("Add --yes to confirm."), "{args:?}: {}", stderr(&ended));
    }
    assert_ne!(server.cli(&["client", "show", &client.id])["scope"], "");
    let mut command = server.command();
    command.args(["client", "update", &client.id, "--scope", "", "--yes"]);
    assert_eq!(run(command).status.code(), Some(0));
}

async fn u17_an_update_says_what_it_changed(server: Shared) {
    let client = Spec::confidential().create(server);
    let mut command = server.command();
    command.args(["client", "update", &client.id, "--name", "Another", "--pkce", "nonce-instead"]);
    let printed = stdout(&run(command));
    assert!(printed.contains("→ Another") && printed.contains("pkce: required → nonce-instead"), "{printed}");
    let mut command = server.command();
    command.args(["client", "show", &client.id]);
    let printed = stdout(&run(command));
    let name = printed.lines().find(|line| line.starts_with("name ")).expect("its name");
    assert!(name.ends_with("Another") && !printed.contains('{'), "{printed}");
    server.cli(&["client", "disable", &client.id]);
    assert_eq!(server.cli(&["client", "enable", &client.id])["status"], "active");
}

async fn u17_a_new_client_says_what_to_do_next(server: Shared) {
    let dir = server.dir.join(format!("next-{}", random(6)));
    let secret = dir.display().to_string();
    for (args, says) in [
        (&["--redirect-uri", "https://next.example/cb"][..], "It has no scope"),
        (&["--redirect-uri", "https://next.example/cb", "--scope", "next:nothing"], "no words for next:nothing"),
        (&["--grant", "client_credentials", "--scope", "next:nothing"], "Its tokens name no API"),
        (&["--grant", "client_credentials", "--secret-file", &secret], "readable by you alone"),
    ] {
        let mut command = server.command();
        command.args(["client", "create", "--name", "Next"]).args(args);
        let printed = stdout(&run(command));
        assert!(printed.contains(says), "{args:?}: {printed}");
        assert!(printed.contains(&format!("Issuer: {}", server.issuer)), "{args:?}: {printed}");
    }
}

async fn u17_a_rotated_secret_can_go_to_a_file(server: Shared) {
    let client = Spec::confidential().create(server);
    let path = server.dir.join(format!("secret-{}", client.id));
    let file = path.to_str().expect("a path");
    let made = server.cli(&["client", "rotate-secret", &client.id, "--overlap", "1h30m", "--secret-file", file]);
    assert!(made.get("client_secret").is_none(), "{made}");
    let secret = std::fs::read_to_string(&path).expect("the secret");
    let form = [("grant_type", "client_credentials")];
    assert_eq!(client.token(&form).await.status, 200, "the old secret counts for an hour and a half");
    assert_eq!(Client { secret: Some(secret), ..client.clone() }.token(&form).await.status, 200);
    let refused = server.try_cli(&["client", "rotate-secret", &client.id, "--overlap", "soon"], "");
    assert!(refused.expect_err("no duration").output.contains("1d12h"));
}

async fn u17_words_are_suggested(server: Shared) {
    for (args, hint) in [
        (&["--grant", "authorizaton_code"][..], "did you mean authorization_code?"),
        (&["--grant", "device-code"], "did you mean device_code?"),
        (&["--pkce", "require"], "did you mean required?"),
        (&["--auth-method", "client_secret_bsic"], "did you mean client_secret_basic?"),
    ] {
        let create = [&["client", "create", "--name", "x"], args].concat();
        let failure = server.try_cli(&create, "").expect_err("a word that does not exist");
        assert!(failure.output.contains(hint), "{args:?}: {}", failure.output);
    }
}

async fn u17_an_address_in_use_is_explained(server: Shared) {
    let address = server.issuer.trim_start_matches("http://").to_owned();
    let data = tempfile::tempdir().expect("a folder");
    for listen in [address.as_str(), address.rsplit(':').next().expect("a port")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchway"));
        command.args(["serve", "--dev", "--listen", listen, "--data"]).arg(data.path());
        let ended = run(command);
        assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
        assert!(stderr(&ended).contains("choose another address with --listen"), "{}", stderr(&ended));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchway"));
    command.args(["serve"]).env_clear();
    let ended = run(command);
    assert!(stderr(&ended).contains("latchway serve --dev"), "{}", stderr(&ended));
}

both![
    u09_a_closed_pipe_ends_quietly,
    u09_output_that_cannot_be_written_is_an_error,
    b1_a_secret_that_cannot_be_printed_is_not_lost_in_silence,
    b101_names_cannot_steer_a_terminal,
    u17_what_destroys_asks_first,
    u17_an_update_says_what_it_changed,
    u17_a_new_client_says_what_to_do_next,
    u17_a_rotated_secret_can_go_to_a_file,
    u17_words_are_suggested,
    u17_an_address_in_use_is_explained,
];
