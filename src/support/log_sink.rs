//! Where log lines go: a bounded queue, and one thread that writes them to standard error.
//!
//! Logging never blocks a request and never fails: a standard error that is full, closed or not read costs lines, which are
//! counted in `latchway_log_lines_dropped_total`, and nothing else. When it takes lines again, one line says how many it lost.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Lines that may wait.
const MAX_LINES: usize = 8192;
/// Bytes that may wait.
const MAX_BYTES: usize = 8 << 20;
/// How long a standard error that takes nothing at the moment is left alone.
const RETRY: Duration = Duration::from_millis(20);
/// How long the end of the process waits for the lines that are queued.
const FLUSH: Duration = Duration::from_secs(1);

/// Counts the lines that were lost.
pub const DROPPED: &str = "latchway_log_lines_dropped_total";

static SINK: OnceLock<LogSink> = OnceLock::new();

/// The queue. Writing into it takes a whole line at a time and always succeeds.
#[derive(Clone)]
pub struct LogSink {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    /// Lines that were lost and of which no line has told yet.
    lost: AtomicU64,
}

enum Message {
    Line(Vec<u8>),
    /// All lines before it are written.
    Flush(SyncSender<()>),
}

impl LogSink {
    /// The one sink of this process, on its standard error.
    ///
    /// # Errors
    /// If the process has no standard error, or no thread can be started.
    pub fn to_stderr() -> io::Result<Self> {
        if let Some(sink) = SINK.get() {
            return Ok(sink.clone());
        }
        // A descriptor of its own: whatever else writes to standard error does not wait for a lock that this thread holds.
        let sink = Self::start(File::from(io::stderr().as_fd().try_clone_to_owned()?))?;
        Ok(SINK.get_or_init(|| sink).clone())
    }

    fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = sync_channel(MAX_LINES);
        let shared = Arc::new(Shared::default());
        let writer = Writer { out, is_torn: false, shared: shared.clone() };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&messages))?;
        Ok(Self { queue, shared })
    }

    fn push(&self, line: &[u8]) {
        let waiting = self.shared.bytes.fetch_add(line.len(), Ordering::Relaxed);
        if waiting > MAX_BYTES || self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.shared.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.shared.lose();
        }
    }

    fn flush_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (done, flushed) = sync_channel(1);
        while self.queue.try_send(Message::Flush(done.clone())).is_err() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        flushed.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// Waits for the lines that are queued, but not for a standard error that takes none. For the end of the process.
pub fn flush() {
    if let Some(sink) = SINK.get() {
        sink.flush_within(FLUSH);
    }
}

impl Write for &LogSink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(DROPPED).increment(1);
    }
}

/// The thread's own.
struct Writer<W> {
    out: W,
    /// A line was written in part: the next one begins on a line of its own.
    is_torn: bool,
    shared: Arc<Shared>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut works = true;
        loop {
            let message = match messages.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    let lost = if works { self.shared.lost.swap(0, Ordering::Relaxed) } else { 0 };
                    if lost > 0 {
                        tracing::warn!(lines = lost, "log lines were lost, because standard error did not take them");
                    }
                    let Ok(message) = messages.recv() else { return };
                    message
                }
            };
            match message {
                Message::Line(line) => {
                    self.shared.bytes.fetch_sub(line.len(), Ordering::Relaxed);
                    works = self.write_whole(&line).is_ok();
                    if !works {
                        self.shared.lose();
                    }
                }
                Message::Flush(done) => _ = done.try_send(()),
            }
        }
    }

    fn write_whole(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_all(b"\n")?;
            self.is_torn = false;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.out.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    bytes = &bytes[length..];
                    self.is_torn = !bytes.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that another process made non-blocking, and that is full.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Takes what is written, or nothing, or a part.
    #[derive(Clone, Default)]
    struct Disk {
        written: Arc<Mutex<Vec<u8>>>,
        full: Arc<AtomicBool>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.lock().expect("the disk").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_and_nothing_else() {
        let disk = Disk::default();
        let sink = LogSink::start(disk.clone()).expect("a thread");
        let say = |text: &str| (&sink).write_all(text.as_bytes()).expect("it never fails");
        let flushed = || assert!(sink.flush_within(Duration::from_secs(60)));
        say("one\n");
        flushed();
        disk.full.store(true, Ordering::SeqCst);
        (0..3 * MAX_LINES).for_each(|_| say("two\n"));
        flushed();
        assert_eq!(sink.shared.lost.load(Ordering::SeqCst), 3 * MAX_LINES as u64);
        disk.full.store(false, Ordering::SeqCst);
        say("three\n");
        flushed();
        assert_eq!(*disk.written.lock().expect("the disk"), b"one\nthree\n");
        assert_eq!(sink.shared.bytes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_reader_that_sleeps_holds_nobody_up() {
        let disk = Disk::default();
        let asleep = disk.written.lock().expect("the disk");
        let sink = LogSink::start(disk.clone()).expect("a thread");
        (0..2 * MAX_LINES).for_each(|_| (&sink).write_all(b"line\n").expect("it never fails"));
        assert!(!sink.flush_within(Duration::from_millis(10)), "it is not waited for");
        assert!(sink.shared.lost.load(Ordering::SeqCst) >= MAX_LINES as u64 - 1);
        drop(asleep);
        assert!(sink.flush_within(Duration::from_secs(60)));
    }
}
