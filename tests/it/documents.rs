//! Pages for contributors against the code. Those of `docs/security`: every id in a test's name is explained, and the pages
//! name the files in which the tests are. The glossary: it has every table, and its types exist. `overload.md`: it has every
//! source of a 503 or 429. All of them: the files that they name exist.
//!
//! `LATCHWAY_UPDATE_DOCS=1 cargo test --test it -- documents::` writes the column of tests anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const CATALOGUE: &str = "docs/security/catalogue.md";
const FINDINGS: &str = "docs/security/findings.md";

/// Where tests and fault injection are, for each id of the pages.
type Places = BTreeMap<String, BTreeSet<Place>>;

/// One place where an id is tested.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A file with a test that carries the id, by its path in the repository.
    File(String),
    /// A fault of the fault injector.
    Fault(String),
    /// The checks that the fault injector runs after every fault.
    Invariants,
}

impl Place {
    /// The link in the column.
    fn link(&self) -> String {
        match self {
            Self::File(path) => format!("[{}](../../{path})", path.strip_prefix("tests/it/").unwrap_or(path)),
            Self::Fault(name) => format!("[torture: {name}](../../torture/src/faults/mod.rs)"),
            Self::Invariants => "[torture](../../torture/src/check/mod.rs)".to_owned(),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below these folders, by its path in the repository.
fn rust_files(folders: &[&str]) -> Vec<String> {
    let mut waiting: Vec<PathBuf> =
        folders.iter().map(|folder| root().join(folder)).filter(|folder| folder.exists()).collect();
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(root()).expect("below the root");
                found.push(path.to_str().expect("UTF-8").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The names of the functions in some code.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    let names = code.split("fn ").skip(1);
    names.map(|rest| rest.split(|end: char| !end.is_ascii_alphanumeric() && end != '_').next().unwrap_or_default())
}

/// A number of `digits` digits at the beginning, followed by an underscore, and what follows that.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<(&str, &str)> {
    let (number, rest) = text.split_once('_')?;
    (digits.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())).then_some((number, rest))
}

/// The ids at the beginning of a test's name, as the pages spell them: `a_020_…` is A-020, `b_090_to_092_…` is B-090 to
/// B-092, `t_10_3_…` is T-10.3, `p01_…` is p01.
fn ids(name: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), name);
    loop {
        if let Some((last, more)) = rest.strip_prefix("to_").and_then(|rest| number(rest, 3..=3)) {
            let first: Option<&String> = found.last();
            let Some((letter, first)) = first.and_then(|id| id.split_once('-')) else { return found };
            let (letter, first): (String, u32) = (letter.to_owned(), first.parse().expect("a number"));
            let last: u32 = last.parse().expect("a number");
            found.extend((first + 1..=last).map(|number| format!("{letter}-{number:03}")));
            rest = more;
        } else if let Some((trap, more)) = rest.strip_prefix("t_10_").and_then(|rest| number(rest, 1..=2)) {
            found.push(format!("T-10.{trap}"));
            rest = more;
        } else {
            let Some(letter) = rest.get(..1).filter(|letter| letter.bytes().all(|b| b.is_ascii_lowercase())) else {
                return found;
            };
            if let Some((line, more)) = rest[1..].strip_prefix('_').and_then(|rest| number(rest, 3..=3)) {
                found.push(format!("{}-{line}", letter.to_uppercase()));
                rest = more;
            } else if let Some((finding, more)) = number(&rest[1..], 2..=3) {
                found.push(format!("{letter}{finding}"));
                rest = more;
            } else {
                return found;
            }
        }
    }
}

/// The value of a member in the list of faults or invariants: `name: "crash",`.
fn members<'a>(code: &'a str, member: &str) -> Vec<&'a str> {
    let pattern = format!("{member}: \"");
    code.split(pattern.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The lines that a fault covers, such as `R-001 to R-008, R-020`.
fn targets(text: &str) -> Vec<String> {
    let parse = |id: &str| id.trim().strip_prefix("R-").and_then(|number| number.parse::<u32>().ok());
    let numbers = text.split(", ").flat_map(|part| match part.split_once(" to ") {
        Some((first, last)) => parse(first).zip(parse(last)).map(|(first, last)| first..=last),
        None => parse(part).map(|only| only..=only),
    });
    numbers.flatten().map(|number| format!("R-{number:03}")).collect()
}

/// What the repository tests, by id.
fn places() -> Places {
    let mut places = Places::new();
    for path in rust_files(&["tests/it", "src", "crates", "torture/src", "fuzz/src"]) {
        // The examples of this file are no tests.
        if path != "tests/it/documents.rs" {
            for id in functions(&read(&path)).flat_map(ids) {
                places.entry(id).or_default().insert(Place::File(path.clone()));
            }
        }
    }
    let faults = read("torture/src/faults/mod.rs");
    for (name, text) in members(&faults, "name").iter().zip(members(&faults, "targets")) {
        for id in targets(text) {
            places.entry(id).or_default().insert(Place::Fault((*name).to_owned()));
        }
    }
    for name in members(&read("torture/src/check/mod.rs"), "name") {
        let number: u32 = name.trim_start_matches('I').parse().expect("an invariant's number");
        places.entry(format!("I-{number:03}")).or_default().insert(Place::Invariants);
    }
    places
}

/// The id of a row, if the line is one: the first cell.
fn id_of(line: &str) -> Option<&str> {
    let id = line.strip_prefix("| ")?.split(" |").next()?;
    let has_form = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    id.get(1..).filter(|rest| has_form(rest)).map(|_| id)
}

/// A page with its last column as the tests are.
fn with_places(page: &str, places: &Places) -> String {
    let line = |line: &str| {
        let Some(id) = id_of(line) else { return line.to_owned() };
        let cells = line.trim_end().strip_suffix('|').expect("a row ends with a bar");
        let (cells, _) = cells.rsplit_once('|').expect("a row has cells");
        let links = places.get(id).into_iter().flatten().map(Place::link).collect::<Vec<_>>().join(", ");
        format!("{cells}| {} |", if links.is_empty() { "–" } else { &links })
    };
    page.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// The rows whose last column says what is not so: a place where the id is not tested, or none although there is one.
fn false_rows(page: &str, places: &Places) -> Vec<String> {
    let is_false = |line: &&str| {
        let Some(id) = id_of(line) else { return false };
        let links: Vec<String> = places.get(id).into_iter().flatten().map(Place::link).collect();
        let cell = line.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        match cell {
            "–" => !links.is_empty(),
            named => !named.split(", ").all(|link| links.iter().any(|known| known == link)),
        }
    };
    page.lines().filter(is_false).map(str::to_owned).collect()
}

#[test]
fn every_id_in_a_test_name_is_explained() {
    let pages = [read(CATALOGUE), read(FINDINGS)];
    let known: BTreeSet<&str> = pages.iter().flat_map(|page| page.lines()).filter_map(id_of).collect();
    let places = places();
    assert!(places.len() > 300, "the tests are where they are looked for");
    let unknown: Vec<_> = places.iter().filter(|(id, _)| !known.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "add a line to {CATALOGUE} or {FINDINGS} for each of these: {unknown:#?}");
}

#[test]
fn each_line_names_its_tests() {
    let places = places();
    for page in [CATALOGUE, FINDINGS] {
        if std::env::var_os("LATCHWAY_UPDATE_DOCS").is_some() {
            std::fs::write(root().join(page), with_places(&read(page), &places)).expect("the page can be written");
        }
        let found = false_rows(&read(page), &places);
        assert!(found.is_empty(), "{page} names tests that are not there; `scripts/docs` mends it: {found:#?}");
    }
}

#[test]
fn ids_are_explained_once() {
    for page in [CATALOGUE, FINDINGS] {
        let text = read(page);
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = text.lines().filter_map(id_of).filter(|id| !seen.insert(*id)).collect();
        assert!(twice.is_empty(), "{page}: {twice:?}");
    }
}

/// The readers see what they have to see: otherwise the tests above could not fail.
#[test]
fn names_and_rows_are_read() {
    assert_eq!(ids("a_020_trailing_slash"), ["A-020"]);
    assert_eq!(ids("b_090_to_092_no_token_exchange"), ["B-090", "B-091", "B-092"]);
    assert_eq!(ids("f_002_f_003_f_030_what_is_not_offered"), ["F-002", "F-003", "F-030"]);
    assert_eq!(ids("t_10_11_no_shared_state"), ["T-10.11"]);
    assert_eq!(ids("b015_b016_f01_chromium"), ["b015", "b016", "f01"]);
    assert_eq!(ids("every_command_of_the_readme_works"), Vec::<String>::new());
    assert_eq!(ids("p256"), Vec::<String>::new());
    assert_eq!(targets("R-001 to R-003, R-020"), ["R-001", "R-002", "R-003", "R-020"]);
    assert_eq!(functions("async fn a_1(x: u8) {}\nfn b() {}").collect::<Vec<_>>(), ["a_1", "b"]);
    let place = BTreeSet::from([Place::File("tests/it/x.rs".to_owned())]);
    let places = Places::from([("A-001".to_owned(), place)]);
    let page = "| id | what |\n|---|---|\n| A-001 | x | old |\n| p02 | y | old |\ntext\n";
    let expected = "| id | what |\n|---|---|\n| A-001 | x | [x.rs](../../tests/it/x.rs) |\n| p02 | y | – |\ntext\n";
    assert_eq!(with_places(page, &places), expected);
    assert_eq!(false_rows(page, &places).len(), 2);
    assert_eq!(false_rows(expected, &places), Vec::<String>::new());
    assert_eq!(false_rows(expected, &Places::new()).len(), 1);
}

/// What stands between backticks in a page, outside of blocks of code.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2))
}

/// The files and folders of this repository that a page names. A place holder such as `DATE_name` is none.
fn named_paths(page: &str) -> Vec<&str> {
    const FOLDERS: &[&str] =
        &["src/", "crates/", "tests/", "torture/", "docs/", "scripts/", "templates/", "packaging/"];
    let paths = quoted(page).filter(|quoted| FOLDERS.iter().any(|folder| quoted.starts_with(folder)));
    paths.map(|path| path.split([' ', ':']).next().unwrap_or_default()).filter(|path| !path.contains('*')).collect()
}

#[test]
fn files_named_for_contributors_exist() {
    let mut looked_at = 0;
    for page in [
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/glossary.md",
        "docs/reference/overload.md",
        "tests/it/README.md",
    ] {
        let text = read(page);
        let named = named_paths(&text);
        looked_at += named.len();
        let missing: Vec<_> = named.into_iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{page} names what is not there: {missing:?}");
    }
    assert!(looked_at > 40, "the pages name files: {looked_at}");
}

/// The cells of the rows of a page, without headings.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ")).map(|line| line.trim_matches('|'));
    rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
}

#[test]
fn the_glossary_has_every_table_and_its_types_exist() {
    let glossary = read("docs/glossary.md");
    let (_, tables) = glossary.split_once("## Tables and types").expect("the section of tables");
    let documented: BTreeSet<&str> = rows(tables).skip(1).map(|row| row[0]).collect();
    let schema = read("src/storage/schema.rs");
    let tables = schema.split("table! {").skip(1).filter_map(|table| table.split('(').next()).map(str::trim);
    assert_eq!(documented, tables.collect(), "the tables of the glossary and those of the schema");

    let code: String = rust_files(&["src", "crates"]).iter().map(|path| read(path)).collect();
    let is_defined = |name: &&str| {
        [format!("struct {name}"), format!("enum {name}"), format!("    {name} {{")]
            .iter()
            .any(|form| code.contains(form))
    };
    let types = rows(&glossary).filter(|row| row[0] != "term" && row[0] != "table").map(|row| row[2]);
    let unknown: Vec<&str> = types.filter(|name| !name.is_empty() && !is_defined(name)).collect();
    assert!(unknown.is_empty(), "docs/glossary.md names types that are not there: {unknown:?}");
}

/// What answers 503 or 429, as the code writes it.
const OVERLOAD: &[&str] = &[
    "OAuthError::unavailable(",
    "OAuthError::slow_down(",
    "Page(Problem::TooMany",
    "Page(Problem::Unavailable",
    "SERVICE_UNAVAILABLE",
    "TOO_MANY_REQUESTS",
    "ServiceUnavailable(",
    "StorageError::Busy",
    "request::too_many",
];

/// Files that translate these, or that no request reaches.
const NO_SOURCES: &[&str] = &[
    "src/cli/",
    "src/fault.rs",
    "src/http/error.rs",
    "src/jobs/",
    "src/mock/",
    "src/request.rs",
    "src/storage/audit_checkpoints.rs",
    "src/storage/checkpoint_writer.rs",
    "src/storage/error.rs",
];

#[test]
fn each_source_of_a_503_or_429_is_explained() {
    let page = read("docs/reference/overload.md");
    let named: BTreeSet<&str> = named_paths(&page).into_iter().collect();
    let is_source = |path: &String| {
        let text = read(path);
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        !NO_SOURCES.iter().any(|no| path.starts_with(no)) && OVERLOAD.iter().any(|source| code.contains(source))
    };
    let sources: Vec<String> = rust_files(&["src"]).into_iter().filter(is_source).collect();
    assert!(sources.len() > 15, "the sources are where they are looked for: {sources:?}");
    let missing: Vec<&String> = sources.iter().filter(|path| !named.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "add a line to docs/reference/overload.md for each of these: {missing:#?}");

    let settings = read("docs/reference/settings.md");
    let (mut section, mut known) = (String::new(), BTreeSet::new());
    for line in settings.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        } else if let Some((name, _)) = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')) {
            known.insert(format!("{section} {name}"));
        }
    }
    let metrics = read("docs/reference/metrics.md");
    for quoted in quoted(&page) {
        assert!(!quoted.starts_with('[') || known.contains(quoted), "there is no setting {quoted}");
        let row = format!("| `{quoted}` |");
        assert!(!quoted.starts_with("latchway_") || metrics.contains(&row), "there is no metric {quoted}");
    }
}
