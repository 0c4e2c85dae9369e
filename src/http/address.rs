use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use ipnet::IpNet;

/// Who really asks: the peer or, where trusted proxies stand before us, the last hop that none of them is. What an
/// untrusted peer writes into headers is not looked at.
pub fn client_address(req: &ServiceRequest, trusted: &[IpNet]) -> IpAddr {
    let peer = req.peer_addr().map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |peer| canonical(peer.ip()));
    let forwarded = req.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    last_untrusted(peer, &hops, trusted)
}

fn last_untrusted(peer: IpAddr, hops: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut current = peer;
    for hop in hops.iter().rev() {
        if !is_trusted(current) {
            break;
        }
        match hop.parse() {
            Ok(address) => current = canonical(address),
            // Nonsense from a trusted proxy: what stands behind it cannot be believed.
            Err(_) => break,
        }
    }
    current
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(peer: &str, hops: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        last_untrusted(peer.parse().expect("an address"), hops, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(find("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(find("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["1.2.3.4", "198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["198.51.100.1", "rubbish"]), "10.0.0.1");
        assert_eq!(find("10.0.0.1", &[]), "10.0.0.1");
    }
}
