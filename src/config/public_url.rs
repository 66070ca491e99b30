//! The address by which the senders know the service: `server.public_url`.

use std::fmt;

use super::report::Report;
use super::section::Section;

/// The public address: `https://`, a host name or address in its ASCII form, and a port where it is not 443.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

const EXAMPLE: &str = "\"https://leads.example.com.au\"";

impl PublicUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{text}` {what}; write the address that the senders use, such as {EXAMPLE}");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("does not begin with `https://`"))?;
        if scheme.eq_ignore_ascii_case("http") {
            return Err(wrong("is not encrypted, and what the senders post is personal"));
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong("does not begin with `https://`"));
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(wrong("goes on after the host, and forecourt knows its own paths only"));
        }
        if authority.contains('@') {
            return Err(wrong("holds a user or a secret"));
        }
        let (host, port) = split_port(authority);
        let host = ascii(host).ok_or_else(|| wrong("has no host name"))?;
        match port.map(str::parse::<u16>) {
            None | Some(Ok(443)) => Ok(Self(format!("https://{host}"))),
            Some(Ok(port)) if port > 0 => Ok(Self(format!("https://{host}:{port}"))),
            Some(_) => Err(wrong("has a port that is none")),
        }
    }

    /// The address of a path.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `public_url`, where there is one.
pub(super) fn read(section: &Section, report: &mut Report) -> Option<PublicUrl> {
    let text = section.text("public_url", EXAMPLE, report)?;
    PublicUrl::parse(text.get_ref()).map_err(|wrong| report.problem(&text.span(), wrong)).ok()
}

/// The host, and what stands after its colon.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let in_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    match authority.get(in_brackets..).and_then(|rest| rest.rfind(':')) {
        Some(at) => (authority.get(..in_brackets + at).unwrap_or_default(), authority.get(in_brackets + at + 1..)),
        None => (authority, None),
    }
}

/// A host in the form in which it is asked for.
pub(super) fn ascii(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let host = idna::domain_to_ascii(host).ok()?;
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    host.split('.').all(is_label).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_kept_in_its_ascii_form_without_a_slash() {
        for (written, kept) in [
            ("https://leads.example.com.au", "https://leads.example.com.au"),
            ("https://Leads.Example.com.au/", "https://leads.example.com.au"),
            ("HTTPS://leads.example.com.au:443", "https://leads.example.com.au"),
            ("https://leads.example.com.au:8443/", "https://leads.example.com.au:8443"),
            ("https://händler.example", "https://xn--hndler-bua.example"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://203.0.113.7", "https://203.0.113.7"),
        ] {
            assert_eq!(PublicUrl::parse(written).unwrap().to_string(), kept, "{written}");
        }
        let address = PublicUrl::parse("https://leads.example.com.au/").unwrap();
        assert_eq!(address.join("/webhooks/leadpro"), "https://leads.example.com.au/webhooks/leadpro");
    }

    #[test]
    fn what_is_no_public_address_is_refused_with_what_to_write() {
        for (written, why) in [
            ("leads.example.com.au", "does not begin with `https://`"),
            ("ftp://leads.example.com.au", "does not begin with `https://`"),
            ("http://leads.example.com.au", "is not encrypted"),
            ("https://", "has no host name"),
            ("https://leads..au", "has no host name"),
            ("https://leads example", "has no host name"),
            ("https://leads.example/webhooks/leadpro", "goes on after the host"),
            ("https://leads.example?a=b", "goes on after the host"),
            ("https://user:hush@leads.example", "holds a user or a secret"),
            ("https://leads.example:port", "has a port that is none"),
            ("https://leads.example:0", "has a port that is none"),
            ("https://[::g]", "has no host name"),
        ] {
            let refusal = PublicUrl::parse(written).unwrap_err();
            assert!(refusal.contains(why) && refusal.ends_with(&format!("such as {EXAMPLE}")), "{written}: {refusal}");
        }
    }
}
