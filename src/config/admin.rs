//! `[admin]`: the listener for metrics, health and the console, which is none of the doors' and off unless it is asked for.

use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};

use super::context::Context;
use super::environment::Environment;
use super::oauth::named_secret;
use super::report::{Place, Report};
use super::section::Section;
use super::server::not_an_address;

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
    /// The names that it answers to, beside those of the machine itself, without ports.
    pub hosts: Vec<String>,
    /// Who may log in to the console; nobody where there is none.
    pub console: Option<ConsoleLogin>,
    /// Whether the service starts without it where its address is taken: the demo configuration asks for it unasked.
    pub is_optional: bool,
}

/// With what one logs in to the console.
#[derive(Clone, Debug)]
pub struct ConsoleLogin {
    /// The name.
    pub user: String,
    /// The password, in memory only.
    pub password: SecretString,
}

impl PartialEq for ConsoleLogin {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user && self.password.expose_secret() == other.password.expose_secret()
    }
}

impl Eq for ConsoleLogin {}

pub(super) const KEYS: &[&str] = &["listen", "hosts", "user", "password_env", "password_file"];

/// A shorter password could be guessed by somebody who is patient.
const PASSWORD_CHARACTERS: usize = 12;

/// The variable that takes the place of `listen`; empty, there is no admin listener.
const VARIABLE: &str = "FORECOURT_ADMIN_LISTEN";
const EXAMPLE: &str = "\"127.0.0.1:8081\"";

/// Reads `[admin]`, which may be absent. `doors` is where the service itself listens.
pub(super) fn read(root: &Section, context: &Context, doors: Option<SocketAddr>, report: &mut Report) -> Option<Admin> {
    let section = root.value("admin").and_then(|value| Section::open_value("[admin]", value, KEYS, report));
    let hosts = section.as_ref().map_or_else(Vec::new, |section| hosts(section, report));
    let console = section.as_ref().and_then(|section| console(section, context, report));
    let (listen, place) = listen(section.as_ref(), context.environment, report)?;
    if Some(listen) == doors && listen.port() != 0 {
        let message = format!("the doors listen on {listen} already; write another port, such as `127.0.0.1:8081`");
        report.problem_at(&place, message);
        return None;
    }
    if !listen.ip().to_canonical().is_loopback() {
        let names = if hosts.is_empty() {
            "and answers to no name but localhost: write those that it is asked by into `hosts` of `[admin]`"
        } else if console.is_some() {
            "and asks for no credential but at the console: let nobody reach the rest who is not to see how the service \
             fares, and have a proxy speak HTTPS, or the console's password can be read on the way"
        } else {
            "and asks for no credential: let nobody reach it who is not to see how the service fares"
        };
        report.warning_at(&place, format!("the admin listener can be reached from other machines, {names}"));
    }
    Some(Admin { listen, hosts, console, is_optional: false })
}

/// Who may log in to the console: nobody, unless both a user and a password are named.
fn console(section: &Section, context: &Context, report: &mut Report) -> Option<ConsoleLogin> {
    let user = section.text("user", "\"support\"", report);
    let names = ("password", "CONSOLE_PASSWORD", "/run/secrets/console_password");
    let password = named_secret(section, names, "password", context.base, context.environment, report);
    if let Some((span, password)) = &password
        && password.expose_secret().chars().count() < PASSWORD_CHARACTERS
    {
        let message = format!(
            "the password has less than {PASSWORD_CHARACTERS} characters, so it could be guessed; make one with \
             `forecourt secret`"
        );
        report.problem(span, message);
    }
    let is_named = section.value("password_env").is_some() || section.value("password_file").is_some();
    match (user, password) {
        (Some(user), Some((_, password))) => Some(ConsoleLogin { user: (*user.get_ref()).to_owned(), password }),
        (Some(user), None) if !is_named => {
            let message = "the console has a user and no password; name it with `password_env` or `password_file`";
            report.problem(&user.span(), message);
            None
        }
        (None, Some((span, _))) if section.value("user").is_none() => {
            report.problem(&span, "the console has a password and no user; write `user = \"support\"`");
            None
        }
        (_, _) => None,
    }
}

/// Where it listens, and where that is written; none where there is no admin listener.
fn listen(section: Option<&Section>, environment: &Environment, report: &mut Report) -> Option<(SocketAddr, Place)> {
    // Read also where the environment takes its place: a mistake in the file is told either way.
    let of_file = section.and_then(|section| section.text("listen", EXAMPLE, report)).and_then(|text| {
        let address = text.get_ref().parse().ok();
        if address.is_none() {
            report.problem(&text.span(), not_an_address(text.get_ref()));
        }
        Some((address?, Place::File(text.span())))
    });
    if environment.raw(VARIABLE).is_none() {
        return of_file;
    }
    let text = environment.setting(VARIABLE)?;
    let address = text.parse().ok();
    if address.is_none() {
        report.problem_in_environment(VARIABLE, not_an_address(&text));
    }
    Some((address?, Place::Environment(VARIABLE)))
}

fn hosts(section: &Section, report: &mut Report) -> Vec<String> {
    let mut hosts = Vec::new();
    for text in section.texts("hosts", "[\"metrics.example.com\"]", report) {
        let name = text.get_ref().to_ascii_lowercase();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        let is_name = bare.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
        if is_name || bare.parse::<IpAddr>().is_ok() {
            hosts.push(bare.to_owned());
        } else {
            let message = format!(
                "`{}` is not the name of a host; write a name or an address without `http://`, port or path, such as \
                 \"metrics.example.com\"",
                text.get_ref()
            );
            report.problem(&text.span(), message);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::super::report::Concluded;
    use super::*;

    fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<(Option<Admin>, Vec<String>), String> {
        let mut report = Report::about("f", text);
        let (root, _errors) = DeTable::parse_recoverable(text);
        let section = Section::open("the file", 0..0, root.get_ref(), &["admin"], &mut report);
        let environment = Environment::of(variables.iter().copied());
        let context = Context { environment: &environment, base: std::path::Path::new("/nowhere"), slugs: Vec::new() };
        let admin = read(&section, &context, "127.0.0.1:8080".parse().ok(), &mut report);
        let concluded = report.conclude(Some(admin)).map_err(|problems| problems.to_string())?;
        let Concluded { read, warnings, .. } = concluded;
        Ok((read, warnings))
    }

    fn listens(text: &str, variables: &[(&str, &str)]) -> Option<String> {
        read_with(text, variables).unwrap().0.map(|admin| admin.listen.to_string())
    }

    #[test]
    fn it_is_off_unless_it_is_asked_for_and_the_environment_has_the_last_word() {
        let file = "[admin]\nlisten = \"127.0.0.1:8081\"\n";
        assert_eq!(listens("", &[]), None);
        assert_eq!(listens("[admin]\nhosts = [\"a\"]\n", &[]), None);
        assert_eq!(listens(file, &[]).as_deref(), Some("127.0.0.1:8081"));
        assert_eq!(listens(file, &[(VARIABLE, "[::1]:9000")]).as_deref(), Some("[::1]:9000"));
        assert_eq!(listens("", &[(VARIABLE, "127.0.0.1:9000")]).as_deref(), Some("127.0.0.1:9000"));
        assert_eq!(listens(file, &[(VARIABLE, "")]), None, "empty: none");
    }

    #[test]
    fn names_lose_their_case_and_their_brackets() {
        let (admin, warnings) =
            read_with("[admin]\nlisten = \"127.0.0.1:1\"\nhosts = [\"Metrics.Example\", \"[fd00::5]\"]\n", &[])
                .unwrap();
        assert_eq!(admin.unwrap().hosts, ["metrics.example", "fd00::5"]);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn beyond_the_machine_itself_it_warns_with_the_place() {
        let warned = |text: &str, variables: &[(&str, &str)]| read_with(text, variables).unwrap().1.concat();
        let named = warned("[admin]\nlisten = \"0.0.0.0:8081\"\nhosts = [\"forecourt\"]\n", &[]);
        assert!(
            named.starts_with("f:2:10: the admin listener can be reached") && named.contains("credential"),
            "{named}"
        );
        let nameless = warned("", &[(VARIABLE, "0.0.0.0:8081")]);
        assert!(nameless.starts_with("FORECOURT_ADMIN_LISTEN: ") && nameless.contains("`hosts`"), "{nameless}");
    }

    #[test]
    fn the_console_has_a_user_and_a_password_that_cannot_be_guessed() {
        let listen = "[admin]\nlisten = \"127.0.0.1:1\"\n";
        let variables = [("PASSWORD", "twelve-letters"), ("SHORT", "eleven-lett")];
        let with = |lines: &str| read_with(&format!("{listen}{lines}"), &variables);
        let (admin, warnings) = with("user = \"ada\"\npassword_env = \"PASSWORD\"\n").unwrap();
        let login = admin.unwrap().console.unwrap();
        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("ada", "twelve-letters"));
        assert!(!format!("{login:?}").contains("twelve"), "{login:?}");
        assert_eq!(warnings, [""; 0]);
        assert_eq!(with("").unwrap().0.unwrap().console, None);
        for (lines, expected) in [
            ("user = \"ada\"", "f:3:8: the console has a user and no password; name it with `password_env` or"),
            ("password_env = \"PASSWORD\"", "f:3:16: the console has a password and no user; write `user = "),
            ("user = \"ada\"\npassword_env = \"SHORT\"", "f:4:16: the password has less than 12 characters, so"),
            ("user = \"ada\"\npassword_env = \"ABSENT\"", "f:4:16: the environment variable `ABSENT` is not set"),
            ("user = \"ada\"\npassword_file = \"p\"", "f:4:17: the secret file `/nowhere/p` does not exist"),
            ("user = \"ada\"\npassword = \"p\"", "f:3:8: the console has a user and no password"),
        ] {
            let problem = with(lines).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
            assert!(!problem.contains("eleven"), "{problem}");
        }
        let written = with("user = \"ada\"\npassword = \"hunter2\"").unwrap_err();
        assert!(written.contains("a secret does not stand in this file; name an environment variable (`password_env"));
        assert!(!written.contains("hunter2"), "{written}");
        let open = "[admin]\nlisten = \"0.0.0.0:1\"\nhosts = [\"a\"]\nuser = \"ada\"\npassword_env = \"PASSWORD\"\n";
        let warned = read_with(open, &variables).unwrap().1.concat();
        assert!(warned.contains("have a proxy speak HTTPS"), "{warned}");
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_a_remedy() {
        for (line, expected) in [
            ("listen = 8081", "f:2:10: `listen` is a whole number here; write a text: `listen = \"127.0.0.1:8081\"`"),
            ("listen = \"8081\"", "f:2:10: `8081` is not an address to listen on"),
            ("listen = \"127.0.0.1:8080\"", "f:2:10: the doors listen on 127.0.0.1:8080 already; write another port"),
            ("hosts = \"a\"", "f:2:9: `hosts` is a text here; write a list"),
            ("hosts = [\"http://a:1/\"]", "f:2:10: `http://a:1/` is not the name of a host; write a name"),
            ("hosts = [\"a:1\"]", "f:2:10: `a:1` is not the name of a host"),
            ("host = [\"a\"]", "f:2:1: unknown key `host` in [admin]; did you mean `hosts`?"),
        ] {
            let problem = read_with(&format!("[admin]\n{line}\n"), &[]).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
        let problem = read_with("", &[(VARIABLE, "here")]).unwrap_err();
        assert!(problem.starts_with("FORECOURT_ADMIN_LISTEN: `here` is not an address to listen on"), "{problem}");
    }
}
