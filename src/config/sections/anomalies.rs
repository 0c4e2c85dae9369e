//! `[anomalies]`

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::section;
use crate::config::keys::Rule::{AnyOf, Secret, Switch};
use crate::config::keys::{DAY, MILLION, number};

/// What is done about an anomaly, besides telling of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// The addresses or the client get `[limits] slowed` for a while.
    SlowDown,
    /// The person has to log in again, everywhere.
    FreshLogin,
    /// The family of tokens ends.
    RevokeFamily,
    /// The addresses are refused for a while.
    BlockAddress,
}

section! {
    /// What looks like an attack, and what is done then.
    Anomalies = "anomalies" {
        /// What looks like an attack becomes an audit event and counts in latchway_anomalies_total; docs/anomalies.md explains each
        /// rule. false: nobody looks.
        enabled: bool = true, Switch;
        /// Where each finding is posted as JSON: an https URL, or http on this machine; "" for nowhere.
        #[serde(serialize_with = "crate::config::print::secret_text")]
        webhook_url: SecretString = "", Secret;
        /// At least 32 characters with which those posts are signed (HMAC-SHA256). Make some with `openssl rand -base64 32`; better
        /// given as LATCHWAY__ANOMALIES__WEBHOOK_SECRET_FILE.
        #[serde(serialize_with = "crate::config::print::secret_text")]
        webhook_secret: SecretString = "", Secret;
        /// Seconds in which the receiver must answer; what fails is tried again for about five minutes.
        webhook_timeout_seconds: u64 = 5, number(1, 60);
        /// Seconds for which slow_down and block_address restrain somebody.
        reaction_seconds: u32 = 600, number(1, DAY);
        /// Password spraying: accounts that were tried from one network (an IPv4 /24, an IPv6 /48) and have not got in since; at
        /// most 200.
        password_spraying_accounts: u32 = 15, number(1, 200);
        /// Seconds in which those are counted.
        password_spraying_window_seconds: u32 = 900, number(60, DAY);
        /// The same in a day, for those who take their time.
        password_spraying_accounts_a_day: u32 = 30, number(1, 200);
        /// Percent of that network's accounts that failed, at least: an office full of typos has a few.
        password_spraying_percent: u32 = 60, number(1, 100);
        /// What is done then: some of "slow_down" and "block_address", to the addresses that were seen.
        password_spraying_reactions: Vec<Reaction> = [], AnyOf(&["slow_down", "block_address"]);
        /// Credential stuffing: accounts that were tried from anywhere and have not got in since.
        credential_stuffing_accounts: u32 = 50, number(1, 50_000);
        /// Networks from which they were tried, at least.
        credential_stuffing_networks: u32 = 20, number(1, 50_000);
        /// Seconds in which those are counted.
        credential_stuffing_window_seconds: u32 = 600, number(60, DAY);
        /// Percent of all accounts that failed, at least, and three times the usual.
        credential_stuffing_percent: u32 = 20, number(1, 100);
        /// Brute force on an account: passwords that were tried, those turned away included.
        brute_force_account_failures: u32 = 30, number(1, MILLION);
        /// Seconds in which those are counted.
        brute_force_account_window_seconds: u32 = 900, number(60, DAY);
        /// The same in a day.
        brute_force_account_failures_a_day: u32 = 100, number(1, MILLION);
        /// What is done then: some of "slow_down" and "block_address", to the addresses that were seen.
        brute_force_account_reactions: Vec<Reaction> = [], AnyOf(&["slow_down", "block_address"]);
        /// Brute force on a client: different secrets that were tried. A client that repeats its own wrong one is none; at most 200.
        brute_force_client_secrets: u32 = 10, number(2, 200);
        /// Seconds in which those are counted.
        brute_force_client_window_seconds: u32 = 600, number(60, DAY);
        /// What is done then: some of "slow_down" and "block_address", to the addresses that were seen.
        brute_force_client_reactions: Vec<Reaction> = [], AnyOf(&["slow_down", "block_address"]);
        /// A code or refresh token that was used twice ends its family in any case. What else is done: some of "fresh_login" (the
        /// person's sessions end), "revoke_family", "slow_down" and "block_address".
        token_reuse_reactions: Vec<Reaction> = [], AnyOf(&["fresh_login", "revoke_family", "slow_down", "block_address"]);
        /// A burst of new clients: as many as were registered.
        client_burst_clients: u32 = 50, number(2, MILLION);
        /// Seconds in which those are counted.
        client_burst_window_seconds: u32 = 600, number(60, DAY);
        /// Tokens used from a new network: uses of a client's families after which it is known how they behave.
        new_network_uses: u32 = 100, number(1, MILLION);
        /// Days after which it is known.
        new_network_days: u32 = 2, number(0, 30);
        /// Of those uses, how many came from new networks at most (a week ago counts half): the families of phones and laptops move
        /// every day, and that they do tells nothing.
        new_network_moves: u32 = 2, number(0, MILLION);
        /// What is done then: some of "fresh_login" (the person's sessions end), "revoke_family", "slow_down" and "block_address".
        new_network_reactions: Vec<Reaction> = [], AnyOf(&["fresh_login", "revoke_family", "slow_down", "block_address"]);
        /// Unusual error rates: refusals of one client.
        error_rate_errors: u32 = 200, number(1, MILLION);
        /// Seconds in which those are counted.
        error_rate_window_seconds: u32 = 300, number(60, DAY);
        /// Percent of its requests that were refused, at least, and four times its usual.
        error_rate_percent: u32 = 30, number(1, 100);
        /// What is done then: "slow_down", to the client.
        error_rate_reactions: Vec<Reaction> = [], AnyOf(&["slow_down"]);
    }
}
