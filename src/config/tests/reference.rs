//! `docs/reference/settings.md`: every setting, from the template and the rules.

use crate::config::keys::{self, Key};
use crate::config::template;
use crate::support::reference::{check_block, table};

/// A setting as the template has it.
struct Documented {
    section: String,
    name: String,
    default: String,
    /// The paragraph above it.
    meaning: String,
}

/// A section with the paragraphs that stand before that of its first setting.
#[derive(Default)]
struct Section {
    name: String,
    about: Vec<String>,
    settings: Vec<Documented>,
}

/// The name and the default of a line of the template, the secrets among them that are commented out.
fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("# ").filter(|rest| rest.ends_with("encryption_key = \"\"")).unwrap_or(line);
    line.split_once(" = ").filter(|(name, _)| !name.starts_with('#'))
}

fn sections() -> Vec<Section> {
    let (mut sections, mut paragraphs): (Vec<Section>, Vec<String>) = (Vec::new(), vec![String::new()]);
    for line in template().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), ..Section::default() });
            paragraphs = vec![String::new()];
        } else if let (Some((name, default)), Some(section)) = (setting(line), sections.last_mut()) {
            let meaning = paragraphs.pop().unwrap_or_default();
            section.about.extend(std::mem::replace(&mut paragraphs, vec![String::new()]));
            let (name, default) = (name.to_owned(), default.to_owned());
            section.settings.push(Documented { section: section.name.clone(), name, default, meaning });
        } else if let Some(comment) = line.strip_prefix('#') {
            match comment.trim() {
                "" => paragraphs.push(String::new()),
                text => {
                    let paragraph = paragraphs.last_mut().expect("a paragraph");
                    *paragraph += if paragraph.is_empty() { "" } else { " " };
                    *paragraph += text;
                }
            }
        }
    }
    sections
}

/// What a value may be: what the error says of one that may not.
fn range(key: &Key) -> String {
    let wanted = key.rule.wanted();
    wanted.strip_prefix("must be ").unwrap_or(&wanted).to_owned()
}

#[test]
fn reference_has_every_setting() {
    let mut page = String::new();
    for section in sections() {
        page += &format!("## [{}]\n\n", section.name);
        for paragraph in section.about.iter().filter(|paragraph| !paragraph.is_empty()) {
            page += &format!("{paragraph}\n\n");
        }
        let rows = section.settings.iter().map(|setting| {
            let key = keys::find(&setting.section, &setting.name).expect("a key of the template is known");
            let default = format!("`{}`", setting.default);
            [
                format!("`{}`", setting.name),
                default,
                range(key),
                setting.meaning.clone(),
                format!("`{}`", key.variable()),
            ]
        });
        page += &table(["key", "default", "value", "meaning", "environment variable"], rows);
        page += "\n";
    }
    check_block("settings.md", "settings", &page);
}
