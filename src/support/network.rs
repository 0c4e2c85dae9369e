use std::net::IpAddr;

use ipnet::IpNet;

/// An IPv6 subscriber has a whole /64: it counts as one.
pub fn network(address: IpAddr) -> IpAddr {
    masked(address, 32, 64)
}

/// The neighbourhood of an address, which one provider or one office has: an IPv4 /24 or an IPv6 /48.
pub fn neighbourhood(address: IpAddr) -> IpNet {
    prefix(address, 24, 48)
}

/// The network of [`network`], with its length.
pub fn host(address: IpAddr) -> IpNet {
    prefix(address, 32, 64)
}

fn masked(address: IpAddr, v4: u8, v6: u8) -> IpAddr {
    prefix(address, v4, v6).network()
}

fn prefix(address: IpAddr, v4: u8, v6: u8) -> IpNet {
    let address = address.to_canonical();
    let length = if address.is_ipv4() { v4 } else { v6 };
    // The lengths above are right for their families; a whole address would be the careful answer anyway.
    IpNet::new(address, length).map_or_else(|_| IpNet::from(address), |net| net.trunc())
}

/// Whoever asks from there is this machine, or speaks for others: restraining it would hurt everybody.
pub fn is_exempt(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || trusted_proxies.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(network(at("2001:db8::1")), network(at("2001:db8::2:3")));
        assert_ne!(network(at("2001:db8::1")), network(at("2001:db8:0:1::1")));
        assert_ne!(network(at("192.0.2.1")), network(at("192.0.2.2")));
        assert_eq!(network(at("::ffff:192.0.2.1")), at("192.0.2.1"));
    }

    #[test]
    fn neighbours_are_a_24_or_a_48() {
        assert_eq!(neighbourhood(at("192.0.2.77")).to_string(), "192.0.2.0/24");
        assert_eq!(neighbourhood(at("2001:db8:1:2::3")).to_string(), "2001:db8:1::/48");
        assert_eq!(host(at("192.0.2.77")).to_string(), "192.0.2.77/32");
        assert_eq!(host(at("2001:db8:1:2::3")).to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn proxies_and_this_machine_are_exempt() {
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        for exempt in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "0.0.0.0"] {
            assert!(is_exempt(at(exempt), &proxies), "{exempt}");
        }
        assert!(!is_exempt(at("192.0.2.1"), &proxies));
    }
}
