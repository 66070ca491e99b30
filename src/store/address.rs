//! The address of a database, read in one place: what `check` says of it is what a start makes of it.
//!
//! What is said of an address never repeats its values, because one of them is the password, and where a sign in it is
//! not encoded the password is anywhere.

use std::fmt;

use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tracing::subscriber::{NoSubscriber, with_default};

/// An address that can be connected to, and what a person should know of it.
pub struct ReadAddress {
    /// How to connect.
    pub options: PgConnectOptions,
    /// What is wrong with it although it can be read, one sentence each: most likely it leads elsewhere.
    pub errors: Vec<String>,
    /// What a person should look at, one sentence each.
    pub warnings: Vec<String>,
}

impl fmt::Debug for ReadAddress {
    /// Without the address, which holds a password and would show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options: _, errors, warnings } = self;
        f.debug_struct("ReadAddress").field("errors", errors).field("warnings", warnings).finish_non_exhaustive()
    }
}

/// Why a text is no address of a Postgres, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It begins otherwise.
    #[error("this is not the address of a Postgres; write one such as `postgres://user@host:5432/database`")]
    OtherScheme,
    /// Its user or password holds a sign that means something else in an address.
    #[error("{0}")]
    Unencoded(String),
    /// It names no host.
    #[error(
        "the address names no host after `@`; write one, such as `localhost`, or the folder of the server's socket as a \
         parameter: `?host=/run/postgresql`"
    )]
    NoHost,
    /// It names several hosts.
    #[error("{SEVERAL_HOSTS}")]
    SeveralHosts,
    /// It asks for a way of encrypting that there is none of.
    #[error(
        "`sslmode` is none of `disable`, `allow`, `prefer`, `require`, `verify-ca` and `verify-full`; `require` encrypts \
         without checking the server's certificate, which other programs call `no-verify`"
    )]
    SslMode,
    /// Its port is no port.
    #[error("the port of the address is no number from 1 to 65535; write one such as `:5432` after the host")]
    Port,
    /// Its parameter `hostaddr` is no address.
    #[error("`hostaddr` is no IP address; write one, or a name as `host`")]
    HostAddress,
    /// Something else.
    #[error(
        "the address of the database cannot be read; write it as `postgres://user:password@host:5432/database`, and each \
         sign of the user and the password that is no letter and no digit as `%` and its two hexadecimal digits"
    )]
    Other,
}

const SEVERAL_HOSTS: &str = "the address names several hosts, and forecourt connects to one; name the one that takes \
    writes, or what leads to it, such as a pooler or a name that follows it";

/// The parameters that have an effect, beside `options[...]`.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// Reads the address of a database.
///
/// # Errors
/// When it is none.
pub fn read(text: &str) -> Result<ReadAddress, AddressError> {
    let parts = Parts::of(text).ok_or(AddressError::OtherScheme)?;
    let whole = parts.with_host(text).ok_or(AddressError::NoHost)?;
    // The library logs the parameters that it does not know with their values.
    match with_default(NoSubscriber::new(), || whole.parse::<PgConnectOptions>()) {
        Ok(options) => Ok(ReadAddress { options, errors: parts.errors(), warnings: parts.warnings() }),
        Err(_would_show_values) => Err(parts.why()),
    }
}

/// An address taken apart where its own signs stand.
struct Parts<'a> {
    /// What follows `postgres://`.
    rest: &'a str,
    /// User, password, host and port.
    authority: &'a str,
    /// The database, with what stands before it.
    path: &'a str,
    /// The parameters.
    query: &'a str,
    /// What follows `#`, which nobody reads.
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        let (before, fragment) = rest.split_once('#').map_or((rest, None), |(before, after)| (before, Some(after)));
        let (before, query) = before.split_once('?').unwrap_or((before, ""));
        let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
        Some(Self { rest, authority, path, query, fragment })
    }

    /// User and password as they were written, where there are any.
    fn user_info(&self) -> Option<&'a str> {
        self.authority.rsplit_once('@').map(|(user_info, _)| user_info)
    }

    /// Host and port.
    fn host(&self) -> &'a str {
        self.authority.rsplit_once('@').map_or(self.authority, |(_, host)| host)
    }

    fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }

    /// The address with a host before its port, as the library wants one: a parameter may name it in its place, as for
    /// sockets (`postgres://user:password@/database?host=/run/postgresql`). `None` where nothing names one.
    fn with_host(&self, text: &str) -> Option<String> {
        let host = self.host();
        if !(host.is_empty() || host.starts_with(':')) || (self.authority.is_empty() && self.fragment.is_none()) {
            return Some(text.to_owned());
        }
        let is_named = self.parameters().any(|(key, _)| key == "host" || key == "hostaddr");
        if !is_named {
            // A sign that is not encoded may have cut it off, which another sentence tells.
            return (self.unencoded().is_some()).then(|| text.to_owned());
        }
        let (before, after) = text.split_at(text.len() - self.rest.len() + self.authority.len() - host.len());
        Some(format!("{before}localhost{after}"))
    }

    /// The signs that end the user and the password before their `@` because they are not encoded.
    fn unencoded(&self) -> Option<String> {
        let user_info = self.rest.rsplit_once('@')?.0;
        let signs: Vec<char> = ['/', '?', '#'].into_iter().filter(|sign| user_info.contains(*sign)).collect();
        // What ends before any colon is a host, and what follows it a path or a parameter.
        let begins = user_info.split(['/', '?', '#']).next()?;
        (!signs.is_empty() && begins.contains(':')).then(|| encode(&signs))
    }

    /// Why it cannot be read.
    fn why(&self) -> AddressError {
        if let Some(unencoded) = self.unencoded() {
            return AddressError::Unencoded(unencoded);
        }
        if self.names_several() {
            return AddressError::SeveralHosts;
        }
        let port = self.host().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
        if port.is_some_and(|port| !is_port(port)) {
            return AddressError::Port;
        }
        let is_wrong = |name: &str, right: fn(&str) -> bool| {
            self.parameters().any(|(key, value)| key.replace('-', "") == name && !right(&value))
        };
        let modes = |value: &str| {
            ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
                .contains(&value.to_ascii_lowercase().as_str())
        };
        if is_wrong("sslmode", modes) {
            AddressError::SslMode
        } else if is_wrong("port", |port| port.parse::<u16>().is_ok()) {
            AddressError::Port
        } else if is_wrong("hostaddr", |address| address.parse::<std::net::IpAddr>().is_ok()) {
            AddressError::HostAddress
        } else {
            AddressError::Other
        }
    }

    fn names_several(&self) -> bool {
        let by_parameter = |(key, value): (String, String)| {
            ["host", "hostaddr", "port"].contains(&key.as_str()) && value.contains(',')
        };
        self.host().contains(',') || self.parameters().any(by_parameter)
    }

    /// What is wrong with one that can be read.
    fn errors(&self) -> Vec<String> {
        let is_cut = self.fragment.is_some()
            || self.path.contains('@')
            || self.parameters().any(|(key, _)| key.contains('@') || key.contains('/'));
        let cut = is_cut.then(|| {
            let signs = || encode(&['#']);
            self.unencoded().unwrap_or_else(signs)
        });
        let several = self.names_several().then(|| SEVERAL_HOSTS.to_owned());
        let inner = self.path.trim_start_matches('/').contains('/') && !is_cut;
        let inner = inner.then(|| "the name of the database holds `/`; take it out, or write `%2F`".to_owned());
        [cut, several, inner].into_iter().flatten().collect()
    }

    /// What a person should look at.
    fn warnings(&self) -> Vec<String> {
        let user_info = self.user_info().unwrap_or_default();
        let at = user_info.contains('@').then(|| {
            "the user or the password holds `@`, which other programs, such as psql, take for the end of both; write `%40`"
                .to_owned()
        });
        let is_encoding = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        let percent = user_info.split('%').skip(1).any(|after| !is_encoding(after)).then(|| {
            "the user or the password holds `%` without two hexadecimal digits behind it, which other programs, such as psql, \
             refuse; write `%25`"
                .to_owned()
        });
        let unknown = self.parameters().map(|(key, _)| key).filter(|key| {
            let is_name = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
            is_name && !PARAMETERS.contains(&key.as_str()) && key != "options"
        });
        let unknown: Vec<String> = unknown.map(|key| format!("`{key}`")).collect();
        let unknown = (!unknown.is_empty()).then(|| {
            format!("forecourt does not know {}, which has no effect; take it out of the address", unknown.join(", "))
        });
        [at, percent, unknown].into_iter().flatten().collect()
    }
}

/// How signs are written that are to be part of a user or a password.
fn encode(signs: &[char]) -> String {
    let named: Vec<String> = signs.iter().map(|sign| format!("`{sign}`")).collect();
    let instead: Vec<String> = signs.iter().map(|sign| format!("`%{:02X}`", u32::from(*sign))).collect();
    let (named, instead) = (named.join(", "), instead.join(", "));
    format!(
        "the address holds {named} where it ends the user, the password or the name of the database; where it is part of \
         one of them, write {instead}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        let error = read(text).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
        error
    }

    #[test]
    fn an_address_leads_to_the_same_place_however_its_host_is_named() {
        for (text, host, port, database) in [
            ("postgres://u:hush@db:6432/f", "db", 6432, Some("f")),
            ("postgresql://u:hush@db/f?port=6432", "db", 6432, Some("f")),
            ("postgres://u:hush@/f?host=db&port=6432", "db", 6432, Some("f")),
            ("postgres://u:hush@:6432/f?host=db", "db", 6432, Some("f")),
            ("postgres:///f?host=db", "db", 5432, Some("f")),
            ("postgres://u@other/f?hostaddr=10.0.0.1", "10.0.0.1", 5432, Some("f")),
            ("postgres://u:hu%40sh%23@db", "db", 5432, None),
        ] {
            let ReadAddress { options, errors, warnings } = read(text).unwrap();
            assert_eq!(
                (options.get_host(), options.get_port(), options.get_database()),
                (host, port, database),
                "{text}"
            );
            assert_eq!((errors.len(), warnings.len()), (0, 0), "{text}: {errors:?} {warnings:?}");
        }
        let socket = read("postgres://u:hush@/f?host=/run/a:b@c").unwrap();
        assert_eq!(socket.options.get_socket().unwrap().to_str(), Some("/run/a:b@c"));
        assert!(socket.errors.is_empty() && socket.warnings.is_empty(), "{socket:?}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_to_write_and_without_the_password() {
        let encode = |named: &str, instead: &str| {
            format!(
                "the address holds {named} where it ends the user, the password or the name of the database; where it is \
                 part of one of them, write {instead}"
            )
        };
        let table = [
            ("mysql://u:hush@db/f", AddressError::OtherScheme.to_string()),
            ("postgres://u:hu#hush@db/f", encode("`#`", "`%23`")),
            ("postgres://u:hu/hush@db/f", encode("`/`", "`%2F`")),
            ("postgres://u:hu?hush@db/f", encode("`?`", "`%3F`")),
            ("postgres://u:h#u/hush@db/f", encode("`/`, `#`", "`%2F`, `%23`")),
            ("postgres://u:hush@/f", AddressError::NoHost.to_string()),
            ("postgres://u:hush@one:1,two:2/f", AddressError::SeveralHosts.to_string()),
            ("postgres://u:hush@/f?host=one,two&port=1,2", AddressError::SeveralHosts.to_string()),
            ("postgres://u:hush@db/f?sslmode=no-verify", AddressError::SslMode.to_string()),
            ("postgres://u:hush@db/f?ssl-mode=hush", AddressError::SslMode.to_string()),
            ("postgres://u:hush@db:hush/f", AddressError::Port.to_string()),
            ("postgres://u:hush@db/f?port=x", AddressError::Port.to_string()),
            ("postgres://u:hush@db/f?hostaddr=db", AddressError::HostAddress.to_string()),
            ("postgres://u:hush%FF@db/f", AddressError::Other.to_string()),
        ];
        for (text, expected) in table {
            assert_eq!(why(text), expected, "{text}");
        }
    }

    #[test]
    fn what_can_be_read_and_leads_elsewhere_is_an_error() {
        for (text, part) in [
            ("postgres://u:12#hush@db/f", "write `%23`"),
            ("postgres://u:#hush@db/f", "write `%23`"),
            ("postgres://u:12/hush@db/f", "write `%2F`"),
            ("postgres://u:12?hush@db/f", "write `%3F`"),
            ("postgres://u@db/f#note", "write `%23`"),
            ("postgres://u@one,two/f", "several hosts"),
            ("postgres:///f?host=one,two", "several hosts"),
            ("postgres://u@db/f/g", "the name of the database holds `/`"),
        ] {
            let errors = read(text).unwrap().errors;
            assert!(errors.len() == 1 && errors[0].contains(part) && !errors[0].contains("hush"), "{text}: {errors:?}");
        }
    }

    #[test]
    fn what_other_programs_read_otherwise_and_what_has_no_effect_is_warned_of() {
        for (text, part) in [
            ("postgres://u:hu@hush@db/f", "write `%40`"),
            ("postgres://u:100%hush@db/f", "write `%25`"),
            ("postgres://u@db/f?channel_binding=hush&sslmode=require", "does not know `channel_binding`,"),
        ] {
            let ReadAddress { errors, warnings, .. } = read(text).unwrap();
            assert_eq!((errors.len(), warnings.len()), (0, 1), "{text}: {errors:?} {warnings:?}");
            assert!(warnings[0].contains(part) && !warnings[0].contains("hush"), "{warnings:?}");
        }
    }
}
