//! Clients in other languages, as child processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::guard;

/// Runs `tests/clients/node/*.mjs` or `tests/clients/python/*.py`. Its arguments are its environment, and it fails by
/// its status.
#[track_caller]
pub fn run_script(path: &str, env: &[(&str, &str)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(path);
    let mut command = Command::new(interpreter(&script));
    command.arg(&script).envs(env.iter().copied()).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the interpreter starts");
    let pid = child.id();
    guard::started(pid);
    let output = child.wait_with_output().expect("its output");
    guard::ended(pid);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{path}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}

fn interpreter(script: &Path) -> PathBuf {
    let variable = match script.extension().and_then(|extension| extension.to_str()) {
        Some("mjs") => "LATCHWAY_TEST_NODE",
        _ => "LATCHWAY_TEST_PYTHON",
    };
    let set = std::env::var_os(variable);
    set.unwrap_or_else(|| panic!("{variable} is not set: run `scripts/test`, which prepares the clients")).into()
}
