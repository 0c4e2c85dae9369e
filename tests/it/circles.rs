//! No circle of files inside a module, nor inside a crate below `crates/`. Between modules `layers.rs` sees to that.
//!
//! A file depends on another if it names something in it, by `use` or by a path, that begins with `crate::`, `super::`,
//! `self::` or a module of its own. A name that a `mod.rs` only hands on counts for the file that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layers::{all_roots, code_of, expand, sources_below};

/// The path of a module in its crate, such as `["mock", "rules"]`.
type Module = Vec<String>;

/// The files of one crate, by the module that each is.
struct Files {
    code: BTreeMap<Module, String>,
    names: BTreeMap<Module, PathBuf>,
    /// What a module hands on (`pub use`), by module and name: where it comes from.
    handed_on: BTreeMap<(Module, String), Module>,
}

fn module_of(file: &Path) -> Module {
    let mut module: Module = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

/// Everything from the beginning of each `pub use` to its semicolon, and the code without that.
fn split_exports(code: &str) -> (Vec<String>, String) {
    let (mut exports, mut rest) = (Vec::new(), String::new());
    let mut parts = code.split("pub use ");
    rest.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (export, after) = part.split_once(';').unwrap_or((part, ""));
        exports.push(export.to_owned());
        rest.push_str(after);
    }
    (exports, rest)
}

/// A path as it is written in `module`, from the root of its crate; `None` if it leads to another crate.
fn absolute(text: &str, module: &Module, children: &BTreeSet<String>) -> Option<(Module, String)> {
    let (mut base, mut text) = (module.clone(), text);
    if let Some(rest) = text.strip_prefix("crate::") {
        return Some((Module::new(), rest.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("self::") {
        return Some((base, rest.to_owned()));
    }
    let mut climbs = false;
    while let Some(rest) = text.strip_prefix("super::") {
        base.pop();
        (text, climbs) = (rest, true);
    }
    let first = text.split(|end: char| !end.is_alphanumeric() && end != '_').next().unwrap_or_default();
    (climbs || children.contains(first)).then(|| (base, text.to_owned()))
}

/// Every path in some code of `module`, from the root of its crate, with groups written out.
fn paths(code: &str, module: &Module, children: &BTreeSet<String>) -> Vec<Module> {
    let mut found = Vec::new();
    let mut end = 0;
    for (at, _) in code.match_indices("::") {
        let begin = code[..at].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |before| before + 1);
        // The rest of a path whose beginning was read.
        if begin < end || code[..begin].ends_with("::") || code[..begin].ends_with('$') || begin == at {
            continue;
        }
        let statement = code[begin..].split(';').next().unwrap_or_default();
        if let Some((base, rest)) = absolute(statement, module, children) {
            let mut expanded = Vec::new();
            expand("", &rest, &mut expanded);
            found.extend(expanded.into_iter().map(|path| {
                let names = path.split("::").map(str::to_owned);
                base.iter().cloned().chain(names).collect()
            }));
            end = at + 2;
        }
    }
    found
}

impl Files {
    fn of(sources: Vec<(PathBuf, String)>) -> Self {
        let mut files = Self { code: BTreeMap::new(), names: BTreeMap::new(), handed_on: BTreeMap::new() };
        let sources: Vec<_> =
            sources.into_iter().map(|(file, text)| (module_of(&file), file, code_of(&text))).collect();
        let modules: BTreeSet<Module> = sources.iter().map(|(module, ..)| module.clone()).collect();
        for (module, file, code) in sources {
            let children = children(&modules, &module);
            let (exports, rest) = split_exports(&code);
            for path in exports.iter().flat_map(|export| paths(&format!("{export};"), &module, &children)) {
                if let Some(name) = path.last().cloned() {
                    files.handed_on.insert((module.clone(), name), path);
                }
            }
            files.code.insert(module.clone(), rest);
            files.names.insert(module, file);
        }
        files
    }

    /// The file in which a path ends, through whatever hands it on.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|length| self.code.contains_key(&path[..*length]))?;
        let module = path[..length].to_vec();
        let name = path.get(length).and_then(|name| self.handed_on.get(&(module.clone(), name.clone())));
        match name {
            Some(source) if depth < 5 && source.as_slice() != &path[..=length] => {
                let source: Module = source.iter().chain(&path[length + 1..]).cloned().collect();
                self.file_of(&source, depth + 1)
            }
            _ => Some(module),
        }
    }

    /// What each file depends on, as far as `same` says that it counts.
    fn dependencies(&self, same: impl Fn(&Module, &Module) -> bool) -> BTreeMap<&Module, BTreeSet<Module>> {
        let modules: BTreeSet<Module> = self.code.keys().cloned().collect();
        let of = |module: &Module, code: &str| -> BTreeSet<Module> {
            let paths = paths(code, module, &children(&modules, module)).into_iter();
            let files = paths.filter_map(|path| self.file_of(&path, 0));
            files.filter(|other| other != module && same(module, other)).collect()
        };
        self.code.iter().map(|(module, code)| (module, of(module, code))).collect()
    }

    /// The circles, each as the files in it: those that lead to each other.
    fn circles(&self, same: impl Fn(&Module, &Module) -> bool) -> Vec<String> {
        let dependencies = self.dependencies(same);
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            dependencies.keys().map(|from| (*from, reach(from, &dependencies))).collect();
        let mut circles = BTreeSet::new();
        for (from, to) in &reached {
            let circle: Vec<String> = to
                .iter()
                .filter(|other| reached.get(**other).is_some_and(|back| back.contains(from)))
                .filter_map(|file| self.names.get(*file).map(|name| name.display().to_string()))
                .collect();
            if circle.len() > 1 {
                circles.insert(circle.join(" "));
            }
        }
        circles.into_iter().collect()
    }
}

fn children(modules: &BTreeSet<Module>, parent: &Module) -> BTreeSet<String> {
    let below = modules.iter().filter(|module| module.len() == parent.len() + 1 && module.starts_with(parent));
    below.filter_map(|module| module.last().cloned()).collect()
}

/// Every file that one leads to.
fn reach<'a>(from: &Module, dependencies: &'a BTreeMap<&'a Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let mut found: BTreeSet<&Module> = BTreeSet::new();
    let mut open: Vec<&Module> = dependencies.get(from).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(dependencies.get(next).into_iter().flatten());
        }
    }
    found
}

fn same_module(one: &Module, other: &Module) -> bool {
    one.first() == other.first()
}

#[test]
fn no_module_has_a_circle_of_files() {
    let mut found = Vec::new();
    for (root, is_server) in all_roots() {
        let files = Files::of(sources_below(&root));
        let circles = files.circles(|one, other| !is_server || same_module(one, other));
        found.extend(circles.into_iter().map(|circle| format!("{}: {circle}", root.display())));
    }
    assert!(found.is_empty(), "files that need each other:\n{}", found.join("\n"));
}

/// The reader sees circles: otherwise the test above could not fail.
#[test]
fn circles_are_seen() {
    let files = |sources: &[(&str, &str)]| {
        Files::of(sources.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect())
    };
    let circle = |sources: &[(&str, &str)]| files(sources).circles(same_module);
    let (a, b) = (("m/a.rs", "use super::b::{self, C};"), ("m/b.rs", "pub struct C;\nfn x() { crate::m::a::y() }"));
    assert_eq!(circle(&[("m/mod.rs", "mod a;\nmod b;"), a, b]), ["m/a.rs m/b.rs"]);
    assert_eq!(circle(&[("m/mod.rs", "mod a;\nmod b;"), a, ("m/b.rs", "pub struct C;")]), Vec::<String>::new());
    // What mod.rs hands on comes from the file in which it is.
    let (root, c) = (("m/mod.rs", "mod b;\nmod c;\npub use b::C;"), ("m/c.rs", "use super::C;"));
    assert_eq!(circle(&[root, c, ("m/b.rs", "use super::c::x;")]), ["m/b.rs m/c.rs"]);
    assert_eq!(circle(&[root, c, ("m/b.rs", "pub struct C;")]), Vec::<String>::new());
    // What mod.rs defines does not, and whoever defines work in it is seen.
    let root = ("m/mod.rs", "mod a;\npub struct C;\nfn x() { a::y() }");
    assert_eq!(circle(&[root, ("m/a.rs", "use super::C;")]), ["m/mod.rs m/a.rs"]);
    // Between modules, layers decide.
    assert_eq!(circle(&[("a/x.rs", "use crate::b::x;"), ("b/x.rs", "use crate::a::x;")]), Vec::<String>::new());
    // A test of a file is no part of it.
    let tested = ("m/b.rs", "fn x() {}\n#[cfg(test)]\nmod tests { use super::super::a; }");
    assert_eq!(circle(&[("m/mod.rs", "mod a;\nmod b;"), ("m/a.rs", "use super::b;"), tested]), Vec::<String>::new());
}
