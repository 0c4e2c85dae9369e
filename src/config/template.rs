//! The configuration file to start from: every setting with its documentation and its default.

use std::sync::LazyLock;

use super::sections::SECTIONS;

const HEAD: &str = "\
# Latchway: every setting with its default.
#
# Each value can be overridden, the later winning, by
#   1. a TOML file like this one: `--config FILE`, or the environment variable LATCHWAY_CONFIG; it need hold only what
#      differs from the defaults;
#   2. the environment: LATCHWAY__SECTION__KEY, such as LATCHWAY__SERVER__ISSUER=https://id.example;
#      LATCHWAY__SECTION__KEY_FILE names a file that holds the value, for secrets. Lists are separated by commas;
#   3. flags, such as `--listen`.
# `latchway config check` tells what is wrong, `latchway config print` what is in force.
";

/// The template, which is the source of every default: it is read before all that an operator sets.
pub fn template() -> &'static str {
    static TEMPLATE: LazyLock<String> = LazyLock::new(write);
    &TEMPLATE
}

fn write() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push('\n');
        for line in section.about {
            text.push_str(&format!("#{line}\n"));
        }
        text.push_str(&format!("[{}]\n", section.name));
        for key in section.keys {
            for line in key.doc {
                text.push_str(&format!("#{line}\n"));
            }
            match key.default {
                "none" => text.push_str(&format!("# {} = \"\"\n", key.name)),
                default => text.push_str(&format!("{} = {default}\n", key.name)),
            }
        }
    }
    text
}
