//! `docs/reference/settings.md`: every setting, from its declaration.

use crate::config::keys::Key;
use crate::config::sections::SECTIONS;
use crate::support::reference::{check_block, table};

/// What a value may be: what the error says of one that may not.
fn range(key: &Key) -> String {
    let wanted = key.rule.wanted();
    wanted.strip_prefix("must be ").unwrap_or(&wanted).to_owned()
}

fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[test]
fn reference_has_every_setting() {
    let mut page = String::new();
    for section in SECTIONS {
        page += &format!("## [{}]\n\n{}\n\n", section.name, paragraph(section.about));
        let rows = section.keys.iter().map(|key| {
            let default = if key.default == "none" { "none".to_owned() } else { format!("`{}`", key.default) };
            let (name, variable) = (format!("`{}`", key.name), format!("`{}`", key.variable()));
            [name, default, range(key), paragraph(key.doc), variable]
        });
        page += &table(["key", "default", "value", "meaning", "environment variable"], rows);
        page += "\n";
    }
    check_block("settings.md", "settings", &page);
}
