//! Nothing that a test started outlives the test binary, whichever way that ends.
//!
//! Statics are not dropped, a panic in a static would not help, and SIGKILL runs no code at all. So one small shell
//! process reads what to clean up from a pipe and acts when the pipe closes, which the kernel does for us.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Reads `run PID`, `done PID` and `dir PATH` lines; at the end of its input stops what still runs, then sweeps.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=' ' dirs=''
while read -r verb what; do
  case $verb in
    run) pids="$pids$what " ;;
    done) pids="${pids%% "$what" *} ${pids#* "$what" }" ;;
    dir) dirs="$dirs $what" ;;
  esac
done
[ -z "${pids// }" ] || { kill -TERM $pids; sleep 1; kill -KILL $pids; }
rm -rf -- $dirs
"#;

struct Guard {
    child: Child,
}

fn tell(line: &str) {
    static GUARD: OnceLock<Mutex<Guard>> = OnceLock::new();
    let guard = GUARD.get_or_init(|| {
        let child = Command::new("bash")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash, to clean up after the tests");
        Mutex::new(Guard { child })
    });
    let mut guard = guard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stdin = guard.child.stdin.as_mut().expect("the guard's input");
    writeln!(stdin, "{line}").expect("the guard listens");
}

pub fn started(pid: u32) {
    tell(&format!("run {pid}"));
}

pub fn ended(pid: u32) {
    tell(&format!("done {pid}"));
}

/// A directory without spaces in its name, to be removed in the end.
pub fn remove_at_end(dir: &Path) {
    tell(&format!("dir {}", dir.display()));
}
