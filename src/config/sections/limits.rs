//! `[limits]`

use super::section;
use crate::config::keys::Rule::{RateText, RouteLimits};
use crate::config::keys::{DAY, HOUR, MILLION, number};
use crate::config::{Rate, RouteLimit};

section! {
    /// Rates: how many, in how many seconds.
    Limits = "limits" {
        /// How often something may happen. A rate is "600/1m": so many in that time (s, m or h), all of them at once if need be;
        /// "600/1m burst 50": no more than 50 at once; "0": no limit. Whoever exceeds one gets 429 with Retry-After. Addresses are
        /// those of [server] trusted_proxies' clients; an IPv6 /64 counts as one. See docs/rate-limits.md.
        ///
        /// What guards secrets is counted in the database, over all nodes. Failed logins for one account from one address before a
        /// pause.
        login_failures_per_account: u32 = 5, number(1, 1_000 * MILLION);
        /// Failed logins from one address before a pause. Those that are followed by a success of the same person count for nothing,
        /// and neither do those of a browser in which that person has logged in before.
        login_failures_per_address: u32 = 50, number(1, 1_000 * MILLION);
        /// Seconds in which failed logins are counted.
        login_window_seconds: u32 = 900, number(1, DAY);
        /// Failed logins for one account, from wherever they come, after which one has to wait between two tries, unless the browser
        /// or the network is one from which that person has logged in before.
        login_brake_after: u32 = 50, number(1, 1_000 * MILLION);
        /// Seconds in which those are counted (a day).
        login_brake_window_seconds: u32 = 86400, number(1, 7 * DAY);
        /// That wait doubles with each failure, from one second up to this.
        login_brake_max_seconds: u32 = 300, number(1, HOUR);
        /// Days for which a browser is remembered as one in which a person has logged in; 0: not at all.
        known_device_days: u32 = 180, number(0, 3_650);
        /// Failed client authentications from one address for one client before 429.
        client_auth_failures: u32 = 20, number(1, 1_000 * MILLION);
        /// Seconds in which failed client authentications are counted.
        client_auth_window_seconds: u32 = 60, number(1, DAY);
        /// Failed authentications of clients that there are not, from one address.
        unknown_client_failures_per_address: Rate = "300/1m", RateText;
        /// API keys that do not work, from one address.
        api_key_failures_per_address: Rate = "60/1m", RateText;
        /// One-time links that do not work, from one address.
        link_failures_per_address: Rate = "30/1m", RateText;
        /// New logins that one address may begin in a minute.
        authorize_per_address_per_minute: u32 = 3000, number(1, 1_000 * MILLION);
        /// Unknown tokens that one client may introspect in a minute.
        introspect_misses_per_minute: u32 = 1000, number(1, 1_000 * MILLION);
        /// Wrong codes of devices (RFC 8628) that one person may type, and that may come from one address.
        user_code_failures: Rate = "5/10m", RateText;
        /// Refusals of requests that nobody has to log in for, of one kind and from one address, that the audit trail has one by one;
        /// what comes beyond is one event with a count at the end of that time. "0": all of them, one by one.
        audited_refusals_per_address: Rate = "30/1m", RateText;
        /// What follows is counted by each node for itself, in memory. Requests to /oauth2/authorize from one address.
        authorize_per_address: Rate = "6000/1m", RateText;
        /// Requests to /oauth2/token from one address.
        token_per_address: Rate = "1200000/1m", RateText;
        /// Requests to /oauth2/token by one client (by a public client from one address).
        token_per_client: Rate = "1200000/1m", RateText;
        /// Requests to /oauth2/device_authorization from one address: each takes a row until it expires.
        device_per_address: Rate = "300/1m", RateText;
        /// Requests to /oauth2/device_authorization by one client (by a public client from one address).
        device_per_client: Rate = "6000/1m", RateText;
        /// Requests to /oauth2/introspect from one address.
        introspect_per_address: Rate = "6000000/1m", RateText;
        /// Requests to /oauth2/introspect by one client.
        introspect_per_client: Rate = "6000000/1m", RateText;
        /// Requests to /oauth2/revoke from one address.
        revoke_per_address: Rate = "1200000/1m", RateText;
        /// Requests to /oauth2/revoke by one client (by a public client from one address).
        revoke_per_client: Rate = "1200000/1m", RateText;
        /// Requests to /oauth2/userinfo from one address.
        userinfo_per_address: Rate = "1200000/1m", RateText;
        /// Requests to /api from one address, but for forward authentication.
        api_per_address: Rate = "6000/1m", RateText;
        /// Requests to /api/v1/forward-auth from one address: a proxy asks for every request that it gets.
        forward_auth_per_address: Rate = "0", RateText;
        /// Requests for the pages that people see, from one address.
        pages_per_address: Rate = "12000/1m", RateText;
        /// Requests to /.well-known from one address. They cost next to nothing, and without them no token can be verified.
        metadata_per_address: Rate = "0", RateText;
        /// Limits of single paths, beside those above, such as
        /// ["/oauth2/token per client 600/1m", "/api/v1/* per address 60/1m burst 20"]. A path must be one of the server's.
        routes: Vec<RouteLimit> = [], RouteLimits;
        /// What is left to an address or client that an anomaly's reaction slows down, of all paths above but /.well-known.
        slowed: Rate = "30/1m burst 10", RateText;
    }
}
