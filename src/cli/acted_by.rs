//! Who acts, for `intake.actions`: a user of the operating system.

use crate::config::Environment;

/// Where the names of users are.
const USERS: &str = "/etc/passwd";

/// The user that this process acts for: its name, else its number. Where root was become by `sudo`, who became it; of
/// anybody else that variable is no proof of anything.
pub(super) fn acted_by(environment: &Environment) -> String {
    let uid = rustix::process::geteuid();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let behind = environment.setting("SUDO_USER").filter(|_| uid.is_root());
    named(uid.as_raw(), behind.as_deref(), &users)
}

fn named(uid: u32, behind: Option<&str>, users: &str) -> String {
    let of_uid = |line: &&str| line.split(':').nth(2).is_some_and(|number| number.parse() == Ok(uid));
    let line = users.lines().find(of_uid).and_then(|line| line.split(':').next());
    let name = line.map_or_else(|| format!("uid {uid}"), str::to_owned);
    match behind {
        Some(behind) if behind != name => format!("{behind} as {name}"),
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_told_by_name_else_by_number_and_behind_root_who_became_it() {
        let users = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n";
        for (uid, behind, expected) in [
            (1000, None, "ada"),
            (1001, None, "uid 1001"),
            (0, None, "root"),
            (0, Some("ada"), "ada as root"),
            (0, Some("root"), "root"),
        ] {
            assert_eq!(named(uid, behind, users), expected, "{uid} {behind:?}");
        }
    }
}
