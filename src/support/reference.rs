//! The generated parts of `docs/reference`: unit tests render them from the code and compare them with the pages.
//!
//! A page is prose with blocks between `<!-- begin NAME -->` and `<!-- end NAME -->`. `scripts/docs` writes the blocks.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Two blocks of one page are not read and written at once.
static PAGES: Mutex<()> = Mutex::new(());

/// Compares a block of a page with what the code says, or writes it where `LATCHWAY_UPDATE_DOCS` is set.
#[track_caller]
pub fn check_block(page: &str, name: &str, expected: &str) {
    let _one_at_a_time = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no block {name}"));
    let (block, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the block {name} of {page} has no end"));
    let expected = format!("\n{}\n\n", expected.trim());
    if std::env::var_os("LATCHWAY_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).expect("the page can be written");
        return;
    }
    let differs = block.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(
        block == expected,
        "docs/reference/{page} differs from the code; run scripts/docs, which writes it anew.\nfirst difference: {differs:#?}"
    );
}

/// A table of Markdown.
pub fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut table = line(&heads.map(str::to_owned)) + "|" + &"---|".repeat(N) + "\n";
    for row in rows {
        table += &line(&row.map(|cell| cell.replace('|', "\\|")));
    }
    table
}
