//! `server.trusted_proxies` and `server.forwarded_header`: whose word about a sender's address is believed, and which.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::report::Report;
use super::section::Section;

/// Whose word about a sender's address is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    networks: Vec<IpNet>,
    header: Option<ForwardedHeader>,
}

/// The header in which proxies name the sender. Only one counts: a proxy passes on what a sender has written into the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// These networks, by this header.
    #[must_use]
    pub fn new(networks: Vec<IpNet>, header: ForwardedHeader) -> Self {
        Self { networks, header: Some(header) }
    }

    /// Whether the word of this address is believed.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The header that is believed; none where nobody is.
    #[must_use]
    pub fn header(&self) -> Option<ForwardedHeader> {
        self.header.filter(|_| !self.networks.is_empty())
    }
}

impl ForwardedHeader {
    const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|header| header.name().eq_ignore_ascii_case(name))
    }
}

const EXAMPLE: &str = "[\"10.0.0.0/8\", \"192.0.2.7\"]";

/// Reads both keys. One without the other says nothing, which nobody means.
pub(super) fn read(section: &Section, report: &mut Report) -> Proxies {
    let mut networks = Vec::new();
    for text in section.texts("trusted_proxies", EXAMPLE, report) {
        match network(text.get_ref()) {
            Some(network) => networks.push(network),
            None => report.problem(
                &text.span(),
                format!(
                    "`{}` is no network and no address: write one such as \"10.0.0.0/8\", \"192.0.2.7\" or \"2001:db8::/32\"",
                    text.get_ref()
                ),
            ),
        }
    }
    let header = section.text("forwarded_header", "\"X-Forwarded-For\"", report).and_then(|text| {
        let header = ForwardedHeader::named(text.get_ref());
        if header.is_none() {
            let name = text.get_ref();
            report.problem(
                &text.span(),
                format!("`{name}` is not such a header: write \"X-Forwarded-For\" or \"Forwarded\""),
            );
        }
        header
    });
    let (has_networks, has_header) = (section.value("trusted_proxies"), section.value("forwarded_header"));
    if let (Some(_), None) = (has_networks, has_header) {
        report.problem(
            &section.span_of("trusted_proxies"),
            "`trusted_proxies` says whom to believe and not what: write `forwarded_header = \"X-Forwarded-For\"` or \
             `forwarded_header = \"Forwarded\"`, whichever your proxy writes itself",
        );
    }
    if let (None, Some(_)) = (has_networks, has_header) {
        report.problem(
            &section.span_of("forwarded_header"),
            format!("`forwarded_header` is believed of nobody: write `trusted_proxies = {EXAMPLE}`, or leave it out"),
        );
    }
    Proxies { networks, header }
}

/// A network or a single address. What is written for IPv4 in IPv6 is IPv4: that is how addresses are compared.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(match network {
        IpNet::V4(_) => network,
        IpNet::V6(six) => six
            .addr()
            .to_ipv4_mapped()
            .zip(six.prefix_len().checked_sub(96))
            .and_then(|(four, length)| Ipv4Net::new(four, length).ok())
            .map_or(network, IpNet::V4),
    })
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read_text(text: &str) -> Result<Proxies, String> {
        let mut report = Report::about("f", text);
        let (root, _errors) = DeTable::parse_recoverable(text);
        let keys = ["trusted_proxies", "forwarded_header"];
        let section = Section::open("the file", 0..0, root.get_ref(), &keys, &mut report);
        let read = read(&section, &mut report);
        report.conclude(Some(read)).map(|concluded| concluded.read).map_err(|problems| problems.to_string())
    }

    #[test]
    fn networks_and_single_addresses_are_believed_and_by_default_nobody() {
        let none = read_text("").unwrap();
        assert!(none.header().is_none() && !none.trust("127.0.0.1".parse().unwrap()));
        let text =
            "trusted_proxies = [\"10.1.2.3/8\", \"192.0.2.7\", \"2001:db8::/32\", \"::1\", \"::ffff:198.51.100.0/120\"]
            forwarded_header = \"x-forwarded-for\"";
        let some = read_text(text).unwrap();
        assert_eq!(some.header(), Some(ForwardedHeader::XForwardedFor));
        for trusted in ["10.0.0.0", "10.255.255.255", "192.0.2.7", "2001:db8:1::1", "::1", "198.51.100.9"] {
            assert!(some.trust(trusted.parse().unwrap()), "{trusted}");
        }
        for other in ["11.0.0.0", "192.0.2.8", "2001:db9::1", "::2", "198.51.101.9"] {
            assert!(!some.trust(other.parse().unwrap()), "{other}");
        }
        assert!(read_text("trusted_proxies = []\nforwarded_header = \"Forwarded\"").unwrap().header().is_none());
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_a_remedy() {
        for (text, expected) in [
            (
                "trusted_proxies = [\"10.0.0.0/33\"]\nforwarded_header = \"Forwarded\"",
                "f:1:20: `10.0.0.0/33` is no network",
            ),
            (
                "trusted_proxies = [\"proxy.test\"]\nforwarded_header = \"Forwarded\"",
                "f:1:20: `proxy.test` is no network",
            ),
            ("trusted_proxies = [\"10.0.0.1\"]", "f:1:19: `trusted_proxies` says whom to believe and not what"),
            ("forwarded_header = \"Forwarded\"", "f:1:20: `forwarded_header` is believed of nobody"),
            (
                "trusted_proxies = [\"10.0.0.1\"]\nforwarded_header = \"X-Real-IP\"",
                "f:2:20: `X-Real-IP` is not such a header",
            ),
        ] {
            let refused = read_text(text).unwrap_err();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }
}
