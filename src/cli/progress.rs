//! What a person at a terminal sees of long work; a script sees nothing of it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(250);

/// One line on standard error that is written over and over.
pub struct Progress {
    shown: bool,
    since: Option<Instant>,
}

impl Progress {
    pub fn new() -> Self {
        Self { shown: false, since: None }
    }

    /// Shows where the work is, not more often than one can read it.
    pub fn show(&mut self, what: impl FnOnce() -> String) {
        if !std::io::stderr().is_terminal() || self.since.is_some_and(|since| since.elapsed() < PAUSE) {
            return;
        }
        self.since = Some(Instant::now());
        self.shown = true;
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\r\x1b[2K{}", what()).and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

/// Shows how a file grows that something else writes, until it is dropped.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn file(path: PathBuf, of: u64) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut progress = Progress::new();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
                progress.show(|| format!("copied {} of at most {}", size(bytes), size(of)));
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!([size(17), size(1536), size(5 << 30)], ["17 bytes", "1.5 KiB", "5.0 GiB"]);
    }
}
