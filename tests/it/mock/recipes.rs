//! The recipes of `docs/mock.md`, run as they stand in `examples/mock`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mock").join(name)
}

fn shop() -> Mock {
    Mock::start(&std::fs::read_to_string(example("mock.toml")).expect("the example's settings"))
}

/// Runs a recipe with the built binary on its path; its last line.
fn run(mut command: Command, mock: &Mock) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_latchway"));
    let folder = binary.parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let output = command.env("MOCK", &mock.base).env("PATH", path).output().expect("the recipe runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

fn script(name: &str, mock: &Mock) -> String {
    let mut command = Command::new("sh");
    command.arg(example(name));
    run(command, mock)
}

/// A module beside the tests' other clients, so that it finds what it imports.
fn module(name: &str, mock: &Mock) -> String {
    let node = std::env::var("LATCHWAY_TEST_NODE").expect("LATCHWAY_TEST_NODE: run `scripts/test`");
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node");
    let copy = clients.join(format!(".{}-{name}", std::process::id()));
    std::fs::copy(example(name), &copy).expect("a copy");
    let mut command = Command::new(node);
    command.arg(&copy).current_dir(clients);
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(command, mock)));
    std::fs::remove_file(&copy).expect("removed");
    told.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Fails if oidc-client-ts in a browser cannot do what the script tells.
async fn a_react_page() {
    let mock = shop();
    let screenshots = target().join("screenshots");
    std::fs::create_dir_all(&screenshots).expect("a folder");
    run_script("node/mock-react.mjs", &[("MOCK", &mock.base), ("SCREENSHOTS", &screenshots.display().to_string())]);
}

/// Fails if openid-client does not find its way back to a private-use scheme, or cannot use what it brought.
async fn a_mobile_redirect() {
    assert_eq!(module("mobile.mjs", &shop()), "Alice has 1 order");
}

/// Fails if any of the defects gets through, or a good token does not.
async fn an_api_test_in_ci() {
    assert_eq!(script("ci.sh", &shop()), "the API keeps its doors");
}

/// Fails if time does not make a token expire, or a rule does not end a refresh.
async fn an_expired_session() {
    assert_eq!(module("expired.mjs", &shop()), "expired, refused, and as good as new");
}

/// Fails if who asks makes no difference.
async fn admin_versus_user() {
    assert_eq!(script("who.sh", &shop()), "Alice sees her tea, Bob sees it all");
}

/// Fails if the page shows another recipe than the one that is tested.
async fn the_page_shows_what_is_tested() {
    let page = include_str!("../../../docs/mock.md");
    for name in ["mock.toml", "react/app.jsx", "mobile.mjs", "ci.sh", "expired.mjs", "who.sh"] {
        let text = std::fs::read_to_string(example(name)).expect("an example");
        let (_, after) = page
            .split_once(&format!("<!-- examples/mock/{name} -->\n```"))
            .unwrap_or_else(|| panic!("{name} is not on the page"));
        let shown = after.split_once('\n').and_then(|(_, rest)| rest.split_once("```")).expect("a block").0;
        assert!(text.contains(shown.trim_end()), "{name} reads otherwise than on the page:\n{shown}");
    }
}

/// Fails if a mock is not ready at once, or takes up much. Figures of a debug build, with room for a busy machine; those of a
/// release build are in docs/mock.md.
async fn it_is_small_and_quick() {
    let begin = Instant::now();
    let mock = shop();
    assert!(begin.elapsed() < Duration::from_secs(8), "ready after {:?}", begin.elapsed());
    assert!(mock.resident_kib() < 96 * 1024, "{} KiB", mock.resident_kib());
    assert_eq!(mock.log(), "", "nothing to complain of");
}

once![
    a_react_page,
    a_mobile_redirect,
    an_api_test_in_ci,
    an_expired_session,
    admin_versus_user,
    the_page_shows_what_is_tested,
    it_is_small_and_quick,
];
