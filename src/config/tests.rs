//! The configuration as a whole: what is refused and with which words, what is taken, and what the defaults are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::ExposeSecret as _;

use crate::domain::facts::LocationColumns;
use crate::domain::feed::Feed;
use crate::domain::workspace::{ConfiguredLocation, Dealership, Permitted};

use super::*;

mod mistakes;
mod moves;
mod silence;
mod what_may_be_forgotten;
mod who_may_enter;

const WORKSPACE: &str = "[[workspaces]]\nslug = \"a\"\n";
const CREDENTIAL: &str =
    "[[credentials]]\nname = \"c\"\nscheme = \"bearer\"\nfeeds = \"all\"\nworkspaces = \"all\"\nsecret_env = \"T\"\n";

fn environment(more: &[(&str, &str)]) -> Environment {
    Environment::of([("HOME", "/home/ada"), ("T", "abcdefghijklmnop\n")].into_iter().chain(more.iter().copied()))
}

fn read_with(text: &str, more: &[(&str, &str)]) -> Result<Config, Problems> {
    let setting = Input {
        origin: Origin::File(PathBuf::from("forecourt.toml")),
        name: "forecourt.toml".to_owned(),
        base: PathBuf::from("/etc/forecourt"),
    };
    parse(text, setting, &environment(more))
}

fn read(text: &str) -> Config {
    read_with(text, &[]).unwrap()
}

/// The problems of a text, one to a line, without the file's name.
fn refusals(text: &str) -> String {
    read_with(text, &[]).unwrap_err().to_string().replace("forecourt.toml:", "")
}

#[test]
fn a_mistake_in_the_server_part_is_named_with_its_place_and_a_remedy() {
    let cases = [
        (
            "lissten = 1",
            "2:1: unknown key `lissten` in [server]; did you mean `listen`? its keys are `listen`, `public_url`, `data_dir`, \
             `deadline_ms`, `hold_seconds`, `max_memory_bytes`, `max_held_bytes`, `stop_seconds`, `max_connections`, \
             `keep_alive_seconds`, `trusted_proxies`, `forwarded_header`, `booking_retry_days`, `reload_on_change`, `api_key_headers`, `body_limits`",
        ),
        ("listen = 8080", "2:10: `listen` is a whole number here; write a text: `listen = \"127.0.0.1:8080\"`"),
        (
            "listen = \":8080\"",
            "2:10: `:8080` is not an address to listen on; write an address and a port, such as `127.0.0.1:8080` or \
             `[::]:8080`",
        ),
        ("data_dir = \" \"", "2:12: `data_dir` is empty; write `data_dir = \"/var/lib/forecourt\"`, or leave it out"),
        ("hold_seconds = 0", "2:16: `hold_seconds`: write a whole number from 1 to 3600"),
        ("deadline_ms = 5", "2:15: `deadline_ms`: write a whole number from 10 to 60000"),
        ("max_held_bytes = 5", "2:18: `max_held_bytes`: write a whole number from 1048576 to 1099511627776"),
        ("stop_seconds = 0", "2:16: `stop_seconds`: write a whole number from 1 to 3600"),
        ("keep_alive_seconds = 4", "2:22: `keep_alive_seconds`: write a whole number from 5 to 3600"),
        ("booking_retry_days = \"30\"", "2:22: `booking_retry_days`: write a whole number from 0 to 3650"),
        (
            "api_key_headers = \"X-Key\"",
            "2:19: `api_key_headers` is a text here; write a list: `api_key_headers = [\"X-Our-Key\"]`",
        ),
        (
            "api_key_headers = [\"X Key\"]",
            "2:20: `X Key` cannot be the name of a header; write one such as \"X-Our-Key\"",
        ),
        (
            "[server.body_limits]\nleads = 4096",
            "3:1: unknown key `leads` in [server.body_limits]; did you mean `lead`? its keys are `lead`, `lead_cluster`, `inventory`, `leadpro_lead`",
        ),
        ("body_limits = { lead = 1.5 }", "2:24: `lead`: write a whole number from 1024 to 268435456"),
        (
            "token = \"abc\"",
            "2:1: `token`: a secret does not stand in this file; secrets belong to `[[credentials]]`, which name an \
             environment variable or a file",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusals(&format!("[server]\n{line}\n{WORKSPACE}{CREDENTIAL}")), expected, "{line}");
    }
}

#[test]
fn a_mistake_in_the_spool_part_is_named_with_its_place_and_a_remedy() {
    let cases = [
        ("max_bytes = -1", "2:13: `max_bytes`: write a whole number from 0 to 1099511627776"),
        ("min_free_bytes = \"1 GB\"", "2:18: `min_free_bytes`: write a whole number from 0 to 1099511627776"),
        (
            "max_byte = 1",
            "2:1: unknown key `max_byte` in [spool]; did you mean `max_bytes`? its keys are `max_bytes`, `min_free_bytes`",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusals(&format!("[spool]\n{line}\n{WORKSPACE}{CREDENTIAL}")), expected, "{line}");
    }
}

#[test]
fn the_owners_address_is_read_by_whoever_needs_it_and_is_in_no_starts_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    let loaded = |line: &str, variables: &[(&str, &str)]| {
        std::fs::write(&path, format!("[database]\n{line}\n{WORKSPACE}{CREDENTIAL}")).unwrap();
        let environment = environment(variables);
        let owner = load(Some(&path), &environment).unwrap().database.migrations.unwrap();
        owner.read(&environment).map(|url| url.expose_secret().to_owned())
    };
    let address = "postgres://ada:hush@localhost/x";
    assert_eq!(loaded("migrations_url_env = \"OWNER\"", &[("OWNER", &format!(" {address}\n"))]).unwrap(), address);
    assert_eq!(loaded("migrations_url = \"postgres:///x\"", &[]).unwrap(), "postgres:///x");
    let unset = loaded("migrations_url_env = \"OWNER\"", &[]).unwrap_err();
    assert_eq!(
        unset,
        "[database] migrations_url: the environment variable `OWNER` is not set; set it, or name another one"
    );
    std::fs::write(folder.path().join("owner"), address).unwrap();
    assert_eq!(loaded("migrations_url_file = \"owner\"", &[]).unwrap(), address);
}

#[test]
fn a_mistake_in_the_database_part_is_named_with_its_place_and_a_remedy() {
    let cases = [
        ("max_connections = 1", "2:19: `max_connections`: write a whole number from 2 to 1000"),
        ("writers = 10", "2:11: `writers`: write a whole number from 1 to 9"),
        ("max_connections = 20\nwriters = 0", "3:11: `writers`: write a whole number from 1 to 19"),
        (
            "password = \"x\"",
            "2:1: `password`: a secret does not stand in this file; put the whole address into an environment variable \
             (`url_env = \"NAME\"`) or a file (`url_file = \"path\"`)",
        ),
        (
            "url = \"postgres://ada:secret@localhost/x\"",
            "2:7: `url` holds a password, and a secret does not stand in this file; put the whole address into an \
             environment variable (`url_env = \"NAME\"`, or DATABASE_URL) or a file (`url_file = \"path\"`)",
        ),
        (
            "url = \"mysql://localhost/x\"",
            "2:7: this is not the address of a Postgres; write one such as `postgres://user@host:5432/database`",
        ),
        ("url_env = \"NOT_SET\"", "2:11: the environment variable `NOT_SET` is not set; set it, or name another one"),
        (
            "url_file = \"no/such\"",
            "2:12: the secret file `/etc/forecourt/no/such` does not exist; make it, or name another one",
        ),
        (
            "url_env = \"T\"\nurl_file = \"f\"",
            "1:1: [database] names its address more than once; keep one of `url`, `url_env` and `url_file`",
        ),
        (
            "migrations_url = \"postgres://ada:secret@localhost/x\"",
            "2:18: `migrations_url` holds a password, and a secret does not stand in this file; put the whole address into \
             an environment variable (`migrations_url_env = \"NAME\"`) or a file (`migrations_url_file = \"path\"`)",
        ),
        (
            "migrations_url = \"postgres://ada@localhost/x\"\nmigrations_url_env = \"T\"",
            "1:1: [database] names its address more than once; keep one of `migrations_url`, `migrations_url_env` and \
             `migrations_url_file`",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusals(&format!("[database]\n{line}\n{WORKSPACE}{CREDENTIAL}")), expected, "{line}");
    }
}

#[test]
fn a_mistake_in_a_workspace_is_named_with_its_place_and_a_remedy() {
    let cases = [
        (
            "dealership = [1]",
            "3:1: unknown key `dealership` in [[workspaces]]; did you mean `dealerships`? its keys are `slug`, \
             `former_slug`, `name`, `timezone`, `phone_region`, `country`, `currency`, `dealerships`, `locations`, `packages`, `expect`",
        ),
        (
            "timezone = \"Australia/Brisbne\"",
            "3:12: unknown time zone `Australia/Brisbne`; did you mean `Australia/Brisbane`?",
        ),
        (
            "timezone = \"Somewhere\"",
            "3:12: unknown time zone `Somewhere`; write an IANA name such as `Australia/Brisbane`",
        ),
        (
            "country = \"Atlantis\"",
            "3:11: unknown country `Atlantis`; write an ISO code of two letters, such as \"AU\"",
        ),
        (
            "phone_region = \"Atlantis\"",
            "3:16: unknown phone region `Atlantis`; write an ISO code of two letters, such as \"AU\"",
        ),
        (
            "packages = [\"Premium\", \"Premium\"]",
            "3:24: the package `Premium` stands in line 3 already; name each package of a workspace once",
        ),
        (
            "packages = [\"Pre\\u0000mium\"]",
            "3:13: an entry of `packages` holds a control character; write `packages = [\"Premium\"]`",
        ),
        ("[[workspaces]]\nslug = \"a\"", "4:8: the slug `a` stands in line 2 already; give each workspace its own"),
        ("[[workspaces]]\nname = \"B\"", "3:1: [[workspaces]] has no `slug`; write `slug = \"dealer-a\"`"),
        (
            "[[workspaces]]\nslug = \"Dealer B\"",
            "4:8: `Dealer B` is not a slug; write lower-case letters, digits and hyphens",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusals(&format!("{WORKSPACE}{line}\n{CREDENTIAL}")), expected, "{line}");
    }
}

#[test]
fn a_mistake_in_a_dealership_or_a_location_is_named_with_its_place_and_a_remedy() {
    let cases = [
        (
            "dealerships = [1, 2, 1]",
            "3:22: dealership 1 stands in line 3 already; a dealership belongs to exactly one workspace",
        ),
        (
            "dealerships = [1]\n[[workspaces]]\nslug = \"b\"\ndealerships = [2,\n  { id = 1 }]",
            "7:10: dealership 1 stands in line 3 already; a dealership belongs to exactly one workspace",
        ),
        (
            "dealerships = [\"1\"]",
            "3:16: a dealership is a text here; write the sender's id, a whole number: `dealerships = [356, { id = 357, \
             name = \"Dealer B\" }]`",
        ),
        (
            "dealerships = [{ id = 1, zone = \"x\" }]",
            "3:26: unknown key `zone` in a dealership; its keys are `id`, `name`, `timezone`, `moved_from`",
        ),
        (
            "dealerships = [{ id = 1, timezone = \"Utopia\" }]",
            "3:37: unknown time zone `Utopia`; write an IANA name such as `Australia/Brisbane`",
        ),
        (
            "locations = [\"North\", { name = \"NORTH\" }]",
            "3:32: the location `NORTH` (capitals do not count) stands in line 3 already; give each location of a \
             workspace its own name",
        ),
        ("locations = [{ street = \"1 Main St\" }]", "3:14: a location has no `name`; write `name = \"Dealer A\"`"),
        (
            "locations = [{ name = \"N\", bookable = \"yes\" }]",
            "3:39: `bookable` is a text here; write `true` or `false`",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(refusals(&format!("{WORKSPACE}{line}\n{CREDENTIAL}")), expected, "{line}");
    }
}

#[test]
fn every_problem_is_reported_at_once_in_the_order_of_the_file() {
    let text = format!("[server]\nlisten = \"x\"\n{WORKSPACE}timezone = 1\n{CREDENTIAL}color = 1\n[databse]\n");
    let problems = read_with(&text, &[("FORECOURT_LISTEN", "y"), ("DATABASE_URL", "z"), ("RUST_LOG", "a=b=c")]);
    let problems = problems.unwrap_err();
    let places: Vec<&str> = problems.0.iter().map(|problem| problem.place.as_str()).collect();
    let expected = ["forecourt.toml:2:10", "forecourt.toml:5:12", "forecourt.toml:12:1", "forecourt.toml:13:2"];
    assert_eq!(places[..4], expected);
    assert_eq!(places[4..], ["FORECOURT_LISTEN", "DATABASE_URL", "RUST_LOG"]);
}

#[test]
fn a_file_without_workspaces_and_credentials_is_refused() {
    assert_eq!(
        refusals(""),
        "1:1: there are no workspaces, so nothing could be stored; write `[[workspaces]]` with a `slug`\n\
         1:1: there are no credentials, so nobody could post; write `[[credentials]]` with a `name`"
    );
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let config = read(&format!("{WORKSPACE}{CREDENTIAL}"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.hold, Duration::from_mins(1));
    assert_eq!(config.server.deadline, Duration::from_secs(2));
    assert_eq!(config.server.budgets.memory, 1024 * 1024 * 1024);
    assert_eq!(config.server.stop, Duration::from_secs(25));
    assert_eq!(config.spool, Spool { max_bytes: 1024 * 1024 * 1024, min_free_bytes: 64 * 1024 * 1024 });
    assert_eq!(config.server.booking_retry_days, 30);
    assert_eq!(config.server.body_limit(Feed::Lead), 2 * 1024 * 1024);
    assert!(config.database.url.is_none());
    assert_eq!(config.database.max_connections, 10);
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(config.database.writers, processors.clamp(2, 9));
    let elsewhere = format!("[database]\nurl = \"postgres://h/d\"\n{WORKSPACE}{CREDENTIAL}");
    assert_eq!(read(&elsewhere).database.writers, 4);
    assert_eq!(read(&elsewhere.replace("[database]", "[database]\nmax_connections = 3")).database.writers, 2);
    assert_eq!(config.log, Log { filter: "info".to_owned(), format: LogFormat::Text });
    let [workspace] = &config.workspaces[..] else { panic!("one workspace") };
    assert_eq!((workspace.name.as_str(), workspace.timezone), ("a", Tz::Australia__Brisbane));
    assert_eq!((workspace.phone_region.code(), workspace.country.code()), ("AU", "AU"));
    let [credential] = &config.credentials[..] else { panic!("one credential") };
    assert_eq!(credential.permitted, Permitted::All);
    assert!(credential.feeds.iter().eq(Feed::ALL));
    let Scheme::Bearer(token) = &credential.scheme else { panic!("bearer") };
    assert_eq!(token.expose_secret(), "abcdefghijklmnop");
    assert!(!format!("{config:?}").contains("abc"), "a secret is never shown");
}

#[test]
fn memory_that_is_not_written_never_stops_a_configuration_and_what_is_written_must_suffice() {
    let with = |keys: &str| read_with(&format!("[server]\n{keys}\n{WORKSPACE}{CREDENTIAL}"), &[]);
    let quiet = with("").unwrap();
    assert!(quiet.warnings.is_empty() && quiet.server.budgets.held > 32 << 20, "{:?}", quiet.server.budgets);
    let as_before = with("max_held_bytes = 805306368").unwrap();
    assert_eq!(as_before.server.budgets.held, 805_306_368);
    let needed = as_before.server.budgets.memory;
    assert!(needed > 1 << 30);
    let warning = format!(
        "forecourt.toml:2:18: with these limits the service may take {needed} bytes of memory ({} MiB) in place of 1 GiB; \
         write `max_memory_bytes = {needed}`, and let the container or the unit have as much",
        needed >> 20
    );
    assert_eq!(as_before.warnings, [warning]);
    let written = with(&format!("max_memory_bytes = {needed}\nmax_held_bytes = 805306368")).unwrap();
    assert_eq!((written.server.budgets.memory, written.warnings.len()), (needed, 0));
    let refused = with("max_held_bytes = 805306368\nmax_memory_bytes = 1073741824").unwrap_err().to_string();
    let expected = format!(
        "forecourt.toml:3:20: `max_memory_bytes` does not suffice for the other limits: write {needed} ({} MiB) or more, or \
         lower `max_held_bytes` or `body_limits`",
        needed >> 20
    );
    assert_eq!(refused, expected);
    let large = with("[server.body_limits]\nlead_cluster = 67108864").unwrap();
    assert!(large.server.budgets.memory > 1 << 30 && large.warnings.len() == 1, "{:?}", large.warnings);
}

#[test]
fn a_workspace_is_read_whole() {
    let config = read(&format!(
        "{WORKSPACE}name = \"A\"\ntimezone = \"Australia/Perth\"\nphone_region = \"NZ\"\ncountry = \"NZ\"\n\
         former_slug = \"b\"\n\
         dealerships = [356, {{ id = 3, name = \"Dealer C\", timezone = \"Australia/Sydney\", moved_from = \"c\" }}]\n\
         locations = [\"North\", {{ name = \"South\", bookable = false, suburb = \"S\", postcode = 2000 }}]\n\
         packages = [\"Premium\", \"premium\"]\n{CREDENTIAL}"
    ));
    let workspace = &config.workspaces[0];
    assert_eq!((workspace.slug.as_str(), workspace.name.as_str()), ("a", "A"));
    assert_eq!((workspace.phone_region.code(), workspace.country.code()), ("NZ", "NZ"));
    let sydney = Some(Tz::Australia__Sydney);
    let first = Dealership { id: 356, ..Dealership::default() };
    let second =
        Dealership { id: 3, name: Some("Dealer C".to_owned()), timezone: sydney, moved_from: Some("c".to_owned()) };
    assert_eq!(workspace.dealerships, [first, second]);
    assert_eq!(workspace.former_slug.as_deref(), Some("b"));
    let columns = LocationColumns {
        suburb: Some("S".to_owned()),
        postcode: Some("2000".to_owned()),
        ..LocationColumns::default()
    };
    let north = ConfiguredLocation { name: "North".to_owned(), bookable: true, columns: LocationColumns::default() };
    let south = ConfiguredLocation { name: "South".to_owned(), bookable: false, columns };
    assert_eq!(workspace.locations, [north, south]);
    assert_eq!(workspace.packages, ["Premium", "premium"]);
}

#[test]
fn the_environment_takes_the_place_of_the_server_and_database_parts() {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\ndata_dir = \"data\"\n[database]\nurl_env = \"NOT_SET\"\n{WORKSPACE}{CREDENTIAL}"
    );
    let more = [
        ("FORECOURT_LISTEN", "[::]:2"),
        ("FORECOURT_DATA_DIR", "/srv/f"),
        ("DATABASE_URL", "postgres://u:p@h/d"),
        ("RUST_LOG", "debug"),
    ];
    let config = read_with(&text, &more).unwrap();
    assert_eq!(config.server.listen.to_string(), "[::]:2");
    assert_eq!(config.server.data_dir, PathBuf::from("/srv/f"));
    assert_eq!(config.database.url.unwrap().expose_secret(), "postgres://u:p@h/d");
    assert_eq!(config.log.filter, "debug");
}

#[test]
fn relative_paths_start_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    let text = format!(
        "[server]\ndata_dir = \"data\"\n{WORKSPACE}{}",
        CREDENTIAL.replace("secret_env = \"T\"", "secret_file = \"t\"")
    );
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("t"), "abc").unwrap();
    fs::set_permissions(folder.path().join("t"), fs::Permissions::from_mode(0o644)).unwrap();
    let config = load(Some(&path), &environment(&[])).unwrap();
    assert_eq!(config.server.data_dir, folder.path().join("data"));
    assert_eq!(config.origin, Origin::File(path.clone()));
    let warning = format!("{}:10:15: other users of this machine may read the secret file", path.display());
    assert!(config.warnings[0].starts_with(&warning), "{:?}", config.warnings);
    let by_variable = load(None, &environment(&[("FORECOURT_CONFIG", path.to_str().unwrap())])).unwrap();
    assert_eq!(by_variable.origin, Origin::File(path));
}

#[test]
fn what_an_editor_puts_before_the_text_is_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    let marked = |name: &str, text: &str| fs::write(folder.path().join(name), format!("\u{feff}{text}\r\n")).unwrap();
    let key = "0123456789abcdefghijklmnopqrstuv";
    let credential = CREDENTIAL.replace("secret_env = \"T\"", "secret_file = \"t\"");
    let files = "[database]\nurl_file = \"u\"\n[oauth]\nsigning_key_file = \"k\"\nprevious_signing_key_file = \"k\"\n";
    marked("forecourt.toml", &format!("{WORKSPACE}{credential}{files}").replace('\n', "\r\n"));
    for (name, text) in [("t", "abc"), ("u", "postgres://u:p@h/d"), ("k", key)] {
        marked(name, text);
    }
    let config = load(Some(&path), &environment(&[])).unwrap();
    let Scheme::Bearer(secret) = &config.credentials[0].scheme else { panic!("a bearer token") };
    assert_eq!(secret.expose_secret(), "abc");
    assert_eq!(config.database.url.unwrap().expose_secret(), "postgres://u:p@h/d");
    assert_eq!(config.oauth.signing_key.unwrap().expose_secret(), key);
    assert_eq!(config.oauth.previous_signing_key.unwrap().expose_secret(), key);

    marked("forecourt.toml", "lissten = 1");
    let problems = load(Some(&path), &environment(&[])).unwrap_err().to_string();
    assert!(problems.contains("forecourt.toml:1:1: unknown key"), "{problems}");
    fs::write(&path, b"\xFF\xFE[\0[\0").unwrap();
    assert_eq!(
        load(Some(&path), &environment(&[])).unwrap_err().to_string(),
        format!(
            "{}: the configuration file is not a text in UTF-8 but one in UTF-16; save it as UTF-8",
            path.display()
        )
    );
}

#[test]
fn a_file_that_was_asked_for_and_is_not_there_is_refused() {
    let problems = load(Some(Path::new("/no/such.toml")), &environment(&[])).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/no/such.toml: there is no configuration file here; put one here, or name another with `--config` or \
         FORECOURT_CONFIG"
    );
}

#[test]
fn the_sample_is_good_and_names_every_key() {
    let sample = include_str!("../../forecourt.sample.toml");
    let text = sample.replace("secret_file = \"/run/secrets/dealer_studio_inventory\"", "secret_env = \"T\"");
    let config = read_with(
        &text,
        &[("DEALER_STUDIO_TOKEN", "def"), ("LEADPRO_TOKEN", "ghi"), ("DEALER_STUDIO_CLIENT_SECRET", "jkl")],
    )
    .unwrap();
    assert_eq!((config.workspaces.len(), config.credentials.len()), (2, 4));
    assert_eq!(config.spool, read(&format!("{WORKSPACE}{CREDENTIAL}")).spool, "the sample shows the defaults");
    let ours = [server::KEYS, admin::KEYS, database::KEYS, rejected::KEYS, spool::KEYS, oauth::KEYS, alerts::KEYS];
    let ours = ours.into_iter().chain([erasure::KEYS, retention::KEYS]);
    let keys =
        ours.chain([workspaces::KEYS, workspaces::DEALERSHIP_KEYS, workspaces::LOCATION_KEYS, credentials::KEYS]);
    for key in keys.flatten() {
        assert!(sample.contains(&format!("{key} = ")) || sample.contains(&format!("{key}]")), "{key} is in the sample");
    }
}

#[test]
fn the_demo_has_a_workspace_for_each_documented_dealership() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let environment = Environment::of([("FORECOURT_DATA_DIR", data_dir.to_str().unwrap())]);
    let config = demo(&environment).unwrap();
    let ids: Vec<i64> = config.workspaces.iter().flat_map(|one| &one.dealerships).map(|one| one.id).collect();
    assert_eq!(ids, [356, 3, 121, 285]);
    assert_eq!((config.origin, config.server.data_dir), (Origin::Demo, data_dir));
    assert_eq!(config.warnings, Vec::<String>::new());
    let gulsons = &config.workspaces[3];
    assert_eq!(gulsons.locations[0].columns, LocationColumns::default(), "the inventory feed fills it");
}

#[test]
fn the_demo_beside_a_database_of_ones_own_is_a_loud_warning() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = ("FORECOURT_DATA_DIR", folder.path().to_str().unwrap());
    let environment = Environment::of([data_dir, ("DATABASE_URL", "postgres://u:p@h/d")]);
    let warnings = demo(&environment).unwrap().warnings;
    assert_eq!(warnings, [demo::OVER_A_DATABASE]);
    assert!(warnings[0].contains("DEMO CONFIGURATION") && !warnings[0].contains("u:p"));
    let path = folder.path().join("forecourt.toml");
    fs::write(&path, format!("{WORKSPACE}{CREDENTIAL}")).unwrap();
    let more = [data_dir, ("DATABASE_URL", "postgres://u:p@h/d"), ("T", "abcdefghijklmnop")];
    assert!(load(Some(&path), &Environment::of(more)).unwrap().warnings.is_empty());
}

#[test]
fn the_demo_token_is_made_once_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::of([("FORECOURT_DATA_DIR", folder.path().to_str().unwrap())]);
    let token = |config: &Config| {
        let Scheme::Bearer(token) = &config.credentials[0].scheme else { panic!("a bearer token") };
        token.expose_secret().to_owned()
    };
    let first = token(&demo(&environment).unwrap());
    assert_eq!(first.len(), 43, "256 bits in base64");
    assert_eq!(token(&demo(&environment).unwrap()), first);
    let file = folder.path().join("demo-token");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: std::collections::BTreeSet<String> = names.collect();
    assert_eq!(names, ["demo-console-password", "demo-token"].map(str::to_owned).into(), "no draft is left");
    let console = demo(&environment).unwrap().admin.unwrap().console.unwrap();
    assert_eq!((console.user.as_str(), console.password.expose_secret().len()), ("demo", 43));
    assert_ne!(console.password.expose_secret(), first);
    let file = folder.path().join("demo-console-password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(demo::token_source(&environment).unwrap().read(&environment).unwrap().expose_secret(), first);
}
