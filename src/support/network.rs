//! IP networks in one canonical form, and the networks that count as one client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A network in its one canonical form: without host bits, and as IPv4 where it was written in IPv4-mapped IPv6
/// (RFC 4291 §2.5.5.2). Addresses are compared in the same form, so that no spelling of one decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    #[error("must be a network such as 10.0.0.0/8 or 2001:db8::/32")]
    Malformed,
    #[error("an IPv4-mapped network has a prefix of 96 to 128 bits; write it as IPv4, such as 10.0.0.0/8")]
    MappedTooWide,
}

/// The first 96 bits of `::ffff:0:0/96` say that the rest is an IPv4 address.
const MAPPED_PREFIX: u8 = 96;

impl Network {
    /// Reads a network, or one address.
    pub fn or_address(text: &str) -> Result<Self, InvalidNetwork> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self(IpNet::from(address.to_canonical()))),
            Err(_) => text.parse(),
        }
    }

    /// Reads a stored network. One that was written before such networks were refused matches nothing, as it never did.
    pub fn stored(text: &str) -> Result<Self, InvalidNetwork> {
        match text.parse() {
            Err(InvalidNetwork::MappedTooWide) => {
                text.parse::<IpNet>().map(Self).map_err(|_| InvalidNetwork::Malformed)
            }
            read => read,
        }
    }

    pub fn is_everything(&self) -> bool {
        self.0.prefix_len() == 0
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let net = text.parse::<IpNet>().map_err(|_| InvalidNetwork::Malformed)?;
        let IpNet::V6(v6) = net else { return Ok(Self(net.trunc())) };
        let Some(v4) = v6.addr().to_ipv4_mapped() else { return Ok(Self(net.trunc())) };
        let bits = v6.prefix_len().checked_sub(MAPPED_PREFIX).ok_or(InvalidNetwork::MappedTooWide)?;
        let v4 = Ipv4Net::new(v4, bits).map_err(|_| InvalidNetwork::Malformed)?;
        Ok(Self(IpNet::V4(v4.trunc())))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

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
pub fn is_exempt(address: IpAddr, trusted_proxies: &[Network]) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || trusted_proxies.iter().any(|net| net.contains(address))
}

/// Whether what comes from an address may be of many clients: it is a trusted proxy, the address from which a proxy on this
/// machine connects, or none (a peer without an IP address).
pub fn may_be_proxy(address: IpAddr, trusted_proxies: &[Network]) -> bool {
    let address = address.to_canonical();
    address == IpAddr::V4(Ipv4Addr::LOCALHOST)
        || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
        || address.is_unspecified()
        || trusted_proxies.iter().any(|net| net.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_network_has_one_spelling() {
        for (written, canonical) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:a01:203/128", "10.1.2.3/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(written.parse::<Network>().map(|net| net.to_string()), Ok(canonical.to_owned()), "{written}");
        }
        assert_eq!("::ffff:10.0.0.0/8".parse::<Network>(), Err(InvalidNetwork::MappedTooWide));
        assert_eq!("10.0.0.1".parse::<Network>(), Err(InvalidNetwork::Malformed));
        assert_eq!(Network::or_address("::ffff:10.0.0.1").map(|net| net.to_string()), Ok("10.0.0.1/32".to_owned()));
        assert!(!Network::stored("::ffff:10.0.0.0/8").expect("as it is").contains(at("10.0.0.1")));
        let net: Network = "::ffff:10.0.0.0/104".parse().expect("a network");
        assert!(net.contains(at("10.9.9.9")) && net.contains(at("::ffff:10.9.9.9")) && !net.contains(at("11.0.0.1")));
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
        for proxy in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "0.0.0.0"] {
            assert!(may_be_proxy(at(proxy), &proxies), "{proxy}");
        }
        assert!(!may_be_proxy(at("192.0.2.1"), &proxies) && !may_be_proxy(at("127.0.0.2"), &proxies));
    }
}
