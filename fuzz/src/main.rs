//! libFuzzer over the parsers of what strangers send. `FUZZ_TARGET` names the target; `scripts/fuzz` runs them all.
#![no_main]

use std::sync::OnceLock;

use latchway::fuzzing::{TARGETS, Target};

fn target() -> Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    *TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        *found.unwrap_or_else(|| {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            panic!("FUZZ_TARGET is none of {}", names.join(", "))
        })
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (target().1)(bytes));
