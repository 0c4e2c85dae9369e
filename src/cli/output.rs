//! The one writer of the command line's standard output.
//!
//! A failed write never panics. It is remembered, what follows is dropped, and [`finish`] reports it: a reader that closed
//! its pipe has seen enough, any other failure ends the command with exit code 1.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use serde_json::Value;

use super::context::{Context, usage};

static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints one line for people, formatted as by `println!`. Control characters but the line break are escaped, because
/// names come from elsewhere and must not steer a terminal.
macro_rules! outln {
    () => { $crate::cli::output::line(format_args!("")) };
    ($($arg:tt)*) => { $crate::cli::output::line(format_args!($($arg)*)) };
}

/// Writes one line for people. Called by `outln!`.
pub fn line(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(printable).collect();
    raw(&format!("{}\n", lines.join("\n")));
}

/// Writes text as it is: JSON and TOML, which escape by themselves.
pub fn raw(text: &str) {
    let mut failed = FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if failed.is_some() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        *failed = Some(error);
    }
}

/// Reports a failed write. A closed pipe is none: its reader has seen enough.
///
/// # Errors
/// What the operating system said of the first write that failed.
pub fn finish() -> anyhow::Result<()> {
    match FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("standard output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// Whether a command ended because its reader closed the pipe, which is no failure: the reader has seen enough.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints JSON where it is asked for, else calls `text`.
///
/// # Errors
/// None today; a failed write is reported by [`finish`].
pub fn show(context: &Context, json: &Value, text: impl FnOnce()) -> anyhow::Result<()> {
    if context.json {
        raw(&format!("{json}\n"));
    } else {
        text();
    }
    Ok(())
}

/// As [`show`], for output that holds a secret which is never shown again.
///
/// # Errors
/// If the output could not be written, a closed pipe included: the secret is stored and lost, so `remedy` says how to make
/// another.
pub fn show_secret(context: &Context, json: &Value, remedy: &str, text: impl FnOnce()) -> anyhow::Result<()> {
    show(context, json, text)?;
    match FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        Some(error) => Err(anyhow::anyhow!("the secret was made but could not be printed ({error}); {remedy}")),
        None => Ok(()),
    }
}

/// Prints what went wrong to standard error; with `--json` as JSON. Where that cannot be written either, the exit code
/// alone tells.
pub fn failure(context: &Context, error: &anyhow::Error) {
    let text = if context.json {
        serde_json::json!({"error": format!("{error:#}")}).to_string()
    } else {
        let text = format!("error: {error:#}");
        text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
    };
    note(&text);
}

/// Prints a remark for people to standard error, which leaves standard output to what was asked for.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows under a heading, each column as wide as it must be.
pub fn table(heading: &[&str], rows: &[Vec<String>]) {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        raw(&format!("{}\n", padded.join("  ").trim_end()));
    };
    line(heading.to_vec());
    for row in &rows {
        line(row.iter().map(AsRef::as_ref).collect());
    }
}

/// Names and values, one a line. Empty values are left out.
pub fn properties(pairs: &[(&str, String)]) {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        raw(&format!("{name:<width$}  {}\n", printable(value)));
    }
}

/// Asks before something is destroyed. `--yes` answers in advance; without a terminal it is required.
///
/// # Errors
/// [`Usage`](super::context::Usage) if there is no terminal to ask at, or if the answer is not yes.
pub fn confirm(yes: bool, consequence: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage(format!("{consequence} Add --yes to confirm.")));
    }
    let _ = write!(io::stderr().lock(), "{consequence} Continue? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(usage("nothing was changed"))
    }
}

/// Text with every control character, and every character that changes the direction of text, escaped.
fn printable(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_unsafe) {
        text.chars().map(|c| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_cannot_steer_a_terminal() {
        assert_eq!(printable("Łukasz 田中"), "Łukasz 田中");
        assert_eq!(printable("a\nb\x1b[2J\u{202e}\u{9b}c"), "a\\nb\\u{1b}[2J\\u{202e}\\u{9b}c");
    }
}
