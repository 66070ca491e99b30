//! `forecourt secret`: make a good secret for a credential.

use std::io::Write;

use secrecy::ExposeSecret as _;

use crate::config::keyring;

use super::command_result::CommandResult;

/// Prints a secret on a line, and nothing else, so that `forecourt secret > file` makes a secret file.
pub(super) fn run(out: &mut dyn Write) -> CommandResult {
    let secret = keyring::new_secret()
        .map_err(|error| format!("the system has no random numbers to give ({error}): try again later"))?;
    Ok(writeln!(out, "{}", secret.expose_secret())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_line_of_256_random_bits_that_any_header_can_carry() {
        let secret = || {
            let mut out = Vec::new();
            run(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let first = secret();
        let line = first.strip_suffix('\n').unwrap();
        assert_eq!(line.len(), 43, "256 bits in base64");
        assert!(line.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)), "{line}");
        assert_ne!(secret(), first);
    }
}
