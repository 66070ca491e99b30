//! One mistake is told once, where it is, whatever follows from it; and where the file and the database's address are found.

use secrecy::ExposeSecret as _;

use super::*;

#[test]
fn a_text_that_is_not_toml_is_refused_with_its_first_mistake_alone() {
    assert_eq!(
        refusals("[server]\nlisten = \nhold_seconds = 1 2\n"),
        "2:10: this is not TOML: string values must be quoted, expected literal string"
    );
    // One bracket is missing, before hundreds of lines.
    let workspace = |id: i32| format!("[[workspaces]]\nslug = \"w{id}\"\ndealerships = [{id}]\n");
    let lines = (1..200).map(workspace).collect::<Vec<_>>().concat();
    let problems =
        refusals(&format!("[[workspaces]]\nslug = \"a\"\nlocations = [\"North\", \"South\"\n{lines}{CREDENTIAL}"));
    assert_eq!(problems.lines().count(), 1, "{problems}");
    assert!(problems.starts_with("3:29: this is not TOML: ") || problems.starts_with("4:1"), "{problems}");
    assert_eq!(refusals(&format!("a = {}", "[".repeat(5000))).lines().count(), 1);
}

#[test]
fn where_a_service_listens_is_refused_with_the_place_of_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        let problems = listen_address(Some(&path), &environment(&[])).unwrap_err().to_string();
        problems.replace(&path.display().to_string(), "")
    };
    let not_toml = refused("[server]\nlisten = \"127.0.0.1:1\n[database]\nurl = [1\n");
    assert!(not_toml.starts_with(":2:") && not_toml.lines().count() == 1, "{not_toml}");
    let number = refused("[server]\nlisten = 8080\n");
    assert!(number.starts_with(":2:10: `8080` is not an address to listen on;"), "{number}");
}

#[test]
fn keys_below_a_header_that_is_missing_or_wrong_are_told_once() {
    let keys = "`listen`, `data_dir`, `deadline_ms`";
    assert_eq!(
        refusals(&format!("listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\ndeadline_ms = 20\n{WORKSPACE}{CREDENTIAL}")),
        format!(
            "1:1: unknown keys {keys} in the file; all of them belong to `[server]`: is that line missing above them?"
        )
    );
    let database = "url = \"postgres://h/d\"\nbin_dir = \"b\"";
    assert_eq!(
        refusals(&format!("[spool]\n{database}\n{WORKSPACE}{CREDENTIAL}")),
        "2:1: unknown keys `url`, `bin_dir` in [spool]; all of them belong to `[database]`: is that line missing above them?"
    );
    assert_eq!(
        refusals(&format!("{WORKSPACE}{CREDENTIAL}red = 1\ngreen = 2\nfeed = 3\n")),
        "9:1: unknown keys `red`, `green` in [[credentials]]; its keys are `name`, `scheme`, `feeds`, `workspaces`, \
         `secret_env`, `secret_file`, `user`, `client_id`, `not_after`\n\
         11:1: unknown key `feed` in [[credentials]]; did you mean `feeds`? its keys are `name`, `scheme`, `feeds`, \
         `workspaces`, `secret_env`, `secret_file`, `user`, `client_id`, `not_after`"
    );
    assert_eq!(
        refusals(&format!("{WORKSPACE}listen = \"127.0.0.1:1\"\n{CREDENTIAL}")),
        "3:1: unknown key `listen` in [[workspaces]]; it belongs to `[server]`; its keys are `slug`, `former_slug`, `name`, \
         `timezone`, `phone_region`, `country`, `currency`, `dealerships`, `locations`, `packages`, `expect`"
    );
}

#[test]
fn what_follows_from_a_header_that_is_misspelt_is_not_told_beside_it() {
    let credentials = CREDENTIAL.replace("workspaces = \"all\"", "workspaces = [\"a\"]");
    let known = "its keys are `server`, `admin`, `database`, `spool`, `rejected`, `retention`, `oauth`, `erasure`, `alerts`, \
        `workspaces`, `credentials`";
    assert_eq!(
        refusals(&format!("{}{credentials}", WORKSPACE.replace("workspaces", "workspace"))),
        format!("1:3: unknown key `workspace` in the file; did you mean `workspaces`? {known}")
    );
    assert_eq!(
        refusals(&format!("{}{credentials}", WORKSPACE.replace("[[workspaces]]", "[workspaces]"))),
        "1:1: `workspaces` is a table here; write a table `[[workspaces]]` for each"
    );
    assert_eq!(
        refusals(&format!("{WORKSPACE}{}", CREDENTIAL.replace("[[credentials]]", "[[credential]]"))),
        format!("3:3: unknown key `credential` in the file; did you mean `credentials`? {known}")
    );
}

#[test]
fn an_abbreviation_for_a_time_zone_is_answered_with_zones() {
    assert_eq!(
        refusals(&format!("{WORKSPACE}timezone = \"AEST\"\n{CREDENTIAL}")),
        "3:12: unknown time zone `AEST`; it stands for several that differ in daylight saving: write one of \
         `Australia/Brisbane`, `Australia/Sydney`, `Australia/Melbourne`, `Australia/Hobart`"
    );
}

#[test]
fn an_address_that_a_start_cannot_read_is_refused_where_it_stands() {
    let file = format!("{WORKSPACE}{CREDENTIAL}");
    let refused = |text: &str, more: &[(&str, &str)]| {
        let problems = read_with(text, more).unwrap_err().to_string();
        assert!(!problems.contains("hush"), "{problems}");
        problems
    };
    let in_environment = refused(&file, &[("DATABASE_URL", "postgres://u:hu#hush@db/f")]);
    assert!(in_environment.starts_with("DATABASE_URL: the address holds `#`"), "{in_environment}");
    assert!(in_environment.ends_with("write `%23`"), "{in_environment}");

    let named = format!("{file}[database]\nurl_env = \"DB\"\n");
    let by_variable = refused(&named, &[("DB", "postgres://u:hush@db/f?sslmode=no-verify")]);
    assert!(
        by_variable.starts_with("forecourt.toml:10:11: the environment variable `DB`: `sslmode` is none of `disable`"),
        "{by_variable}"
    );
    let in_file = refused(&format!("{file}[database]\nurl = \"postgres://u@one:1,two:2/f\"\n"), &[]);
    assert!(in_file.starts_with("forecourt.toml:10:7: the address names several hosts"), "{in_file}");
}

#[test]
fn an_address_that_can_be_read_and_leads_elsewhere_stops_no_start() {
    let config =
        read_with(&format!("{WORKSPACE}{CREDENTIAL}"), &[("DATABASE_URL", "postgres://u:1#hush@db/f")]).unwrap();
    assert!(config.errors.len() == 1 && config.errors[0].starts_with("DATABASE_URL: the address holds `#`"));
    assert!(!config.errors[0].contains("hush"));
    let config = read_with(&format!("{WORKSPACE}{CREDENTIAL}"), &[("DATABASE_URL", "postgres://u:h@x@db/f")]).unwrap();
    assert!(config.errors.is_empty() && config.warnings[0].contains("write `%40`"), "{:?}", config.warnings);
}

#[test]
fn the_address_may_stand_in_a_file_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    fs::write(&path, "postgres://u:hush@db/f\n").unwrap();
    let file = ("DATABASE_URL_FILE", path.to_str().unwrap());
    let text = format!("{WORKSPACE}{CREDENTIAL}[database]\nurl_env = \"NOT_SET\"\n");
    let config = read_with(&text, &[file]).unwrap();
    assert_eq!(config.database.url.unwrap().expose_secret(), "postgres://u:hush@db/f");
    assert!(config.files.contains(&path));

    let both = read_with(&text, &[file, ("DATABASE_URL", "postgres://u@db/f")]).unwrap_err().to_string();
    assert_eq!(both, "DATABASE_URL_FILE: `DATABASE_URL` is set as well; keep one of the two");
    let missing = read_with(&text, &[("DATABASE_URL_FILE", "/no/such")]).unwrap_err().to_string();
    assert_eq!(missing, "DATABASE_URL_FILE: the secret file `/no/such` does not exist; make it, or name another one");
    fs::write(&path, "postgres://u:hu#hush@db/f").unwrap();
    let wrong = read_with(&text, &[file]).unwrap_err().to_string();
    let expected = format!("DATABASE_URL_FILE: the secret file `{}`: the address holds `#`", path.display());
    assert!(wrong.starts_with(&expected) && !wrong.contains("hush"), "{wrong}");
}

#[test]
fn a_log_format_that_there_is_none_of_is_refused() {
    let file = format!("{WORKSPACE}{CREDENTIAL}");
    let with = |format: &str| read_with(&file, &[("FORECOURT_LOG_FORMAT", format)]);
    assert_eq!(with("json").unwrap().log.format, LogFormat::Json);
    assert_eq!(with("text").unwrap().log.format, LogFormat::Text);
    assert_eq!(with("").unwrap().log.format, LogFormat::Text, "an empty variable counts as unset");
    let refused = |format: &str| with(format).unwrap_err().to_string();
    assert_eq!(
        refused("jsn"),
        "FORECOURT_LOG_FORMAT: unknown log format `jsn`; did you mean `json`? write `text` or `json`"
    );
    assert_eq!(refused("logfmt"), "FORECOURT_LOG_FORMAT: unknown log format `logfmt`; write `text` or `json`");
}

#[test]
fn the_file_is_looked_for_in_the_working_directory_and_then_where_the_system_keeps_it() {
    assert_eq!(PLACES, ["forecourt.toml", "/etc/forecourt/forecourt.toml"]);
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("here.toml"), folder.path().join("etc.toml"));
    let places = [&first, &second];
    let found = |config_path: Option<&Path>, more: &[(&str, &str)]| {
        read_file(config_path, &environment(more), &places).map(|found| found.map(|(path, _)| path))
    };
    assert_eq!(found(None, &[]).unwrap(), None, "then the demo configuration is used");
    fs::write(&second, WORKSPACE).unwrap();
    assert_eq!(found(None, &[]).unwrap(), Some(second.clone()));
    fs::write(&first, WORKSPACE).unwrap();
    assert_eq!(found(None, &[]).unwrap(), Some(first.clone()));
    let named = ("FORECOURT_CONFIG", second.to_str().unwrap());
    assert_eq!(found(None, &[named]).unwrap(), Some(second.clone()));
    assert_eq!(found(Some(&first), &[named]).unwrap(), Some(first.clone()));
    fs::remove_file(&first).unwrap();
    assert!(found(Some(&first), &[]).is_err(), "one that is named must be there");
    fs::remove_file(&second).unwrap();
    fs::create_dir(&second).unwrap();
    assert!(found(None, &[]).is_err(), "one that cannot be read is not passed over");
}
