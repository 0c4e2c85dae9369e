//! `[server]`

use std::net::SocketAddr;

use super::section;
use crate::config::keys::Rule::{
    Address, AddressOrEmpty, ContactOrEmpty, EmailOrEmpty, Line, Networks, Switch, Text, WebUrlOrEmpty,
};
use crate::config::keys::{HOUR, MILLION, number};
use crate::support::Network;

section! {
    /// Who this server is and where it listens.
    Server = "server" {
        /// The issuer identifier, exactly as tokens carry it and clients compare it: https (http only for a loopback host), no
        /// trailing slash, no query. Required, such as "https://id.example"; `serve --dev` derives it from `listen`.
        issuer: String = "", Text;
        /// What people see as the name of this service.
        name: String = "Latchway", Line;
        /// A page where people find help with logging in, such as "https://help.example/login"; the login page links to it. "": none.
        help_url: String = "", WebUrlOrEmpty;
        /// A page by which people reach those who run this server; error pages link to it. "": none.
        support_url: String = "", WebUrlOrEmpty;
        /// An e-mail address for the same, where there is no such page. "": none.
        support_email: String = "", EmailOrEmpty;
        /// Where to report a weakness: an https URL or an e-mail address. Served as /.well-known/security.txt (RFC 9116). "": no such
        /// file.
        security_contact: String = "", ContactOrEmpty;
        /// The policy for such reports, named there: an https URL. "": none.
        security_policy_url: String = "", WebUrlOrEmpty;
        /// true: Strict-Transport-Security speaks for all hosts below that of the issuer as well. Browsers then refuse plain http
        /// there for a year, whoever runs them.
        hsts_include_subdomains: bool = false, Switch;
        /// Address and port of the HTTP server. TLS ends in front of it.
        listen: SocketAddr = "127.0.0.1:8080", Address;
        /// Address and port of Prometheus' /metrics; "" switches it off. It asks for no password: keep it on a private address.
        metrics_listen: String = "127.0.0.1:9464", AddressOrEmpty;
        /// Networks of the proxies whose X-Forwarded-For is believed, such as ["10.0.0.0/8"]; nobody by default.
        trusted_proxies: Vec<Network> = [], Networks;
        /// HTTP worker threads; 0 is one a core.
        workers: usize = 0, number(0, 1_024);
        /// Seconds after SIGTERM in which /readyz already answers 503 while requests are still taken; each answer then closes its
        /// connection.
        shutdown_delay_seconds: u64 = 5, number(0, HOUR);
        /// Seconds that requests under way then have to finish; what takes longer is cut off. The process has ended about three seconds
        /// later at most, so that these and the delay together must be less than what the supervisor waits (Kubernetes: 30).
        shutdown_timeout_seconds: u64 = 20, number(0, HOUR);
        /// Seconds in which a whole request, body included, must have been answered.
        request_timeout_seconds: u64 = 30, number(1, HOUR);
        /// Requests under way at once. Tokens may be three quarters of them and pages half; what exceeds that is answered 503 at
        /// once, while revocation and introspection still get through. One address (an IPv6 /64) has a quarter of each, trusted proxies
        /// and a proxy on this machine excepted.
        max_requests: usize = 4096, number(4, MILLION);
        /// Simultaneous connections per worker.
        max_connections: usize = 10000, number(1, MILLION);
        /// Simultaneous connections of one address (an IPv6 /64), 1 to 1000000, and never more than half of all; further ones are answered
        /// 503 and closed. Connections from trusted_proxies, 127.0.0.1 and ::1 are not counted by address: let the proxy bound its clients.
        max_connections_per_address: usize = 1024, number(1, MILLION);
        /// Requests of one address (an IPv6 /64) whose body has not come yet; further ones are answered 503. A body has 5 seconds.
        max_unread_bodies_per_address: usize = 256, number(1, MILLION);
    }
}
