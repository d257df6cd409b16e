//! Files of a crate do not import each other in cycles.
//!
//! Every path that begins with `crate`, `super`, `self` or the name of a module below counts, in
//! imports and elsewhere; a path to a name that a module re-exports counts as one to the file that
//! defines it. Lines with `mod`, re-exports themselves, and tests at the end of a file do not
//! count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that are free of cycles.
const FREE: &[&str] = &["tidemill-runtime"];

type Module = Vec<String>;

/// A crate: the code of its modules, and the names that each re-exports or imports.
struct Crate {
    code: BTreeMap<Module, String>,
    names: BTreeMap<Module, BTreeMap<String, Vec<Module>>>,
}

impl Crate {
    fn read(source: &Path) -> Crate {
        let mut code = BTreeMap::new();
        let mut pending = vec![(source.to_owned(), Module::new())];
        while let Some((folder, module)) = pending.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let own = match name.as_str() {
                    "mod" | "lib" => module.clone(),
                    _ => module.iter().cloned().chain([name]).collect(),
                };
                if path.is_dir() {
                    pending.push((path, own));
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    code.insert(own, plain(&fs::read_to_string(path).unwrap()));
                }
            }
        }
        let mut all = Crate { code, names: BTreeMap::new() };
        let modules: Vec<Module> = all.code.keys().cloned().collect();
        for module in modules {
            let mut names: BTreeMap<String, Vec<Module>> = BTreeMap::new();
            for path in uses(&all.code[&module]).into_iter().flat_map(|(_, tree)| leaves(&tree)) {
                if let Some(path) = all.absolute(&module, &path) {
                    names.entry(path.last().cloned().unwrap_or_default()).or_default().push(path);
                }
            }
            all.names.insert(module, names);
        }
        all
    }

    /// The path from the root of the crate, if it belongs to the crate.
    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut segments: Vec<String> = path.split("::").map(|s| s.trim().to_owned()).collect();
        let mut base = match segments[0].as_str() {
            "crate" => Module::new(),
            "self" | "super" => module.clone(),
            _ => {
                let below: Module = module.iter().chain([&segments[0]]).cloned().collect();
                let is_below = self.code.contains_key(&below);
                return is_below.then(|| module.iter().cloned().chain(segments).collect());
            }
        };
        while segments.first().is_some_and(|s| ["crate", "self", "super"].contains(&s.as_str())) {
            if segments.remove(0) == "super" {
                base.pop();
            }
        }
        base.extend(segments);
        Some(base)
    }

    /// The module that defines the item at a path.
    fn definer(&self, path: &[String], depth: usize) -> Module {
        let mut module = Module::new();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            let below: Module = module.iter().chain([first]).cloned().collect();
            if !self.code.contains_key(&below) {
                break;
            }
            (module, rest) = (below, others);
        }
        let Some((name, others)) = rest.split_first() else { return module };
        let keywords = ["fn", "struct", "enum", "trait", "type", "static", "const", "macro_rules!"];
        let defines = |keyword: &&str| has_words(&self.code[&module], keyword, name);
        if depth > 8 || keywords.iter().any(defines) {
            return module;
        }
        let named = self.names[&module].get(name).into_iter().flatten().map(|path| path.to_vec());
        let globs = self.names[&module].get("*").into_iter().flatten();
        let globs =
            globs.map(|path| [&path[..path.len() - 1], std::slice::from_ref(name)].concat());
        let found = named
            .chain(globs)
            .filter(|target| target != path)
            .map(|target| self.definer(&[&target[..], others].concat(), depth + 1));
        let found: Vec<Module> = found.collect();
        found.into_iter().find(|definer| *definer != module).unwrap_or(module)
    }

    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let code = &self.code[module];
        let own = uses(code).into_iter().filter(|(is_public, _)| !is_public);
        let mut paths: Vec<String> = own.flat_map(|(_, tree)| leaves(&tree)).collect();
        paths.extend(inline_paths(&without_uses(code)));
        let absolute = paths.iter().filter_map(|path| self.absolute(module, path));
        let imports = absolute.map(|path| self.definer(&path, 0));
        imports.filter(|import| import != module).collect()
    }

    /// The modules that reach themselves.
    fn circles(&self) -> Vec<Module> {
        let imports: BTreeMap<&Module, BTreeSet<Module>> =
            self.code.keys().map(|module| (module, self.imports(module))).collect();
        let reaches_itself = |module: &&Module| {
            let mut seen = BTreeSet::new();
            let mut pending: Vec<&Module> = imports[*module].iter().collect();
            while let Some(next) = pending.pop() {
                if seen.insert(next) {
                    pending.extend(&imports[next]);
                }
            }
            seen.contains(*module)
        };
        self.code.keys().filter(reaches_itself).cloned().collect()
    }
}

/// Code without comments, strings, and the tests at its end.
fn plain(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut plain = String::new();
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or_default();
        plain.extend(line.split('"').step_by(2));
        plain.push('\n');
    }
    plain
}

/// The trees of the `use` declarations, and whether each is public.
fn uses(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for declaration in code.split(';') {
        let Some(at) = declaration.rfind("use ") else { continue };
        let before = declaration[..at].rsplit('\n').next().unwrap_or_default().trim();
        if before.is_empty() || before.starts_with("pub") {
            found.push((!before.is_empty(), declaration[at + 4..].to_owned()));
        }
    }
    found
}

fn without_uses(code: &str) -> String {
    uses(code).iter().fold(code.to_owned(), |code, (_, tree)| code.replace(tree.as_str(), ""))
}

/// The paths of a tree of imports.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
    };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match (c, depth) {
            (',', 0) => parts.push(std::mem::take(&mut part)),
            _ => part.push(c),
        }
    }
    parts.push(part);
    let paths = parts.iter().flat_map(|part| leaves(part));
    paths.map(|path| format!("{prefix}{path}").replace("::self", "")).collect()
}

/// The paths in code that begin with `crate` or `super`.
fn inline_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_start = code[..at]
                .chars()
                .next_back()
                .is_none_or(|c| !c.is_alphanumeric() && c != ':' && c != '$');
            let path: String = code[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                .collect();
            if is_start {
                paths.push(path.trim_end_matches(':').to_owned());
            }
        }
    }
    paths
}

/// True if code has a keyword followed by a name.
fn has_words(code: &str, keyword: &str, name: &str) -> bool {
    code.match_indices(&format!("{keyword} {name}")).any(|(at, found)| {
        let before = code[..at].chars().next_back();
        let behind = code[at + found.len()..].chars().next();
        let is_border = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        is_border(before) && is_border(behind)
    })
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    for name in FREE {
        let source =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates").join(name).join("src");
        let circles = Crate::read(&source).circles();
        assert!(circles.is_empty(), "files of {name} import each other in circles: {circles:?}");
    }
}
