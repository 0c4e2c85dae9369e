//! The address of the caller.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderValue;

use crate::support::Network;

/// Who really asks: the peer or, where trusted proxies stand before us, the last hop that none of them is. What an
/// untrusted peer writes into headers is not looked at.
pub fn client_address(req: &ServiceRequest, trusted: &[Network]) -> IpAddr {
    let peer = req.peer_addr().map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let forwarded = req.headers().get_all("x-forwarded-for").map(HeaderValue::as_bytes);
    let address = last_untrusted(peer, forwarded, trusted);
    if address == canonical(peer) && is_near(address) && req.headers().contains_key("x-forwarded-for") {
        warn_of_proxy(address, trusted);
    }
    address
}

/// Told once: behind a proxy that nobody named, everybody has its address, and shares the limits of that.
fn warn_of_proxy(address: IpAddr, trusted: &[Network]) {
    static TOLD: Once = Once::new();
    if !trusted.iter().any(|network| network.contains(address)) {
        TOLD.call_once(|| {
            tracing::warn!(
                %address,
                "requests come through a proxy that is not in [server] trusted_proxies: whoever uses it shares one address and its limits"
            );
        });
    }
}

/// An address from which no stranger on the Internet comes.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

fn last_untrusted<'a>(peer: IpAddr, forwarded: impl Iterator<Item = &'a [u8]>, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let hops: Vec<&[u8]> = forwarded.flat_map(|value| value.split(|&b| b == b',')).collect();
    let mut current = canonical(peer);
    for hop in hops.iter().rev() {
        if !is_trusted(current) {
            break;
        }
        match parse(hop) {
            Some(address) => current = canonical(address),
            // Nonsense from a trusted proxy: what stands behind it cannot be believed.
            None => break,
        }
    }
    current
}

/// An address as proxies write it, some with the port. Hop by hop: rubbish that a stranger sent to the proxy must not make
/// what the proxy added unreadable.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(peer: &str, headers: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let peer = peer.parse().expect("an address");
        last_untrusted(peer, headers.iter().map(|header| header.as_bytes()), &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(find("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(find("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["1.2.3.4", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["1.2.3.4, \u{fc}\u{0}, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(find("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["198.51.100.1", "rubbish"]), "10.0.0.1");
        assert_eq!(find("10.0.0.1", &[]), "10.0.0.1");
    }

    proptest! {
        #[test]
        fn what_a_stranger_writes_before_a_proxy_decides_nothing(
            sent in proptest::collection::vec(any::<u8>(), 0..80),
            last in any::<[u8; 4]>().prop_filter("no proxy", |octets| octets[0] != 10),
        ) {
            let trusted = ["10.0.0.0/8".parse().expect("a network")];
            let (peer, last) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from(last));
            let header = [&sent[..], b",", last.to_string().as_bytes()].concat();
            prop_assert_eq!(last_untrusted(peer, [&header[..]].into_iter(), &trusted), last);
            // And one that is no proxy writes whatever it likes.
            prop_assert_eq!(last_untrusted(last, [&sent[..]].into_iter(), &trusted), last);
        }
    }
}
