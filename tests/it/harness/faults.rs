//! Bad days on demand: a full disk, a failing one, a clock that somebody sets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::server::target;

/// Faults of one server, raised and cleared while it runs; see `faults.c`.
pub struct Faults {
    dir: PathBuf,
}

impl Faults {
    pub fn new(dir: &Path) -> Self {
        let dir = dir.join("faults");
        std::fs::create_dir_all(&dir).expect("a directory");
        Self { dir }
    }

    pub(super) fn environment(&self) -> [(String, String); 2] {
        let path = |path: &Path| path.display().to_string();
        [("LD_PRELOAD".to_owned(), path(library())), ("LATCHWAY_TEST_FAULTS".to_owned(), path(&self.dir))]
    }

    /// Nothing more fits on the disk.
    pub fn disk_is_full(&self) {
        self.raise("full", "");
    }

    /// Nothing more fits on the disk of files called `*.log`.
    pub fn log_disk_is_full(&self) {
        self.raise("logfull", "");
    }

    /// The disk takes writes, and fails to keep them.
    pub fn disk_fails(&self) {
        self.raise("eio", "");
    }

    /// Somebody sets the clock, so that it is off by so many seconds.
    pub fn clock_is_off(&self, seconds: i64) {
        self.raise("clock", &seconds.to_string());
    }

    /// The threads that serve requests hang at their end, with all that they hold.
    pub fn workers_linger(&self) {
        self.raise("linger", "");
    }

    /// All is well again.
    pub fn clear(&self) {
        for fault in ["full", "logfull", "eio", "linger", "clock"] {
            let _ = std::fs::remove_file(self.dir.join(fault));
        }
    }

    fn raise(&self, fault: &str, value: &str) {
        // Renamed into its place, so that it is never half there.
        let new = self.dir.join(format!("{fault}.new"));
        std::fs::write(&new, value).expect("a file");
        std::fs::rename(new, self.dir.join(fault)).expect("a fault");
    }
}

/// `faults.c`, compiled.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/harness/faults.c");
        let library = target().join(format!("tmp/faults-{}.so", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(cc.status().expect("a C compiler, which building Latchway needs too").success(), "faults.c");
        library
    })
}
