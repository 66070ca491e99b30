//! What proxies write of whom they pass on: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! A list is read from its right end, where the nearest proxy has written. Read from the left, a quotation that a sender
//! opens and does not end would swallow what the proxies have added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The entries of a list, the last one first; commas within a quotation part nothing.
pub(super) fn entries_from_the_right(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let list = rest.take()?;
        let Some(comma) = last_outside_quotations(list, b',') else { return Some(list.trim_ascii()) };
        let (left, right) = list.split_at_checked(comma)?;
        rest = Some(left);
        Some(right.get(1..)?.trim_ascii())
    })
}

/// The last place of a byte that stands in no quotation. Counted from the right, so that what is left of it does not matter.
fn last_outside_quotations(text: &[u8], wanted: u8) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        let escapes = || text.get(..at).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
        if *byte == b'"' {
            is_quoted = !is_quoted || escapes() % 2 == 1;
        } else if *byte == wanted && !is_quoted {
            return Some(at);
        }
    }
    None
}

/// The address that an entry of `X-Forwarded-For` names, with or without a port.
pub(super) fn node(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let address = text.parse::<IpAddr>().ok();
    address.or_else(|| node_of_forwarded(text)).map(|address| address.to_canonical())
}

/// The address that an element of `Forwarded` names; none where it names several, or is not as it should be.
pub(super) fn element(element: &[u8]) -> Option<IpAddr> {
    let mut named = None;
    let mut rest = Some(element);
    while let Some(pairs) = rest.take() {
        let mut pair = pairs;
        if let Some(semicolon) = last_outside_quotations(pairs, b';') {
            rest = pairs.get(..semicolon);
            pair = pairs.get(semicolon + 1..)?;
        }
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        if name.trim_ascii().eq_ignore_ascii_case(b"for") {
            let value = unquoted(value.get(1..)?.trim_ascii())?;
            if named.replace(node_of_forwarded(&value)?.to_canonical()).is_some() {
                return None;
            }
        }
    }
    named
}

/// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]` or `[2001:db8::1]:80`. A node with a port that is a name (`_port`) is none.
fn node_of_forwarded(text: &str) -> Option<IpAddr> {
    if let Some(six) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return six.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    }
    let four = text.parse::<Ipv4Addr>().ok().map(IpAddr::from);
    four.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// A token as it stands, or the content of a quoted string.
fn unquoted(value: &[u8]) -> Option<String> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return (!value.contains(&b'"')).then(|| String::from_utf8(value.to_vec()).ok())?;
    };
    let quoted = quoted.strip_suffix(b"\"")?;
    let mut said = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => said.push(*bytes.next()?),
            b'"' => return None,
            byte => said.push(*byte),
        }
    }
    String::from_utf8(said).ok()
}
