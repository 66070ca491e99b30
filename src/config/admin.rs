//! `[admin]`: the listener for metrics and health, which is none of the doors' and off unless it is asked for.

use std::net::{IpAddr, SocketAddr};

use super::environment::Environment;
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
    /// Whether the service starts without it where its address is taken: the demo configuration asks for it unasked.
    pub is_optional: bool,
}

pub(super) const KEYS: &[&str] = &["listen", "hosts"];

/// The variable that takes the place of `listen`; empty, there is no admin listener.
const VARIABLE: &str = "FORECOURT_ADMIN_LISTEN";
const EXAMPLE: &str = "\"127.0.0.1:8081\"";

/// Reads `[admin]`, which may be absent. `doors` is where the service itself listens.
pub(super) fn read(
    root: &Section,
    environment: &Environment,
    doors: Option<SocketAddr>,
    report: &mut Report,
) -> Option<Admin> {
    let section = root.value("admin").and_then(|value| Section::open_value("[admin]", value, KEYS, report));
    let hosts = section.as_ref().map_or_else(Vec::new, |section| hosts(section, report));
    let (listen, place) = listen(section.as_ref(), environment, report)?;
    if Some(listen) == doors && listen.port() != 0 {
        let message = format!("the doors listen on {listen} already; write another port, such as `127.0.0.1:8081`");
        report.problem_at(&place, message);
        return None;
    }
    if !listen.ip().to_canonical().is_loopback() {
        let names = if hosts.is_empty() {
            "and answers to no name but localhost: write those that it is asked by into `hosts` of `[admin]`"
        } else {
            "and asks for no credential: let nobody reach it who is not to see how the service fares"
        };
        report.warning_at(&place, format!("the admin listener can be reached from other machines, {names}"));
    }
    Some(Admin { listen, hosts, is_optional: false })
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
        let admin = read(&section, &environment, "127.0.0.1:8080".parse().ok(), &mut report);
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
