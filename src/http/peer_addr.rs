//! The address of a request's sender.
//!
//! It is that of the connection's other end, unless that is a trusted proxy: then what proxies have written
//! into the one header that counts is read from the right, past those that are believed, and the first address that is no
//! such proxy's is the sender's. Whatever stands left of it is the sender's own invention. What names no address
//! (`unknown`, `_hidden`, or is not as it should be) ends the search: then it is the address of the proxy that wrote it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::FORWARDED;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use super::forwarded;
use crate::config::{ForwardedHeader, Proxies};

/// The address of a request's sender, once it was found out.
#[derive(Clone, Copy, Debug)]
struct SenderAddress(IpAddr);

/// Reads the address that an entry names.
type Read = fn(&[u8]) -> Option<IpAddr>;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Finds out who sent a request, and notes it with the request.
pub(super) fn find_out(proxies: &Proxies, mut request: Request) -> Request {
    if let Some(sender) = peer(request.extensions()).map(|peer| sender(proxies, peer, request.headers())) {
        request.extensions_mut().insert(SenderAddress(sender));
    }
    request
}

/// The address of a request's sender.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<SenderAddress>().map(|SenderAddress(address)| *address).or_else(|| peer(extensions))
}

/// The address of a request's sender as far as it counts, found out past these proxies; none where the connection's other
/// end is not known.
#[must_use]
pub fn sender_network(proxies: &Proxies, request: &Request) -> Option<IpAddr> {
    let peer = peer(request.extensions())?;
    Some(network(sender(proxies, peer, request.headers())))
}

/// The address of the connection's other end.
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn sender(proxies: &Proxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let Some(header) = proxies.header().filter(|_| proxies.trust(peer)) else { return peer };
    let (name, read) = match header {
        ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, forwarded::node as Read),
        ForwardedHeader::Forwarded => (FORWARDED, forwarded::element as Read),
    };
    // Several lines are one list (RFC 9110 §5.3).
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let mut sender = peer;
    for entry in lines.into_iter().rev().flat_map(forwarded::entries_from_the_right) {
        let Some(address) = read(entry) else { break };
        sender = address;
        if !proxies.trust(address) {
            break;
        }
    }
    sender
}

/// The address that counts: of IPv6 the network, because whoever has one address there has all of them.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XFF: &str = "x-forwarded-for";

    fn found(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap());
        let proxies = Proxies::new(trusted.to_vec(), header);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        sender(&proxies, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_sender_is_the_rightmost_address_that_is_no_trusted_proxys() {
        for (line, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("198.51.100.66, 192.0.2.1,10.0.0.2 , 10.0.0.3", "192.0.2.1"),
            ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:443, 2001:db8:ffff::9", "2001:db8::1"),
            ("192.0.2.1:50123", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("\t192.0.2.1\t", "192.0.2.1"),
            // What names no address ends the search at the proxy that wrote it.
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, 10.0.0.2, ", "10.0.0.1"),
            ("192.0.2.1, not an address", "10.0.0.1"),
            ("192.0.2.1, 10.0.0.2x", "10.0.0.1"),
            ("192.0.2.1, \u{e9}", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &[(XFF, line)]), expected, "{line}");
        }
        let lines = [(XFF, "198.51.100.66"), (XFF, "192.0.2.1, 10.0.0.2"), (XFF, "10.0.0.3")];
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines), "192.0.2.1");
        let many = "10.0.0.2,".repeat(3_000);
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &[(XFF, &many)]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says_and_from_the_right() {
        for (line, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=192.0.2.1;proto=https;by=203.0.113.43, for=10.0.0.2", "192.0.2.1"),
            (r#"for="[2001:db8:cafe::17]:4711""#, "2001:db8:cafe::17"),
            (r#"for="192.0.2.1:4711" ; proto=http"#, "192.0.2.1"),
            (r#"for="192\.0.2.1""#, "192.0.2.1"),
            (r#"by=10.0.0.3;host="a,b;for=198.51.100.66";for=192.0.2.1"#, "192.0.2.1"),
            // A quotation that a sender does not end takes nothing of what a proxy added.
            (r#"for="198.51.100.66, for=192.0.2.1"#, "192.0.2.1"),
            (r#"for="\", for=192.0.2.1"#, "192.0.2.1"),
            (r#"host="x\\", for=192.0.2.1"#, "192.0.2.1"),
            (r#"host="x\", for=10.0.0.2;host="y\"", for=192.0.2.1"#, "192.0.2.1"),
            // What names no address ends the search.
            ("for=192.0.2.1, for=unknown", "10.0.0.1"),
            ("for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            (r#"for=192.0.2.1, for="_hidden:_port""#, "10.0.0.1"),
            ("for=192.0.2.1, proto=https", "10.0.0.1"),
            ("for=192.0.2.1, for=192.0.2.2;for=192.0.2.3", "10.0.0.1"),
            ("for=192.0.2.1, for=2001:db8::1", "10.0.0.1"),
            ("for=192.0.2.1, for", "10.0.0.1"),
            (r#"for=192.0.2.1, for=192.0.2.2""#, "10.0.0.1"),
            (",,,", "10.0.0.1"),
        ] {
            assert_eq!(found(ForwardedHeader::Forwarded, "10.0.0.1", &[("forwarded", line)]), expected, "{line}");
        }
    }

    #[test]
    fn nobody_else_is_believed_and_no_other_header() {
        let lines = [(XFF, "192.0.2.1"), ("forwarded", "for=192.0.2.2"), ("x-real-ip", "192.0.2.3")];
        assert_eq!(found(ForwardedHeader::XForwardedFor, "203.0.113.5", &lines), "203.0.113.5");
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines), "192.0.2.1");
        assert_eq!(found(ForwardedHeader::Forwarded, "10.0.0.1", &lines), "192.0.2.2");
        assert_eq!(found(ForwardedHeader::Forwarded, "10.0.0.1", &lines[..1]), "10.0.0.1");
        let mut headers = HeaderMap::new();
        headers.append(XFF, HeaderValue::from_static("192.0.2.1"));
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(sender(&Proxies::default(), peer, &headers), peer);
    }
}
