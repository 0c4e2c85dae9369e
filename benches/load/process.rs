//! What the kernel knows of a process.

use std::fs;

/// The kernel counts CPU time in hundredths of a second on every Linux that there is.
const TICKS_PER_SECOND: f64 = 100.0;

struct Stat {
    parent: u32,
    own: f64,
    of_dead_children: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which may hold anything, ends with the last parenthesis.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / TICKS_PER_SECOND;
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11) + ticks(12),
        of_dead_children: ticks(13) + ticks(14),
    })
}

/// Seconds of CPU that a process and its threads have used, in user and system mode.
pub fn cpu_seconds(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.own)
}

/// The same for a process with all its children, living and dead; for PostgreSQL.
pub fn cpu_seconds_with_children(pid: u32) -> f64 {
    let Some(parent) = stat(pid) else { return 0.0 };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children: f64 = pids
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .filter(|stat| stat.parent == pid)
        .map(|stat| stat.own)
        .sum();
    parent.own + parent.of_dead_children + children
}

/// A line of /proc/PID/status in MiB, such as `VmRSS`.
pub fn memory_mib(pid: u32, line: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    let kib = found.and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
