//! Keys by their names, and those whose names are like what was written.

use strsim::normalized_damerau_levenshtein as likeness;

use super::keys::Key;
use super::sections::SECTIONS;

/// Every setting.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The key of that name, if there is one.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    all().find(|key| key.section == section && key.name == name)
}

/// Whether there is a section of that name.
pub(super) fn is_section(section: &str) -> bool {
    SECTIONS.iter().any(|known| known.name == section)
}

/// The key most like what was written, by section and name together; the name counts more, since a key in the wrong
/// section is a common slip.
pub(super) fn nearest(section: &str, name: &str) -> &'static Key {
    most_like(|key| likeness(key.section, section) + 2.0 * likeness(key.name, name))
}

/// The key whose name alone is most like what was written.
pub(super) fn nearest_name(name: &str) -> &'static Key {
    most_like(|key| likeness(key.name, name))
}

/// The section whose name is most like what was written.
pub(super) fn nearest_section(section: &str) -> &'static str {
    most_like(|key| likeness(key.section, section)).section
}

fn most_like(score: impl Fn(&Key) -> f64) -> &'static Key {
    all().fold(&SECTIONS[0].keys[0], |best, key| if score(key) > score(best) { key } else { best })
}
