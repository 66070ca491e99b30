//! What is allowed. Each law gives one line for each place where it is broken.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::sources::{Module, ModulePath, Sources, Target};

/// The rooms of the crate, each with those it may import from. `cli` puts everything together.
pub(crate) const LAYERS: &[(&str, &[&str])] = &[
    ("budget", &[]),
    ("domain", &[]),
    ("metrics", &["domain"]),
    ("feeds", &["domain"]),
    ("store", &["domain"]),
    ("spool", &["domain"]),
    ("quarantine", &["domain", "store"]),
    ("intake", &["budget", "domain", "feeds", "metrics", "store", "spool"]),
    ("silence", &["domain", "intake", "metrics", "store"]),
    ("config", &["domain", "feeds", "store"]),
    ("http", &["budget", "domain", "feeds", "intake", "metrics", "quarantine", "config"]),
    ("admin", &["config", "domain", "feeds", "http", "intake", "metrics", "store"]),
    ("local_postgres", &[]),
    (
        "cli",
        &[
            "domain",
            "feeds",
            "store",
            "spool",
            "quarantine",
            "intake",
            "metrics",
            "silence",
            "config",
            "http",
            "admin",
            "local_postgres",
        ],
    ),
];

/// The crates that the rules may use, beside the standard library.
const OF_DOMAIN: &[&str] =
    &["chrono", "chrono_tz", "rust_decimal", "idna", "rlibphonenumber", "sha2", "unicode_normalization", "uuid"];

/// The crates that belong to certain rooms.
const AT_HOME: &[(&str, &[&str])] =
    &[("sqlx", &["store", "local_postgres"]), ("axum", &["http", "admin"]), ("prometheus_client", &["metrics"])];

/// The modules that decide: what they say is asked by `intake` between loading and saving, never while either is done.
const RULES: &[&str] =
    &["appointment", "booking", "cluster", "event", "lead", "listing", "locations", "person", "stock"];

const LONGEST_FUNCTION: usize = 60;
const LONGEST_FILE: usize = 500;

/// A room imports only from those below it.
pub(crate) fn layers(sources: &Sources) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for (module, layer) in in_layers(sources) {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            broken.insert(format!("{}: the room {layer} has no place in the layers", module.file));
            continue;
        };
        for (line, target) in sources.references(module) {
            let Target::Module(path) = target else { continue };
            if let Some(other) = path.first()
                && other != layer
                && !allowed.contains(&other.as_str())
            {
                broken.insert(format!("{}:{line}: {layer} imports {other}", module.file));
            }
        }
    }
    broken.into_iter().collect()
}

/// The rules use value crates only, and the large libraries stay in their rooms.
pub(crate) fn libraries(sources: &Sources) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for (module, layer) in in_layers(sources) {
        for (line, target) in sources.references(module) {
            let Target::Crate(name) = target else { continue };
            let stray = AT_HOME.iter().any(|(of, homes)| *of == name && !homes.contains(&layer));
            if stray || (layer == "domain" && !OF_DOMAIN.contains(&name.as_str())) {
                broken.insert(format!("{}:{line}: {layer} names {name}", module.file));
            }
        }
    }
    broken.into_iter().collect()
}

/// Rules run in `intake`: the store names none of the modules that decide.
pub(crate) fn rules(sources: &Sources) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for (module, _) in in_layers(sources).filter(|(_, layer)| *layer == "store") {
        for (line, target) in sources.references(module) {
            let Target::Module(path) = target else { continue };
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if let ["domain", rule] = path.as_slice()
                && RULES.contains(rule)
            {
                broken.insert(format!("{}:{line}: store asks the rules of {rule}", module.file));
            }
        }
    }
    broken.into_iter().collect()
}

fn in_layers(sources: &Sources) -> impl Iterator<Item = (&Module, &str)> {
    sources.modules().filter_map(|module| Some((module, module.path.first()?.as_str())))
}

/// No module imports itself through others. What a parent only passes on (`pub use`) is not the parent's.
pub(crate) fn circles(sources: &Sources) -> Vec<String> {
    let imports = imports(sources);
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|name| (*name, reach(&imports, name))).collect();
    let in_circle = |a: &str, b: &str| reached[a].contains(b) && reached[b].contains(a);
    let mut told = BTreeSet::new();
    let mut broken = Vec::new();
    for name in reached.keys().filter(|name| in_circle(name, name)) {
        let circle: Vec<&str> = reached.keys().copied().filter(|other| in_circle(name, other)).collect();
        if told.insert(circle.clone()) {
            let ways = circle.iter().flat_map(|from| imports[from].iter().map(move |to| (*from, *to)));
            let ways = ways.filter(|(_, to)| circle.contains(to)).map(|(from, to)| format!("{from} -> {to}"));
            broken.push(format!("a circle of imports: {}", ways.collect::<Vec<_>>().join(", ")));
        }
    }
    broken
}

/// The modules with those they import from.
fn imports(sources: &Sources) -> BTreeMap<&str, BTreeSet<&str>> {
    let names: BTreeMap<&ModulePath, &str> =
        sources.modules().map(|module| (&module.path, module.name.as_str())).collect();
    let of = |module: &Module| {
        let targets = sources.references(module).into_iter().filter_map(|(_, target)| match target {
            Target::Module(path) => names.get(&path).copied(),
            Target::Crate(_) => None,
        });
        targets.filter(|name| *name != module.name).collect()
    };
    sources.modules().map(|module| (module.name.as_str(), of(module))).collect()
}

/// Everything that a module imports, directly or through others.
fn reach<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = imports[from].iter().copied().collect();
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(&imports[name]);
        }
    }
    reached
}

/// Every module opens with a word about itself.
pub(crate) fn documented(sources: &Sources) -> Vec<String> {
    let silent = sources.modules().filter(|module| !module.documented);
    silent.map(|module| format!("{}: the module says not what it is for: begin it with `//!`", module.file)).collect()
}

/// Functions fit a screen and files have one subject. Tests may be as long as they like.
pub(crate) fn sizes(sources: &Sources) -> Vec<String> {
    let mut broken = Vec::new();
    for module in sources.modules() {
        if module.lines > LONGEST_FILE {
            broken.push(format!("{} has {} lines, more than {LONGEST_FILE}", module.file, module.lines));
        }
        for function in module.functions.iter().filter(|function| function.lines > LONGEST_FUNCTION) {
            let (file, line, name, lines) = (&module.file, function.line, &function.name, function.lines);
            broken.push(format!("{file}:{line}: `{name}` has {lines} lines, more than {LONGEST_FUNCTION}"));
        }
    }
    broken
}

/// No macro of unfinished work is called, in tests neither.
pub(crate) fn unfinished(file: &str, text: &str) -> Vec<String> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut broken = Vec::new();
    find_unfinished(file, tokens, &mut broken);
    broken
}

fn find_unfinished(file: &str, tokens: TokenStream, broken: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => find_unfinished(file, group.stream(), broken),
            TokenTree::Ident(name) if ["todo", "unimplemented", "dbg"].contains(&name.to_string().as_str()) => {
                if matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '!') {
                    broken.push(format!("{file}:{}: `{name}!`", name.span().start().line));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
