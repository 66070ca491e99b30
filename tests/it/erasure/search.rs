//! Values that stand nowhere else, and the search for them: in every column of every table, in every file of the data
//! directory, and in a dump.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{AssertSqlSafe, Row as _};

use crate::support::postgres::TestDatabase;
use crate::support::{ALL, TestService, left_out, listed};

/// What was planted.
#[derive(Debug, Default)]
pub(super) struct Planted {
    values: Vec<String>,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// How many columns, files and dumps were looked through.
    pub(super) places: usize,
    /// What was found, and where.
    pub(super) finds: Vec<String>,
}

/// A program of Postgres, of the newest version there is.
pub(super) fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

/// A dump of a database; none where `pg_dump` is older than the server, which it refuses then.
pub(super) async fn dump(database: &TestDatabase) -> Option<Vec<u8>> {
    let url = database.url_of_superuser();
    let run = move || Command::new(program("pg_dump")).arg("--dbname").arg(url).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("server version mismatch") {
        left_out("no dump is made: pg_dump is older than the server");
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(output.stdout)
}

impl Planted {
    /// A word that stands nowhere else.
    pub(super) fn word(&mut self, hint: &str) -> String {
        let word = format!("zq{}x{hint}", self.values.len());
        self.values.push(word.clone());
        word
    }

    /// A value of a kind that cannot be any word.
    pub(super) fn value(&mut self, value: &str) {
        self.values.push(value.to_lowercase());
    }

    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// Everything there is.
    pub(super) async fn search(&self, service: &TestService) -> Searched {
        let mut all = self.search_tables(&service.database).await;
        for more in [self.search_files(service.data_dir()), self.search_dump(&service.database).await] {
            all.places += more.places;
            all.finds.extend(more.finds);
        }
        all
    }

    /// Every column of every table.
    pub(super) async fn search_tables(&self, database: &TestDatabase) -> Searched {
        let columns = format!(
            "select t.path, quote_ident(a.attname), a.atttypid = 'bytea'::regtype from {} t
            join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped order by 1, 2",
            listed(ALL)
        );
        let columns = sqlx::query(AssertSqlSafe(columns)).fetch_all(&database.pool).await.unwrap();
        let mut searched = Searched::default();
        for column in columns {
            let (table, column, is_bytes): (String, String, bool) = (column.get(0), column.get(1), column.get(2));
            let text = if is_bytes { format!("encode({column}, 'escape')") } else { format!("{column}::text") };
            let query = format!("select coalesce(string_agg({text}, ' '), '') from {table}");
            let text: String = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&database.pool).await.unwrap();
            searched.look(&self.values, &format!("{table}.{column}"), text.as_bytes());
        }
        searched
    }

    /// Every file below a folder.
    pub(super) fn search_files(&self, folder: &Path) -> Searched {
        let mut searched = Searched::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    searched.look(&self.values, &path.display().to_string(), &bytes);
                }
            }
        }
        searched
    }

    /// A dump, in which bytes stand as digits.
    async fn search_dump(&self, database: &TestDatabase) -> Searched {
        let mut searched = Searched::default();
        let Some(dump) = dump(database).await else { return searched };
        let digits = |value: &String| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let both: Vec<String> = self.values.iter().cloned().chain(self.values.iter().map(digits)).collect();
        searched.look(&both, "the dump", &dump);
        searched
    }
}

impl Searched {
    fn look(&mut self, values: &[String], place: &str, bytes: &[u8]) {
        self.places += 1;
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        self.finds.extend(values.iter().filter(|value| text.contains(*value)).map(|value| format!("{place}: {value}")));
    }
}
