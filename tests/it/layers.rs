//! The layering rules: which module may import which. Adjust the layers when the plan changes, and say why.

use std::path::{Path, PathBuf};

/// The layers as the map in `src/lib.rs` has them, from top to bottom. A module may import what lies below its layer, and
/// nothing of its own layer.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["lib"],
    &["cli", "fuzzing"],
    &["http"],
    &["jobs"],
    &["mock"],
    &["pages", "oauth", "api"],
    &["issuing"],
    &["oidc"],
    &["flow", "bearer", "api_key", "request"],
    &["app"],
    &["identity", "keys", "defense"],
    &["audit"],
    &["fault", "route"],
    &["storage"],
    &["config", "domain"],
    &["protocol"],
    &["support"],
];

/// What a module may import besides itself.
fn allowed(module: &str) -> Vec<&'static str> {
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    let layer = layer.unwrap_or_else(|| panic!("no layer has the module {module}: add it in tests/it/layers.rs"));
    LAYERS[layer + 1..].concat()
}

/// The top-level module of a path inside the crate, such as `http::error::Refusal`.
fn module_of_path(path: &str) -> String {
    path.split("::").next().unwrap_or_default().to_owned()
}

/// The top-level module of a file, by its path below `src`.
fn module_of_file(file: &Path) -> String {
    let module = file.with_extension("").iter().next().map(|part| part.to_string_lossy().into_owned());
    module.unwrap_or_default()
}

/// Every `crate::…` path in some code, with groups written out.
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let inside_a_word = code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !inside_a_word && !code[..at].ends_with('$') {
            expand("", &code[at + "crate::".len()..], &mut paths);
        }
    }
    paths
}

/// Adds the paths of one use-tree: a name, a name and more, or a group.
pub(crate) fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        items(group).iter().for_each(|item| expand(prefix, item, paths));
        return;
    }
    let length = tree.find(|end: char| !end.is_alphanumeric() && end != '_').unwrap_or(tree.len());
    let path = format!("{prefix}{}", &tree[..length]);
    match tree[length..].strip_prefix("::") {
        Some(more) => expand(&format!("{path}::"), more, paths),
        None => paths.push(path),
    }
}

/// The items of a group, given all that follows its opening brace.
fn items(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut items) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                items.push(group[begin..at].trim());
                begin = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// A source file without its comments and without its unit tests.
pub(crate) fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let uncommented = |line: &str| match line.split_once("//") {
        Some((before, _)) if !before.contains('"') => before.to_owned(),
        _ => line.to_owned(),
    };
    code.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// Every file below `src`, as its path there and its text.
fn sources() -> Vec<(PathBuf, String)> {
    sources_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The folder of the server's sources (`true`), and those of the crates below `crates`.
pub(crate) fn all_roots() -> Vec<(PathBuf, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = std::fs::read_dir(root.join("crates")).expect("the crates");
    let crates = crates.map(|entry| (entry.expect("an entry").path().join("src"), false));
    crates.chain([(root.join("src"), true)]).collect()
}

/// The files of the server and of the crates below `crates`.
fn all_sources() -> Vec<(PathBuf, String)> {
    let found: Vec<_> = all_roots().iter().flat_map(|(root, _)| sources_below(root)).collect();
    assert!(
        found.iter().any(|(file, _)| file == Path::new("introspect.rs")),
        "the crates are where they are looked for"
    );
    found
}

pub(crate) fn sources_below(root: &Path) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of src").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&entry).expect("a source file");
                found.push((entry.strip_prefix(root).expect("below src").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 3, "the sources are where they are looked for");
    found
}

/// The imports of one file that the layers do not allow.
fn layer_violations(file: &Path, source: &str) -> Vec<String> {
    let module = module_of_file(file);
    let allowed = allowed(&module);
    let is_allowed = |to: &String| *to == module || allowed.contains(&to.as_str());
    let paths = crate_paths(&code_of(source)).into_iter();
    let imported = paths.filter(|path| path.starts_with(char::is_lowercase)).map(|path| module_of_path(&path));
    imported
        .filter(|to| !is_allowed(to))
        .map(|to| format!("src/{}: {module} must not import {to}", file.display()))
        .collect()
}

/// The files in which a piece of code appears, except those excused.
fn files_with(what: &str, excused: impl Fn(&Path) -> bool) -> Vec<String> {
    let files = all_sources().into_iter().filter(|(file, text)| !excused(file) && code_of(text).contains(what));
    files.map(|(file, _)| format!("src/{}", file.display())).collect()
}

#[test]
fn dependencies_point_down() {
    let found: Vec<String> = sources().iter().flat_map(|(file, text)| layer_violations(file, text)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The map that people read and the layers that are checked are the same.
#[test]
fn lib_rs_map_matches_layers() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let map = lib.split("```").nth(1).expect("the map in src/lib.rs").lines().skip(1);
    let drawn: Vec<Vec<&str>> = map
        .filter_map(|line| line.strip_prefix("//! ").filter(|line| !line.is_empty()))
        .map(|line| line.split("   ").next().unwrap_or_default().split_whitespace().collect())
        .collect();
    assert_eq!(drawn, LAYERS[2..]);
}

#[test]
fn no_triple_super() {
    assert_eq!(files_with("super::super::super", |_| false), Vec::<String>::new());
}

#[test]
fn only_one_file_imports_oxide_auth() {
    assert_eq!(files_with("oxide_auth::", |file| file == Path::new("oauth/oxide.rs")), Vec::<String>::new());
}

#[test]
fn only_storage_knows_sql() {
    assert_eq!(files_with("diesel", |file| file.starts_with("storage")), Vec::<String>::new());
}

#[test]
fn nothing_unwraps() {
    assert_eq!(files_with(".unwrap()", |_| false), Vec::<String>::new());
}

#[test]
fn source_files_stay_under_400_lines() {
    let long = |(file, text): &(PathBuf, String)| {
        let lines = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
        (lines > 400).then(|| format!("src/{}: {lines} lines", file.display()))
    };
    assert_eq!(all_sources().iter().filter_map(long).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The reader of imports sees what it has to see: otherwise the tests above could not fail.
#[test]
fn imports_are_read() {
    let code = "use crate::domain::User;\nuse crate::{keys::{self, ring::Ring}, http::error as e};\nlet x = crate::cli::run();";
    assert_eq!(crate_paths(code), ["domain::User", "keys::self", "keys::ring::Ring", "http::error", "cli::run"]);
    assert_eq!(crate_paths("mycrate::x; // nothing"), Vec::<String>::new());
    let upward = layer_violations(Path::new("storage/users.rs"), "use crate::{domain::User, oauth::token};");
    assert_eq!(upward, ["src/storage/users.rs: storage must not import oauth"]);
    assert_eq!(layer_violations(Path::new("pages/login.rs"), "use crate::oauth::x;").len(), 1, "sideways");
    assert_eq!(layer_violations(Path::new("oauth/token/mod.rs"), "use crate::http::routes;").len(), 1, "up");
    assert_eq!(layer_violations(Path::new("oauth/token/mod.rs"), "use crate::oidc::id_token;").len(), 0, "down");
    assert_eq!(
        layer_violations(Path::new("keys/ring.rs"), "fn x() {}\n#[cfg(test)]\nmod tests { use crate::cli; }").len(),
        0
    );
}

/// The functions of a source, each from its name to the next one's.
fn functions(code: &str) -> Vec<&str> {
    let starts: Vec<usize> = code.match_indices("fn ").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([code.len()]);
    starts.iter().zip(ends).map(|(start, end)| &code[*start + 3..end]).collect()
}

/// The lists of one storage file that are cut off for a page, as they are called: `sessions::list_live(`.
fn cut_lists(file: &Path, code: &str) -> Vec<String> {
    let module = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let cut = functions(code).into_iter().filter(|body| body.contains(".limit(") && body.contains("Vec<"));
    cut.map(|body| format!("{module}::{}(", body.split('(').next().unwrap_or_default())).collect()
}

/// The functions that call one of these lists and end something as well.
fn walks(file: &Path, code: &str, lists: &[String]) -> Vec<String> {
    const ENDS: &[&str] = &["revoke", "::end(", "::end_", "::forget", "::erase", "::delete", "::retire", "::disable"];
    let walks = |body: &&str| lists.iter().any(|list| body.contains(list)) && ENDS.iter().any(|end| body.contains(end));
    let name = |body: &str| body.split('(').next().unwrap_or_default().to_owned();
    functions(code).into_iter().filter(walks).map(|body| format!("src/{}: {}", file.display(), name(body))).collect()
}

/// P6: what ends things is one UPDATE by condition. A list that is cut off for a page leaves the rest standing.
#[test]
fn p06_nothing_that_ends_walks_over_a_cut_list() {
    let sources: Vec<_> = sources().into_iter().map(|(file, text)| (file, code_of(&text))).collect();
    let storage = sources.iter().filter(|(file, _)| file.starts_with("storage"));
    let lists: Vec<String> = storage.flat_map(|(file, code)| cut_lists(file, code)).collect();
    for known in ["sessions::list_live(", "grants::list_live("] {
        assert!(lists.iter().any(|list| list == known), "{known} is cut: {lists:?}");
    }
    let found: Vec<String> = sources.iter().flat_map(|(file, code)| walks(file, code, &lists)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    let bad = "fn a() { sessions::list_live(x); }\nfn b() { for s in sessions::list_live(x) { sessions::end(s) } }";
    assert_eq!(walks(Path::new("x.rs"), bad, &lists), ["src/x.rs: b"]);
}

/// A reader meets a file by its first sentence: what it is for, before what it imports.
#[test]
fn every_file_has_a_module_doc() {
    let mut waiting: Vec<PathBuf> = ["src", "crates", "torture/src", "benches", "fuzz/src"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .into();
    let (mut without, mut looked_at) = (Vec::new(), 0);
    while let Some(folder) = waiting.pop() {
        for entry in
            std::fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() && !entry.ends_with("target") {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                looked_at += 1;
                let text = std::fs::read_to_string(&entry).expect("a source file");
                let first = text.lines().find(|line| !line.is_empty() && !line.starts_with("#![")).unwrap_or_default();
                if first.strip_prefix("//! ").is_none_or(|sentence| sentence.trim().is_empty()) {
                    without.push(entry);
                }
            }
        }
    }
    assert!(looked_at > 300, "the sources are where they are looked for");
    assert!(without.is_empty(), "these files begin without a module doc (`//! What it is for.`): {without:#?}");
}
