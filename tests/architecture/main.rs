//! The laws of the crate's shape, read from its sources: who may import whom, no circles, and the size of things.
//!
//! `sources` reads the modules the way the compiler finds them, tests left out, and follows every path to the module
//! where the thing is written down; `laws` says what is allowed. A snippet that breaks each law stands below.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect has failed"
)]

mod laws;
mod migrations;
mod sources;
mod statements;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use sources::Sources;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the crates in `Cargo.toml`, as code writes them.
fn crates() -> BTreeSet<String> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    dependencies.keys().map(|name| name.replace('-', "_")).collect()
}

/// The crate's own sources, read once.
static SOURCES: LazyLock<Sources> =
    LazyLock::new(|| Sources::read(crates(), &|file| std::fs::read_to_string(root().join("src").join(file)).ok()));

/// Sources of a few lines, by file; the first is `lib.rs`.
fn snippets(files: &[(&str, &str)]) -> Sources {
    let known = ["axum", "serde_json", "sqlx", "chrono"].map(str::to_owned);
    let text_of = |file: &str| files.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
    Sources::read(known.into(), &text_of)
}

#[track_caller]
fn assert_kept(broken: &[String]) {
    assert!(broken.is_empty(), "broken laws:\n{}", broken.join("\n"));
}

#[test]
fn modules_import_only_what_their_layer_may() {
    assert_kept(&laws::layers(&SOURCES));
}

#[test]
fn rules_run_in_intake_and_never_in_the_store() {
    assert_kept(&laws::rules(&SOURCES));
}

#[test]
fn libraries_are_named_only_where_they_belong() {
    assert_kept(&laws::libraries(&SOURCES));
}

#[test]
fn no_module_imports_itself_through_others() {
    assert_kept(&laws::circles(&SOURCES));
}

#[test]
fn every_module_says_what_it_is_for() {
    assert_kept(&laws::documented(&SOURCES));
}

#[test]
fn files_and_functions_fit_the_eye() {
    assert_kept(&laws::sizes(&SOURCES));
}

/// What is named by whoever reaches the database without `Store::begin`.
const BESIDE_BEGIN: [&str; 5] = ["PgPool", ".pool", ".acquire(", "raw_sql", "PoolConnection"];
/// The files that make the one way to begin, and those that look at a server before there is a store.
const MAKE_BEGIN: [&str; 4] = ["mod.rs", "session.rs", "server.rs", "migrations.rs"];

#[test]
fn every_statement_runs_in_a_transaction_that_has_one_way_to_begin() {
    let mut broken = Vec::new();
    let files = |folder: &str| std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    for path in files("src/store").chain(files("src/store/story")).filter(|path| path.is_file()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if !MAKE_BEGIN.contains(&name.as_str()) {
            broken
                .extend(BESIDE_BEGIN.iter().filter(|word| text.contains(*word)).map(|word| format!("{name}: {word}")));
        }
        // Beginnings stand in one file, and nothing is set for longer than a transaction.
        let stray = ["begin isolation", "\"begin", "set session", "pg_advisory_lock", "set_config"];
        broken.extend(
            stray
                .iter()
                .filter(|word| name != "session.rs" && text.contains(*word))
                .map(|word| format!("{name}: {word}")),
        );
    }
    let session = std::fs::read_to_string(root().join("src/store/session.rs")).unwrap();
    let sets = session.matches("set ").count() - session.matches("set local ").count();
    assert_eq!(sets, 0, "what is set is set for the transaction");
    assert_kept(&broken);
}

/// The statements of `.sqlx`, white space and all.
fn prepared() -> Vec<String> {
    let files = std::fs::read_dir(root().join(".sqlx")).unwrap();
    let query = |file: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let query: serde_json::Value = serde_json::from_str(&text).unwrap();
        query["query"].as_str().unwrap().to_owned()
    };
    files.map(query).collect()
}

#[test]
fn every_statement_is_the_work_of_one_workspace_or_is_listed_with_why_it_is_not() {
    let (mut broken, mut used, mut tables) = (Vec::new(), BTreeSet::new(), 0);
    let prepared = prepared();
    for sql in &prepared {
        let text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let read = statements::read(sql).unwrap_or_else(|error| {
            broken.push(format!("it cannot be read, {error}: {text}"));
            statements::Read::default()
        });
        tables += read.tables;
        let exceptions = statements::EXCEPTIONS.iter().filter(|(part, _)| text.contains(part));
        let exceptions: Vec<&str> = exceptions.map(|(part, _)| *part).collect();
        match (read.broken.as_slice(), exceptions.as_slice()) {
            // A label names a room's statements, some of which need no exception.
            ([], _) => {}
            (why, []) => broken.push(format!("{}: {text}", why.join("; "))),
            (_, parts) => used.extend(parts.iter().copied()),
        }
    }
    for (part, _) in statements::EXCEPTIONS.iter().filter(|(part, _)| !used.contains(part)) {
        broken.push(format!("no statement is so any more: {part}"));
    }
    let (count, exceptions) = (prepared.len(), statements::EXCEPTIONS.len());
    println!("{count} statements name distributed tables {tables} times; {exceptions} are exceptions");
    assert!(count > 150 && tables > 200, "statements are missing");
    assert_kept(&broken);
}

#[test]
fn new_migrations_can_be_applied_to_tables_that_are_spread_over_several_servers() {
    let mut broken = Vec::new();
    for file in std::fs::read_dir(root().join("migrations")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: u32 = name.split('_').next().unwrap().parse().unwrap();
        if number >= migrations::FIRST {
            let of_file = migrations::broken(&std::fs::read_to_string(&path).unwrap());
            broken.extend(of_file.into_iter().map(|why| format!("{name}: {why}")));
        }
    }
    assert_kept(&broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut broken = Vec::new();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                broken.extend(laws::unfinished(&name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert_kept(&broken);
}

#[test]
fn the_whole_crate_is_read() {
    let sources = &*SOURCES;
    let modules: BTreeSet<&str> =
        sources.modules().filter_map(|module| module.path.first()).map(String::as_str).collect();
    assert_eq!(modules, laws::LAYERS.iter().map(|(name, _)| *name).collect());
    assert!(sources.modules().count() > 60, "modules are missing");
}

mod can_fail {
    use super::*;

    /// The one complaint about a snippet.
    #[track_caller]
    fn only(broken: &[String]) -> &str {
        assert_eq!(broken.len(), 1, "{broken:?}");
        &broken[0]
    }

    #[test]
    fn on_feeds_that_see_the_store_however_they_write_it() {
        for written in [
            "use crate::store::Store;",
            "use crate::{domain::Facts, store::{self, Store}};",
            "fn f() { crate::store::save(); }",
            "fn f(store: &super::store::Store) {}",
            "fn f() { println!(\"{}\", crate::store::LIMIT); }",
            "use crate::domain::Saved;",
            "pub mod lead { fn f() { super::super::store::save() } }",
        ] {
            let sources = snippets(&[
                ("lib.rs", "pub mod domain; pub mod feeds; pub mod store;"),
                ("domain.rs", "pub use crate::store::Store as Saved; pub struct Facts;"),
                ("feeds.rs", written),
                ("store.rs", "pub struct Store; pub const LIMIT: u8 = 1; pub fn save() {}"),
            ]);
            let broken = laws::layers(&sources);
            assert!(
                broken.iter().any(|broken| broken.starts_with("feeds.rs:1: feeds imports store")),
                "{written}: {broken:?}"
            );
        }
    }

    #[test]
    fn on_statements_that_span_workspaces_however_they_are_written() {
        for (sql, broken) in [
            ("select id from leads where workspace_id = $1", false),
            ("select id from leads", true),
            ("select id from leads where workspace_id = any($1)", true),
            ("select id from leads where workspace_id = $1 or id = $2", true),
            (
                "select l.id from leads l join persons p on p.workspace_id = l.workspace_id where l.workspace_id = $1",
                true,
            ),
            ("select l.id from leads l join persons p on p.workspace_id = $1 where l.workspace_id = $1", false),
            (
                "select l.id from leads l left join persons p on p.id = l.person_id and l.workspace_id = $1 where p.workspace_id = $1",
                true,
            ),
            ("select 1 where exists (select from leads)", true),
            ("with a as (select id from leads where workspace_id = $1) select id from a", false),
            ("with a as (delete from leads) select 1", true),
            (
                "select k.id from unnest($2::bigint[]) as k (id) cross join lateral (select id from leads where id = k.id offset 0) l",
                true,
            ),
            ("update leads set vin = $2 from persons p where leads.workspace_id = $1 and p.workspace_id = $1", false),
            ("update leads set vin = $2 from persons p where leads.workspace_id = $1", true),
            ("update leads set workspace_id = $2 where workspace_id = $1", true),
            ("delete from leads using persons p where leads.workspace_id = $1 and p.workspace_id = $1", false),
            ("delete from leads where id = $1", true),
            ("insert into packages (workspace_id, id) values ($1, $2)", false),
            ("insert into packages (id) values ($1)", true),
            (
                "insert into packages (workspace_id, id) select workspace_id, id from locations where workspace_id = $1",
                true,
            ),
            ("insert into packages (workspace_id, id) select $1, id from unnest($2::bigint[]) as k (id)", false),
            ("insert into drift (workspace_id) values ($1)", true),
            (
                "insert into intake.drift as known (workspace_id, path) values ($1, $2) on conflict (workspace_id, path) do update set last_seen_at = now()",
                true,
            ),
            ("select slug from workspaces", false),
        ] {
            assert_eq!(!statements::read(sql).unwrap().broken.is_empty(), broken, "{sql}");
        }
    }

    #[test]
    fn on_migrations_that_several_servers_refuse() {
        for (sql, broken) in [
            ("create index a on leads (id);", false),
            ("create index a on leads (id); create index b on leads (vin);", true),
            ("create index a on leads (id); alter table persons add constraint b check (id > 0);", true),
            ("create table more (id bigint); create index a on more (id); create index b on more (id);", false),
            ("do $$ begin create index a on leads (id); create index b on leads (vin); end $$;", false),
            ("-- create index a on leads; create index b on leads;", false),
            ("alter table leads alter column comments set storage external;", true),
            ("alter table intake.rejected alter column body set storage external;", false),
            ("create trigger t after insert on leads execute function f();", true),
        ] {
            assert_eq!(!migrations::broken(sql).is_empty(), broken, "{sql}");
        }
    }

    #[test]
    fn on_configuration_below_the_commands() {
        let sources = snippets(&[
            ("lib.rs", "mod config; mod intake;"),
            ("config.rs", "pub struct Config;"),
            ("intake.rs", "use crate::config::Config;"),
        ]);
        assert_eq!(only(&laws::layers(&sources)), "intake.rs:1: intake imports config");
    }

    #[test]
    fn on_a_store_that_asks_the_rules() {
        let sources = snippets(&[
            ("lib.rs", "mod domain; mod store;"),
            ("domain/mod.rs", "pub mod locations; pub mod state;"),
            ("domain/locations.rs", "pub fn configure() {}"),
            ("domain/state.rs", "pub struct WorkspaceState;"),
            (
                "store.rs",
                "use crate::domain::{locations, state::WorkspaceState};\nfn f(_: &WorkspaceState) { locations::configure() }",
            ),
        ]);
        let broken = laws::rules(&sources);
        assert!(broken.contains(&"store.rs:1: store asks the rules of locations".to_owned()), "{broken:?}");
        assert!(broken.iter().all(|broken| broken.contains("locations")), "{broken:?}");
    }

    #[test]
    fn on_libraries_out_of_place() {
        let sources = snippets(&[
            ("lib.rs", "mod domain; mod cli;"),
            ("domain.rs", "use chrono::Utc; use serde_json::Value;"),
            ("cli.rs", "use sqlx as database;\nfn f() -> axum::Router { database::connect() }"),
        ]);
        let broken = laws::libraries(&sources);
        let expected = [
            "cli.rs:1: cli names sqlx",
            "cli.rs:2: cli names axum",
            "cli.rs:2: cli names sqlx",
            "domain.rs:1: domain names serde_json",
        ];
        assert_eq!(broken, expected);
    }

    #[test]
    fn on_a_circle_and_not_on_a_parent_that_only_passes_on() {
        let circle = snippets(&[
            ("lib.rs", "mod store;"),
            ("store/mod.rs", "mod leads;\npub struct Error;\npub fn save() { leads::save() }"),
            ("store/leads.rs", "use super::Error;\npub fn save() -> Error { Error }"),
        ]);
        assert_eq!(only(&laws::circles(&circle)), "a circle of imports: store -> store::leads, store::leads -> store");
        let none = snippets(&[
            ("lib.rs", "mod store;"),
            ("store/mod.rs", "mod error;\nmod leads;\npub use error::Error;\npub fn save() { leads::save() }"),
            ("store/error.rs", "pub struct Error;"),
            ("store/leads.rs", "use super::Error;\npub fn save() -> Error { Error }"),
        ]);
        assert_kept(&laws::circles(&none));
    }

    #[test]
    fn on_a_module_without_a_word_about_itself() {
        let sources =
            snippets(&[("lib.rs", "//! The map.\nmod silent;"), ("silent.rs", "/// Not the module's.\nfn f() {}")]);
        assert_eq!(
            only(&laws::documented(&sources)),
            "silent.rs: the module says not what it is for: begin it with `//!`"
        );
    }

    #[test]
    fn on_what_is_too_long_and_not_on_long_tests() {
        let long = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines));
        let sources = |text: &str| snippets(&[("lib.rs", text)]);
        assert_kept(&laws::sizes(&sources(&long(60))));
        assert!(only(&laws::sizes(&sources(&long(61)))).starts_with("lib.rs:1: `f` has 61 lines"));
        let method = format!("struct S;\nimpl S {{\n{}}}", long(61));
        assert!(only(&laws::sizes(&sources(&method))).starts_with("lib.rs:3: `f` has 61 lines"));
        assert!(only(&laws::sizes(&sources(&"fn f() {}\n".repeat(501)))).starts_with("lib.rs has 501 lines"));
        assert_kept(&laws::sizes(&sources(&format!("#[cfg(test)]\nmod tests {{\n{}}}", long(600)))));
    }

    #[test]
    fn on_what_is_unfinished() {
        let text = "fn f() {\n    assert!(dbg!(true));\n    todo!()\n}";
        assert_eq!(laws::unfinished("a.rs", text), ["a.rs:2: `dbg!`", "a.rs:3: `todo!`"]);
        assert_kept(&laws::unfinished("a.rs", "// todo!()\nfn todo() { f(\"dbg!\"); }"));
    }
}
