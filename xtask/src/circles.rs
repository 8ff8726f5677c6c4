//! Finds files of bl31 and of its crate context that import each other in circles. The nested run loop is the only circle
//! allowed.
//!
//! An import is a `use` or a path to another file, outside of tests. A name that a `mod.rs` re-exports counts as
//! imported from the file that defines it. Code that macros produce is not seen.

use crate::paths;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::Visit;
use syn::{ItemUse, UseTree, Visibility};

/// The most files that a circle may have: those of the nested run loop.
const MOST: usize = 5;

/// A module's path below the crate's root.
type Module = Vec<String>;

/// What a file imports, and the names that it re-exports with their paths.
#[derive(Default)]
struct File {
    imports: Vec<Vec<String>>,
    exports: BTreeMap<String, Vec<String>>,
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        let test = attributes.iter().any(|attribute| {
            attribute.path().is_ident("test")
                || attribute.path().is_ident("cfg")
                    && attribute
                        .parse_args::<syn::Ident>()
                        .is_ok_and(|name| name == "test")
        });
        if !test {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut found = Vec::new();
        leaves(&item.tree, &mut Vec::new(), &mut found);
        if matches!(item.vis, Visibility::Inherited) {
            self.imports.extend(found.into_iter().map(|(path, _)| path));
        } else {
            self.exports
                .extend(found.into_iter().map(|(path, name)| (name, path)));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // A path of one name is defined in the file, or a `use` brought it.
        if names.len() > 1 {
            self.imports.push(names);
        }
        syn::visit::visit_path(self, path);
    }
}

/// Collects the paths that a `use` imports, and the names that they get.
fn leaves(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, found);
            }
        }
        UseTree::Name(name) => {
            let mut path = before.clone();
            if name.ident != "self" {
                path.push(name.ident.to_string());
            }
            let last = path.last().cloned().unwrap_or_default();
            found.push((path, last));
        }
        UseTree::Rename(name) => {
            let mut path = before.clone();
            if name.ident != "self" {
                path.push(name.ident.to_string());
            }
            found.push((path, name.rename.to_string()));
        }
        UseTree::Glob(_) => found.push((before.clone(), String::new())),
    }
}

/// The files of a crate.
struct House(BTreeMap<Module, File>);

impl House {
    fn of(sources: impl Iterator<Item = (Module, String)>) -> House {
        let files = sources.map(|(module, source)| {
            let mut file = File::default();
            file.visit_file(&syn::parse_file(&source).expect("a file that compiles"));
            (module, file)
        });
        House(files.collect())
    }

    /// The file that a path in the module `from` leads to.
    fn file(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (mut at, rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from[..from.len().checked_sub(1)?].to_vec(), &path[1..]),
            // A child module, or another crate.
            child => {
                let mut at = from.clone();
                at.push(child.to_owned());
                (self.0.contains_key(&at).then_some(at)?, &path[1..])
            }
        };
        for name in rest {
            let mut below = at.clone();
            below.push(name.clone());
            if self.0.contains_key(&below) {
                at = below;
            } else if let Some(passed_on) = self.0.get(&at).and_then(|file| file.exports.get(name))
            {
                return self.file(&at, passed_on).or(Some(at));
            } else {
                break;
            }
        }
        Some(at)
    }

    /// The imports between the files of `circle`.
    fn ties(&self, circle: &BTreeSet<String>) -> BTreeSet<String> {
        let mut ties = BTreeSet::new();
        for (module, file) in &self.0 {
            let name = module.join("::");
            let to = file.imports.iter();
            let to = to.filter_map(|path| self.file(module, path));
            for to in to.map(|to| to.join("::")) {
                if to != name && circle.contains(&name) && circle.contains(&to) {
                    ties.insert(format!("  {name} -> {to}"));
                }
            }
        }
        ties
    }

    /// The circles: sets of files in which each file can be reached from every other.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let mut reach: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, file) in &self.0 {
            let to = file.imports.iter();
            let to = to.filter_map(|path| self.file(module, path));
            reach.insert(module, to.filter(|to| to != module).collect());
        }
        loop {
            let mut grew = false;
            for module in self.0.keys() {
                let further: BTreeSet<Module> = reach[module]
                    .iter()
                    .filter_map(|to| reach.get(to))
                    .flatten()
                    .cloned()
                    .collect();
                let mine = reach.get_mut(module).expect("every file is in it");
                let before = mine.len();
                mine.extend(further);
                grew |= mine.len() != before;
            }
            if !grew {
                break;
            }
        }
        let mut circles: Vec<BTreeSet<String>> = Vec::new();
        for module in self
            .0
            .keys()
            .filter(|module| reach[module].contains(*module))
        {
            let circle = reach[module]
                .iter()
                .filter(|to| reach.get(to).is_some_and(|back| back.contains(module)))
                .map(|module| module.join("::"))
                .collect();
            if !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }
}

/// Adds the Rust files below `folder`, without tests and the fake machine.
fn add(folder: &Path, module: &Module, found: &mut Vec<(Module, String)>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("a directory can be read").path();
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if matches!(stem.as_str(), "tests" | "fake" | "main") {
            continue;
        }
        let mut below = module.clone();
        if path.is_dir() {
            below.push(stem);
            add(&path, &below, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            if !matches!(stem.as_str(), "mod" | "lib") {
                below.push(stem);
            }
            found.push((
                below,
                fs::read_to_string(&path).expect("a file can be read"),
            ));
        }
    }
}

/// The crate with these sources.
fn house(folder: &str) -> House {
    let mut sources = Vec::new();
    add(&paths::root().join(folder), &Module::new(), &mut sources);
    House::of(sources.into_iter())
}

#[test]
fn context_has_no_circle() {
    let house = house("bl31/context/src");
    assert!(house.0.len() > 50, "{} files", house.0.len());
    if let Some(circle) = house.circles().first() {
        let ties: Vec<_> = house.ties(circle).into_iter().collect();
        panic!(
            "files of bl31/context import each other in a circle:\n{}",
            ties.join("\n")
        );
    }
}

#[test]
fn bl31_has_one_small_circle() {
    let house = house("bl31/src");
    assert!(house.0.len() > 60, "{} files", house.0.len());
    let circles = house.circles();
    let run_loop = circles.iter().filter(|circle| circle.contains("run"));
    assert_eq!(
        run_loop.count(),
        1,
        "the run loop is in no circle: does this test see the imports?"
    );
    for circle in &circles {
        let ties: Vec<_> = house.ties(circle).into_iter().collect();
        assert!(
            circle.len() <= MOST && circle.contains("run"),
            "{} files of bl31/src import each other in a circle; hand what one needs of another down as an \
             argument, or give it a file of its own (only the nested run loop may be a circle, of no more than \
             {MOST} files):\n{}",
            circle.len(),
            ties.join("\n")
        );
    }
}

#[test]
fn circles_are_seen_through_what_is_passed_on() {
    let file = |name: &str, source: &str| {
        let path = name.split("::").filter(|part| !part.is_empty());
        (path.map(str::to_owned).collect(), source.to_owned())
    };
    let house = House::of(
        [
            file("", "pub mod a; pub mod b;"),
            file("a", "mod inner; pub use inner::Thing; use crate::b::B;"),
            file(
                "a::inner",
                "pub struct Thing; fn f() -> u8 { crate::c::f() }",
            ),
            file(
                "b",
                "use crate::a::{Thing, self as whole}; #[cfg(test)] mod t { use crate::d; }",
            ),
            file("c", "use super::b::{x::Y, B};"),
            file("d", "use crate::b;"),
        ]
        .into_iter(),
    );
    let circle = ["a", "a::inner", "b", "c"].map(str::to_owned);
    assert_eq!(house.circles(), [BTreeSet::from(circle)]);
}
