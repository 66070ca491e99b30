//! The modules of a crate, found as the compiler finds them, and where each path in them leads.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A module's place: the names from the crate's root, which is empty.
pub(crate) type ModulePath = Vec<String>;

/// One module, without its tests.
#[derive(Default)]
pub(crate) struct Module {
    /// Its place.
    pub(crate) path: ModulePath,
    /// Its place as code writes it, from the crate's root.
    pub(crate) name: String,
    /// Its file below `src`.
    pub(crate) file: String,
    /// Whether it begins with `//!`.
    pub(crate) documented: bool,
    /// Lines of its file that are not tests'; nought for a module inside another's file.
    pub(crate) lines: usize,
    /// Its functions and methods.
    pub(crate) functions: Vec<Function>,
    children: BTreeSet<String>,
    /// Names that a `use` brings in, with where they come from.
    bindings: BTreeMap<String, Vec<String>>,
    /// Every path that is written in it, with its line.
    paths: Vec<(usize, Vec<String>)>,
}

/// A function or method.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Lines between its braces.
    pub(crate) lines: usize,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// To something written down in this module.
    Module(ModulePath),
    /// To another crate.
    Crate(String),
}

/// Every module of a crate.
pub(crate) struct Sources {
    modules: BTreeMap<ModulePath, Module>,
    crates: BTreeSet<String>,
}

/// What a file of the name holds, if there is one.
type TextOf<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Sources {
    /// Reads `lib.rs` and every module that it leads to.
    pub(crate) fn read(crates: BTreeSet<String>, text_of: TextOf) -> Self {
        let mut sources = Self { modules: BTreeMap::new(), crates };
        sources.read_file(ModulePath::new(), &["lib.rs".to_owned()], text_of);
        sources
    }

    /// The modules, in order.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.values()
    }

    /// Where the paths of a module lead, with their lines.
    pub(crate) fn references(&self, module: &Module) -> Vec<(usize, Target)> {
        let walk = Walk { sources: self, writer: &module.path };
        module.paths.iter().map(|(line, path)| (*line, walk.follow(&module.path, path))).collect()
    }

    fn read_file(&mut self, path: ModulePath, candidates: &[String], text_of: TextOf) {
        let found = candidates.iter().find_map(|file| Some((file.clone(), text_of(file)?)));
        let (file, text) = found.unwrap_or_else(|| panic!("none of {candidates:?} is there"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let tests = parsed.items.iter().filter(|item| is_test(attributes(item)));
        let test_lines: usize = tests.map(lines_of).sum();
        let lines = text.lines().count() - test_lines;
        let (name, documented) = (path.join("::"), is_documented(&parsed.attrs));
        let module = Module { path, name, file, documented, lines, ..Module::default() };
        self.read_items(module, &parsed.items, text_of);
    }

    fn read_items(&mut self, mut module: Module, items: &[Item], text_of: TextOf) {
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            let Item::Mod(child) = item else {
                module.visit_item(item);
                continue;
            };
            let name = child.ident.to_string();
            let path: ModulePath = module.path.iter().cloned().chain([name.clone()]).collect();
            module.children.insert(name);
            if let Some((_, items)) = &child.content {
                let (name, file, documented) = (path.join("::"), module.file.clone(), is_documented(&child.attrs));
                self.read_items(Module { path, name, file, documented, ..Module::default() }, items, text_of);
            } else {
                let file = path.join("/");
                self.read_file(path, &[format!("{file}.rs"), format!("{file}/mod.rs")], text_of);
            }
        }
        self.modules.insert(module.path.clone(), module);
    }
}

/// The way of a path that is written in a module.
struct Walk<'s> {
    sources: &'s Sources,
    writer: &'s [String],
}

impl Walk<'_> {
    /// Follows a path from a module, through what others pass on, to where the thing is written down.
    fn follow(&self, from: &[String], path: &[String]) -> Target {
        let (Some((first, rest)), Some(module)) = (path.split_first(), self.sources.modules.get(from)) else {
            return Target::Module(from.to_vec());
        };
        match first.as_str() {
            "crate" => self.descend(&[], rest),
            "self" => self.descend(from, rest),
            "super" => self.ascend(from, path),
            name if module.children.contains(name) || module.bindings.contains_key(name) => self.descend(from, path),
            name if self.sources.crates.contains(name) => Target::Crate(name.to_owned()),
            _ => Target::Module(from.to_vec()),
        }
    }

    fn ascend(&self, from: &[String], path: &[String]) -> Target {
        match (path.split_first(), from.split_last()) {
            (Some((first, rest)), Some((_, parent))) if first == "super" => self.ascend(parent, rest),
            _ => self.descend(from, path),
        }
    }

    /// Follows a path whose first name is one of the module's own.
    fn descend(&self, from: &[String], path: &[String]) -> Target {
        let (Some((first, rest)), Some(module)) = (path.split_first(), self.sources.modules.get(from)) else {
            return Target::Module(from.to_vec());
        };
        if module.children.contains(first) {
            let child: ModulePath = from.iter().cloned().chain([first.clone()]).collect();
            return self.descend(&child, rest);
        }
        match module.bindings.get(first).map(Vec::as_slice) {
            // A crate that is used as a whole, or a macro that is passed on under its own name.
            Some([only]) if only == first => self.outside(from, first),
            Some(origin) => {
                let whole: Vec<String> = origin.iter().chain(rest).cloned().collect();
                match self.follow(from, &whole) {
                    Target::Crate(name) => self.outside(from, &name),
                    target @ Target::Module(_) => target,
                }
            }
            None => Target::Module(from.to_vec()),
        }
    }

    /// A name that a module takes from outside: another crate's for itself, but its own for whom it passes it on to.
    fn outside(&self, from: &[String], name: &str) -> Target {
        if from == self.writer && self.sources.crates.contains(name) {
            return Target::Crate(name.to_owned());
        }
        Target::Module(from.to_vec())
    }
}

impl Module {
    fn add_use(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &dyn ToString| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.add_use(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree, before)),
            UseTree::Name(name) if name.ident == "self" => self.bind(before.last().cloned(), before.to_vec(), tree),
            UseTree::Name(name) => self.bind(Some(name.ident.to_string()), with(&name.ident), tree),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bind(Some(rename.rename.to_string()), before.to_vec(), tree);
            }
            UseTree::Rename(rename) => self.bind(Some(rename.rename.to_string()), with(&rename.ident), tree),
            UseTree::Glob(_) => self.bind(None, before.to_vec(), tree),
        }
    }

    fn bind(&mut self, name: Option<String>, path: Vec<String>, place: &UseTree) {
        self.paths.push((place.span().start().line, path.clone()));
        if let Some(name) = name {
            self.bindings.insert(name, path);
        }
    }

    fn add_function(&mut self, name: &syn::Ident, block: &syn::Block) {
        let lines = lines_of(block).saturating_sub(2);
        self.functions.push(Function { name: name.to_string(), line: name.span().start().line, lines });
    }

    /// Paths in the tokens of a macro.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                }
                other @ (TokenTree::Ident(_) | TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_)) => {
                    self.add_path(line, std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Ident(name) => {
                            line = name.span().start().line;
                            path.push(name.to_string());
                        }
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.add_path(line, path);
    }

    /// A path of one name is of this module, or was brought in by a `use`, which is counted.
    fn add_path(&mut self, line: usize, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.push((line, path));
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add_path(path.span().start().line, names);
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.add_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add_function(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add_function(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

fn lines_of(node: &impl Spanned) -> usize {
    let span = node.span();
    span.end().line + 1 - span.start().line
}

fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|of| of == "test")
    };
    attributes.iter().any(is_test)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "syn's list is open, and the rest is not used here")]
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
