//! How long each test takes, for `scripts/test --slowest`.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

/// Appends a line `SECONDS NAME` to the file that `LATCHWAY_TEST_TIMES` names when the value is dropped.
pub struct Measured {
    begun: Instant,
}

/// Begins to measure the test of this thread, which libtest names after it.
pub fn measure() -> Measured {
    Measured { begun: Instant::now() }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Some(file) = std::env::var_os("LATCHWAY_TEST_TIMES") else { return };
        let thread = std::thread::current();
        let line = format!("{:.2} {}\n", self.begun.elapsed().as_secs_f64(), thread.name().unwrap_or("?"));
        // One write, so that lines of tests that end at once do not mix.
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
