//! Files of a crate do not import each other in cycles.
//!
//! Every path that begins with `crate`, `super`, `self` or the name of a module below counts, in
//! imports and elsewhere; a path to a name that a module re-exports counts as one to the file that
//! defines it. Lines with `mod`, re-exports themselves, and tests at the end of a file do not
//! count.
//!
//! Nor do gradient rules: they may use the builders of any operation, because gradients are made of
//! operations which have gradients themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Crates that still have cycles.
const CIRCULAR: &[&str] = &[];

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
                    "mod" | "lib" | "main" => module.clone(),
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
            first => {
                let below: Module = module.iter().chain([&segments[0]]).cloned().collect();
                if self.code.contains_key(&below) {
                    return Some(module.iter().cloned().chain(segments).collect());
                }
                let imported = self.names.get(module)?.get(first)?.first()?;
                return Some(
                    imported.iter().cloned().chain(segments.into_iter().skip(1)).collect(),
                );
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
        let code = without_gradient_rules(&self.code[module]);
        let rest = without_uses(&code);
        let has_rules = code.len() < self.code[module].len();
        let is_used = |path: &String| {
            let name = path.rsplit("::").next().unwrap_or_default();
            !has_rules || name == "*" || has_word(&rest, name)
        };
        let own = uses(&code).into_iter().filter(|(is_public, _)| !is_public);
        let own = own.flat_map(|(_, tree)| leaves(&tree));
        let mut paths: Vec<String> = own.filter(is_used).collect();
        paths.extend(inline_paths(&rest));
        let absolute = paths.iter().filter_map(|path| self.absolute(module, path));
        let imports = absolute.map(|path| self.definer(&path, 0));
        imports.filter(|import| import != module).collect()
    }

    /// The modules that reach themselves, with the imports by which they do.
    fn circles(&self) -> Vec<(Module, Vec<Module>)> {
        let imports: BTreeMap<&Module, BTreeSet<Module>> =
            self.code.keys().map(|module| (module, self.imports(module))).collect();
        let reached = |module: &Module| {
            let mut seen = BTreeSet::new();
            let mut pending = vec![module.clone()];
            while let Some(next) = pending.pop() {
                for import in &imports[&next] {
                    if seen.insert(import.clone()) {
                        pending.push(import.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.code.keys().map(|module| (module, reached(module))).collect();
        let back = |module: &Module| {
            let back = imports[module].iter().filter(|import| reached[import].contains(module));
            back.cloned().collect::<Vec<_>>()
        };
        let circles = self.code.keys().map(|module| (module.clone(), back(module)));
        circles.filter(|(_, back)| !back.is_empty()).collect()
    }
}

/// Code without comments, strings, and the tests at its end.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = match rest.as_bytes() {
            [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'"', ..] => {
                let hashes = plain.len() - plain.trim_end_matches('#').len();
                let is_raw = plain.trim_end_matches('#').ends_with('r');
                text_len(rest, is_raw.then_some(hashes))
            }
            [b'\'', _, b'\'', ..] => 3,
            [b'\'', b'\\', _, b'\'', ..] => 4,
            _ => {
                plain.push_str(&rest[..1]);
                1
            }
        };
        rest = &rest[skipped..];
    }
    plain.push_str(rest);
    let mut tests = plain.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at);
    let end = tests.find(|at| plain[*at..].find('{') < plain[*at..].find(';'));
    plain.truncate(end.unwrap_or(plain.len()));
    plain
}

/// Code without gradient rules: without functions that take a `GradCx`, closures given to `gradient` or
/// to a row of a table, and private functions that only rules call.
fn without_gradient_rules(code: &str) -> String {
    let (mut code, length) = (code.to_owned(), code.len());
    let is_rule = |code: &str, at: &usize| {
        let before = &code[..*at];
        before.ends_with(".gradient") || before.ends_with(char::is_whitespace)
    };
    let closure =
        |code: &str| code.match_indices("(|cx|").map(|(at, _)| at).find(|at| is_rule(code, at));
    while let Some(at) = closure(&code) {
        code.replace_range(at..block_end(&code, at, ['(', ')']), "()");
    }
    if !code.contains("GradCx") && code.len() == length {
        return code;
    }
    while let Some((start, end)) = rule_function(&code) {
        code.replace_range(start..end, "");
    }
    code
}

/// A function that takes a `GradCx`, or a private one that nothing calls: the compiler admits it because
/// a rule does.
fn rule_function(code: &str) -> Option<(usize, usize)> {
    code.match_indices("fn ").find_map(|(at, _)| {
        let rest = &code[at + 3..];
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let body = at + code[at..].find('{')?;
        let is_private = code[..at].ends_with('\n');
        let end = block_end(code, body, ['{', '}']);
        let is_called = || has_word(&code[..at], name) || has_word(&code[end..], name);
        let is_rule = code[at..body].contains("GradCx") || (is_private && !is_called());
        (!name.is_empty() && is_rule).then_some((at, end))
    })
}

/// The end of the block that begins at a bracket.
fn block_end(code: &str, start: usize, [open, close]: [char; 2]) -> usize {
    let mut depth = 0;
    for (at, c) in code[start..].char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return start + at + 1;
        }
    }
    code.len()
}

/// The length of a text with its quotation marks; a raw one ends with so many hashes.
fn text_len(text: &str, raw: Option<usize>) -> usize {
    let end = format!("\"{}", "#".repeat(raw.unwrap_or(0)));
    let mut at = 1;
    while at < text.len() && !text[at..].starts_with(&end) {
        let is_escape = raw.is_none() && text[at..].starts_with('\\');
        let skipped = text[at..].chars().take(1 + usize::from(is_escape));
        at += skipped.map(char::len_utf8).sum::<usize>();
    }
    (at + end.len()).min(text.len())
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

/// The paths in code. Those of macros with a `$` name an item only once the macro is used.
fn inline_paths(code: &str) -> Vec<String> {
    let is_of_path = |c: char| c.is_alphanumeric() || "_:$".contains(c);
    let paths = code.split(|c| !is_of_path(c)).map(|path| path.trim_end_matches(':'));
    let paths = paths.filter(|path| path.contains("::") && !path.contains('$'));
    paths.map(str::to_owned).collect()
}

/// True if code has a keyword followed by a name.
fn has_words(code: &str, keyword: &str, name: &str) -> bool {
    has_word(code, &format!("{keyword} {name}"))
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, found)| {
        let before = code[..at].chars().next_back();
        let behind = code[at + found.len()..].chars().next();
        let is_border = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        is_border(before) && is_border(behind)
    })
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for entry in fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if CIRCULAR.contains(&&*name) {
            continue;
        }
        let source = folder.join("src");
        let circles = Crate::read(&source).circles();
        let lines = circles.iter().map(|(module, imports)| {
            let imports: Vec<String> = imports.iter().map(|import| import.join("::")).collect();
            format!("\n  {} imports {}", module.join("::"), imports.join(", "))
        });
        let lines: String = lines.collect();
        assert!(circles.is_empty(), "files of {name} import each other in cycles:{lines}");
    }
}
