//! The log of a serving process: lines through one sink that never blocks, in one form. `docs/logging.md` has the fields.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::context::Usage;
use crate::config::LogFormat;
use crate::support::log_sink::{self, LogSink};

/// An error that the log has, so that it is not printed a second time.
#[derive(Debug, thiserror::Error)]
#[error("see the log")]
pub struct Logged {
    pub exit_code: u8,
}

/// Starts the log of this process. Called a second time it changes nothing.
pub fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let sink = LogSink::to_stderr()?;
    let _ = FORMAT.set(format);
    let filter = EnvFilter::try_new(level).map_err(|e| super::context::usage(format!("[log] level: {e}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(move || Line(sink.clone()));
    // Whoever calls again, such as to log that the start failed, has a log already.
    let _ = match format {
        LogFormat::Json => builder.event_format(Json).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    log_panics();
    Ok(())
}

/// Runs a server. Why it failed goes to the log in the log's own form, so that nothing else is mixed into it; `before` is that
/// form as long as the configuration was not read.
pub fn run(before: LogFormat, serve: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let ended = serve().or_else(|error| {
        if *FORMAT.get().unwrap_or(&before) == LogFormat::Text {
            return Err(error);
        }
        start(LogFormat::Json, "info")?;
        let is_usage = error.downcast_ref::<Usage>().is_some();
        tracing::error!(error = format!("{error:#}"), "the server ends");
        Err(Logged { exit_code: if is_usage { 2 } else { 1 } }.into())
    });
    log_sink::flush();
    ended
}

/// The form of the log before the configuration was read: JSON, unless a person reads it.
pub fn form_before_config(dev: bool) -> LogFormat {
    let asked_for = std::env::var("LATCHWAY__LOG__FORMAT").is_ok_and(|format| format == "text");
    if dev || asked_for || std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
}

static FORMAT: std::sync::OnceLock<LogFormat> = std::sync::OnceLock::new();

/// One line on its way into the sink.
struct Line(LogSink);

impl std::io::Write for Line {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        (&self.0).write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A panic ends one request and not the process. It must be seen all the same, in the log and in the metrics, and the
/// log gets where it was and not what was in the request. Nothing here can panic itself, which would end the process: the
/// sink takes every line.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        metrics::counter!("latchway_panics_total").increment(1);
        let place = panic.location().map(|place| (place.file(), place.line()));
        let (file, line) = place.unwrap_or_default();
        // Of another crate the path begins where it was built, which is nobody's business.
        let file = file.split_once("/registry/src/").map_or(file, |(_, of_crate)| of_crate);
        tracing::error!(file, line, backtrace = %std::backtrace::Backtrace::capture(), "a panic");
    }));
}

/// An event as one object on one line: `timestamp`, `level`, `target`, `message` and the event's own fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        use tracing_log::NormalizeEvent;
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields(String::with_capacity(512));
        fields.put("timestamp", &timestamp.into());
        fields.put("level", &metadata.level().as_str().into());
        fields.put("target", &metadata.target().into());
        event.record(&mut fields);
        writeln!(writer, "{}}}", fields.0)
    }
}

/// An object that is not closed yet.
struct Fields(String);

impl Fields {
    fn put(&mut self, name: &str, value: &Value) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        // Writing into a string does not fail.
        let _ = write!(self.0, "{}:{value}", Value::from(name));
    }

    fn record(&mut self, field: &Field, value: Value) {
        // Where a line of another crate was written says where that crate was built.
        if !field.name().starts_with("log.") {
            self.put(field.name(), &value);
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format!("{value:?}").into());
    }
}
