//! The law of new migrations: what they do can be done to tables that are spread over several servers, too.

use forecourt::store::distribution::{Place, SPREAD};

/// The first migration that the law is for; those before it were released, and are run before tables are distributed.
pub(crate) const FIRST: u32 = 29;

/// What breaks the law in the text of a migration.
pub(crate) fn broken(text: &str) -> Vec<String> {
    let statements: Vec<String> = split(text);
    let made: Vec<String> = statements.iter().filter_map(|sql| made(sql)).collect();
    let is_old = |sql: &&String| !made.iter().any(|table| concerns(sql, table));
    let alone: Vec<&String> = statements.iter().filter(is_old).filter(|sql| is_refused_in_company(sql)).collect();
    let mut broken = Vec::new();
    if alone.len() > 1 {
        let begins: Vec<&str> = alone.iter().map(|sql| sql.get(..60).unwrap_or(sql)).collect();
        broken.push(format!("more than one statement that has to be alone in its message, or inside `do`: {begins:?}"));
    }
    for sql in statements.iter().filter(is_old).filter(|sql| sql.contains(" set storage ")) {
        let distributed = SPREAD.iter().filter(|spread| spread.place == Place::Distributed);
        if distributed.into_iter().any(|spread| concerns(sql, short(spread.table))) {
            broken.push(format!("the storage of a distributed table is set: {sql}"));
        }
    }
    for sql in statements.iter().filter(|sql| sql.starts_with("create trigger")) {
        broken.push(format!("a trigger: {sql}"));
    }
    broken
}

/// A statement that Citus refuses where its message holds others.
fn is_refused_in_company(sql: &str) -> bool {
    sql.starts_with("create index")
        || sql.starts_with("create unique index")
        || (sql.starts_with("alter table") || sql.starts_with("alter index"))
            && ([" add constraint ", " set ("].iter().any(|part| sql.contains(part))
                || sql.contains(" alter column ") && sql.contains(" type "))
}

/// The table that a statement makes.
fn made(sql: &str) -> Option<String> {
    let name = sql.strip_prefix("create table ")?.split([' ', '(']).next()?;
    Some(short(name).to_owned())
}

fn short(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}

/// Whether a statement is about a table, as `on` or `table` says.
fn concerns(sql: &str, table: &str) -> bool {
    ["on ", "table ", "only ", "exists ", "public."].iter().any(|before| {
        sql.match_indices(&format!("{before}{table}")).any(|(at, found)| {
            let after = sql[at + found.len()..].chars().next();
            after.is_none_or(|letter| !(letter.is_alphanumeric() || letter == '_' || letter == '.'))
        })
    })
}

/// The statements, in lower case and on one line each, without comments; what stands between dollars is left out.
fn split(text: &str) -> Vec<String> {
    let text: String =
        text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut statements = vec![String::new()];
    for (place, part) in text.split("$$").enumerate() {
        if place % 2 == 1 {
            continue;
        }
        let mut is_quoted = false;
        for letter in part.chars() {
            is_quoted ^= letter == '\'';
            match letter {
                ';' if !is_quoted => statements.push(String::new()),
                _ => statements.last_mut().unwrap().extend(letter.to_lowercase()),
            }
        }
    }
    let one_line = |sql: &String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    statements.iter().map(one_line).filter(|sql| !sql.is_empty()).collect()
}
