//! Where an endpoint may be.
//!
//! An address is read more strictly than a browser would: what could be read in two ways (numbers for an IPv4
//! address, escapes, credentials, other alphabets) is refused, so that what is checked here is what is connected to.
//! A name that resolves to a private address is the network's to refuse: Cloudflare's does, and so does the one that
//! `cargo xtask dev` sets up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an endpoint's address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("is https://host[:port]/path, without credentials or fragment, in ASCII without spaces")]
    Shape,
    #[error("must be https:// (http:// takes \"allow_private\": true)")]
    Plain,
    #[error(
        "has a host that is neither a name of letters, digits and hyphens nor an IP address as it is written"
    )]
    Host,
    #[error("is a loopback, private or reserved address (it takes \"allow_private\": true)")]
    Private,
}

/// Checks an endpoint's address.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(url: &str, allow_private: bool) -> Result<(), AddressError> {
    let (is_secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(AddressError::Shape),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain_byte =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'"' | b'<' | b'>');
    if authority.is_empty() || authority.contains('@') || !rest.bytes().all(is_plain_byte) {
        return Err(AddressError::Shape);
    }
    if !is_secure && !allow_private {
        return Err(AddressError::Plain);
    }
    let host = without_port(authority).ok_or(AddressError::Shape)?;
    let is_public = match parse_host(host).ok_or(AddressError::Host)? {
        Host::Address(address) => is_public(address),
        Host::Name => is_public_name(host),
    };
    if is_public || allow_private { Ok(()) } else { Err(AddressError::Private) }
}

/// The host of `host[:port]`.
fn without_port(authority: &str) -> Option<&str> {
    let colon = match authority.strip_prefix('[') {
        Some(rest) => 1 + rest.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(colon);
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(host)
}

enum Host {
    Name,
    Address(IpAddr),
}

fn parse_host(host: &str) -> Option<Host> {
    if let Some(literal) = host.strip_prefix('[') {
        return literal.strip_suffix(']')?.parse().ok().map(|address| Host::Address(IpAddr::V6(address)));
    }
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !labels().all(is_label) {
        return None;
    }
    let last = labels().next_back()?.to_ascii_lowercase();
    // Resolvers read such a name as an address: in decimal, octal or hex, and with fewer than four parts.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !is_number {
        return Some(Host::Name);
    }
    // Rust reads four decimal parts without leading zeros, and nothing else.
    host.parse::<Ipv4Addr>().ok().map(|address| Host::Address(IpAddr::V4(address)))
}

fn is_public_name(host: &str) -> bool {
    const PRIVATE: [&str; 6] = ["localhost", "internal", "local", "localdomain", "lan", "home.arpa"];
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_within =
        |zone: &&str| host.strip_suffix(*zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // A name of one label is somebody's in the same network.
    host.contains('.') && !PRIVATE.iter().any(is_within)
}

/// Whether an address is anybody's on the internet (IANA's special-purpose registries).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, IETF assignments, 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

/// Only what is assigned for general use, and of it nothing that carries an IPv4 address or is for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8,
        0x2002 => true,
        0x3fff => second < 0x1000,
        _ => first & 0xe000 != 0x2000,
    };
    !is_special
}
