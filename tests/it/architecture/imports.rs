//! Which file of a crate imports from which, read from the `use` items.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{Item, UseTree};

/// A module: its path in the crate, such as `model::state`.
type Module = Vec<String>;

/// One source file and what its module imports and re-exports.
struct File {
    path: PathBuf,
    imports: Vec<Module>,
    /// Public name → where it comes from.
    exports: BTreeMap<String, Module>,
}

/// The files of a crate, by module.
pub(super) struct Crate {
    files: BTreeMap<Module, File>,
}

impl Crate {
    /// Reads all files below `src`, but for binaries.
    pub(super) fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for (path, text) in super::sources(src) {
            let relative = path.strip_prefix(src).unwrap();
            if relative.starts_with("bin") || relative == Path::new("main.rs") && src.join("lib.rs").exists() {
                continue;
            }
            let module = module_of(relative);
            let syntax = syn::parse_file(&text).unwrap();
            let mut file = File { path: relative.to_path_buf(), imports: Vec::new(), exports: BTreeMap::new() };
            for item in &syntax.items {
                let Item::Use(item) = item else { continue };
                let mut found = Vec::new();
                flatten(&item.tree, &mut Vec::new(), &mut found);
                for (name, import) in found {
                    let Some(absolute) = absolute(&module, &import) else { continue };
                    if !matches!(item.vis, syn::Visibility::Inherited) {
                        file.exports.insert(name, absolute.clone());
                    }
                    file.imports.push(absolute);
                }
            }
            files.insert(module, file);
        }
        Self { files }
    }

    /// A circle of files that import each other, if there is one. A child may use what its parent module defines.
    pub(super) fn circle(&self) -> Option<Vec<PathBuf>> {
        let edges: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.iter().map(|(module, file)| (module, self.imported_by(module, file))).collect();
        let mut done = BTreeSet::new();
        for start in self.files.keys() {
            let mut way = Vec::new();
            if let Some(circle) = walk(start, &edges, &mut way, &mut done) {
                return Some(circle.into_iter().map(|module| self.files[module].path.clone()).collect());
            }
        }
        None
    }

    /// The files that any file of a folder imports from, as modules at the top of the crate.
    pub(super) fn folders_imported_by(&self, folder: &str) -> BTreeSet<String> {
        let of_folder = self.files.iter().filter(|(module, _)| module.first().is_some_and(|first| first == folder));
        let imported = of_folder.flat_map(|(module, file)| self.imported_by(module, file));
        imported.filter_map(|module| module.first().cloned()).filter(|first| first != folder).collect()
    }

    fn imported_by(&self, module: &Module, file: &File) -> BTreeSet<&Module> {
        let targets = file.imports.iter().filter_map(|import| self.defined_in(import, 0));
        targets.filter(|target| *target != module && !module.starts_with(target)).collect()
    }

    /// The file that defines what is imported, through re-exports.
    fn defined_in(&self, import: &[String], depth: usize) -> Option<&Module> {
        let known = (0..=import.len()).rev().find_map(|length| self.files.get_key_value(&import[..length]));
        let (module, file) = known?;
        let next = import.get(module.len()).and_then(|name| file.exports.get(name));
        match next {
            Some(origin) if depth < 16 => self.defined_in(origin, depth + 1),
            Some(_) | None => Some(module),
        }
    }
}

fn walk<'a>(
    module: &'a Module,
    edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
    way: &mut Vec<&'a Module>,
    done: &mut BTreeSet<&'a Module>,
) -> Option<Vec<&'a Module>> {
    if let Some(begin) = way.iter().position(|known| *known == module) {
        return Some(way[begin..].to_vec());
    }
    if done.contains(module) {
        return None;
    }
    way.push(module);
    for next in &edges[module] {
        if let Some(circle) = walk(next, edges, way, done) {
            return Some(circle);
        }
    }
    way.pop();
    done.insert(module);
    None
}

fn module_of(relative: &Path) -> Module {
    let mut parts: Module =
        relative.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs").to_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Each imported path with the name it gets.
fn flatten(tree: &UseTree, prefix: &mut Module, found: &mut Vec<(String, Module)>) {
    let with = |name: &str| prefix.iter().cloned().chain((name != "self").then(|| name.to_owned())).collect::<Module>();
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, found);
            prefix.pop();
        }
        UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident.to_string()))),
        UseTree::Rename(rename) => found.push((rename.rename.to_string(), with(&rename.ident.to_string()))),
        UseTree::Glob(_) => found.push(("*".to_owned(), prefix.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, prefix, found)),
    }
}

/// The path from the root of the crate; `None` for what comes from elsewhere.
fn absolute(module: &[String], import: &[String]) -> Option<Module> {
    let (first, rest) = import.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some(module.iter().chain(rest).cloned().collect()),
        "super" => {
            let (_, parent) = module.split_last()?;
            let again = rest.first().is_some_and(|next| next == "super");
            if again { absolute(parent, rest) } else { Some(parent.iter().chain(rest).cloned().collect()) }
        }
        _ => None,
    }
}
