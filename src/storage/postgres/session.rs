//! How the limits of a connection are set, which depends on what is between this process and PostgreSQL.

use std::time::Duration;

use tokio_postgres::Config;

/// Waiting longer than this for a row that somebody else holds would keep a connection from everybody else.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long PostgreSQL lets a statement, a lock and an idle transaction take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub statement: Duration,
}

/// Where those limits are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// In the startup packet, which costs no round trip.
    Startup,
    /// By statements: a pooler that lends a connection for a whole session refuses them in the startup packet.
    Statement,
    /// In each transaction: a pooler lends connections for one transaction at a time, so that nothing outlives it, prepared
    /// statements included.
    Transaction,
}

impl Limits {
    fn pairs(self) -> [(&'static str, u128); 3] {
        let whole = self.statement.as_millis();
        [
            ("statement_timeout", whole),
            ("lock_timeout", self.statement.min(LOCK_TIMEOUT).as_millis()),
            ("idle_in_transaction_session_timeout", whole * 2),
        ]
    }

    fn statements(self, set: &str) -> String {
        self.pairs().iter().map(|(name, millis)| format!("{set} {name} = {millis};")).collect()
    }
}

impl Session {
    /// The configuration with what belongs into the startup packet.
    pub fn configure(self, config: &Config, limits: Limits) -> Config {
        let mut config = config.clone();
        if self == Self::Startup {
            let ours: String = limits.pairs().iter().map(|(name, millis)| format!(" -c {name}={millis}")).collect();
            let options = config.get_options().unwrap_or_default().to_owned() + &ours;
            config.options(options.trim_start());
        }
        config
    }

    /// What comes before the statements with which Diesel sets a connection up.
    pub fn begin_set_up(self, limits: Limits) -> Option<String> {
        (self == Self::Transaction).then(|| self.begin(limits))
    }

    /// What comes after them.
    pub fn end_set_up(self, limits: Limits) -> Option<String> {
        match self {
            Self::Startup => None,
            Self::Statement => Some(limits.statements("SET")),
            Self::Transaction => Some("COMMIT".to_owned()),
        }
    }

    /// What begins a transaction.
    pub fn begin(self, limits: Limits) -> String {
        match self {
            Self::Startup | Self::Statement => "BEGIN".to_owned(),
            Self::Transaction => format!("BEGIN;{}", limits.statements("SET LOCAL")),
        }
    }

    /// Whether reading needs a transaction, too.
    pub fn reads_in_transactions(self) -> bool {
        self == Self::Transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_url_stay() {
        let config: Config = "postgres://a@localhost/x?options=-csearch_path%3Dlw".parse().expect("a URL");
        let limits = Limits { statement: Duration::from_secs(5) };
        let options = |session: Session| session.configure(&config, limits).get_options().map(str::to_owned);
        let with = "-csearch_path=lw -c statement_timeout=5000 -c lock_timeout=2000 \
                    -c idle_in_transaction_session_timeout=10000";
        assert_eq!(options(Session::Startup).as_deref(), Some(with));
        assert_eq!(options(Session::Transaction).as_deref(), Some("-csearch_path=lw"));
        assert_eq!(Session::Startup.begin(limits), "BEGIN");
        assert!(Session::Transaction.begin(limits).contains("SET LOCAL lock_timeout = 2000;"));
    }
}
