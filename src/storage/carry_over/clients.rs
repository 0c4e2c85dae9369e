//! Clients: the credentials that counted last, and of everything else what allows less.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};

use crate::domain::{ClientStatus, ConsentPolicy, IdTokenClaims, MethodCheck, Party, PkcePolicy, RefreshPolicy};
use crate::storage::carry_over_counts::Carried;

const CREDENTIALS: &str =
    "auth_method, secret_hash, previous_secret_hash, previous_secret_until, jwks, assertion_audience";

/// How two values of a column become the one that allows less.
enum Less {
    /// Of two lists, what both have.
    Both,
    /// Of two words, the one that comes first; a word that this version does not know changes nothing.
    First(&'static [&'static str]),
}

const COLUMNS: &[(&str, Less)] = &[
    ("scope", Less::Both),
    ("grant_types", Less::Both),
    ("audiences", Less::Both),
    ("resources", Less::Both),
    ("redirect_uris", Less::Both),
    (
        "pkce",
        Less::First(&[PkcePolicy::Required.as_str(), PkcePolicy::NonceInstead.as_str(), PkcePolicy::Optional.as_str()]),
    ),
    (
        "consent",
        Less::First(&[ConsentPolicy::Always.as_str(), ConsentPolicy::Remember.as_str(), ConsentPolicy::Never.as_str()]),
    ),
    ("method_check", Less::First(&[MethodCheck::Strict.as_str(), MethodCheck::Lenient.as_str()])),
    ("id_token_claims", Less::First(&[IdTokenClaims::Standard.as_str(), IdTokenClaims::All.as_str()])),
    ("refresh", Less::First(&[RefreshPolicy::Strict.as_str(), RefreshPolicy::Standard.as_str()])),
    ("party", Less::First(&[Party::Third.as_str(), Party::First.as_str()])),
];

impl Less {
    fn of(&self, kept: &str, later: &str) -> String {
        match self {
            Self::Both => both(kept, later),
            Self::First(order) => {
                let rank = |word: &str| order.iter().position(|known| *known == word);
                let less = matches!((rank(kept), rank(later)), (Some(kept), Some(later)) if later < kept);
                if less { later } else { kept }.to_owned()
            }
        }
    }
}

#[derive(QueryableByName)]
struct Pair {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Text)]
    later_status: String,
    #[diesel(sql_type = BigInt)]
    other_credentials: i64,
    /// The values of [`COLUMNS`] as a JSON array.
    #[diesel(sql_type = Text)]
    kept: String,
    #[diesel(sql_type = Text)]
    later: String,
}

pub(super) fn restrict(c: &mut SqliteConnection, carried: &mut Carried) -> QueryResult<()> {
    let credentials = |table: &str| of_table(table, CREDENTIALS.split(", "));
    let columns = |table: &str| of_table(table, COLUMNS.iter().map(|(name, _)| *name));
    let pairs: Vec<Pair> = sql_query(format!(
        "SELECT m.client_id, m.status, o.status AS later_status, ({}) IS NOT ({}) AS other_credentials, \
         json_array({}) AS kept, json_array({}) AS later \
         FROM main.clients m JOIN old.clients o ON o.client_id = m.client_id \
         WHERE o.updated_at >= m.updated_at AND (o.version <> m.version OR o.updated_at <> m.updated_at)",
        credentials("m"),
        credentials("o"),
        columns("m"),
        columns("o"),
    ))
    .load(c)?;
    let set: String = COLUMNS.iter().map(|(name, _)| format!("{name} = ?, ")).collect();
    let update = format!(
        "UPDATE main.clients SET {set}({CREDENTIALS}) = ({}), status = ?, \
         version = max(main.clients.version, o.version) + 1, updated_at = o.updated_at \
         FROM old.clients o WHERE o.client_id = main.clients.client_id AND main.clients.client_id = ?",
        credentials("o")
    );
    for pair in pairs {
        let (kept, later) = (texts(&pair.kept)?, texts(&pair.later)?);
        let less: Vec<String> = COLUMNS
            .iter()
            .zip(kept.iter().zip(&later))
            .map(|((_, rule), (kept, later))| rule.of(kept, later))
            .collect();
        let status = worse(&pair.status, &pair.later_status);
        carried.clients_disabled += usize::from(status != pair.status);
        carried.credentials += usize::from(pair.other_credentials != 0 && status != "deleted");
        carried.reductions += usize::from(less != kept);
        let mut query = sql_query(&update).into_boxed();
        for value in less {
            query = query.bind::<Text, _>(value);
        }
        query.bind::<Text, _>(status).bind::<Text, _>(pair.client_id).execute(c)?;
    }
    Ok(())
}

fn of_table<'a>(table: &str, columns: impl Iterator<Item = &'a str>) -> String {
    columns.map(|name| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
}

fn texts(array: &str) -> QueryResult<Vec<String>> {
    serde_json::from_str(array).map_err(|e| diesel::result::Error::DeserializationError(e.into()))
}

/// Which of two states of a client lets it do less. One that this version does not know lets it do nothing.
fn worse(status: &str, later: &str) -> &'static str {
    let read = |text: &str| text.parse().unwrap_or(ClientStatus::Disabled);
    match (read(status), read(later)) {
        (ClientStatus::Deleted, _) | (_, ClientStatus::Deleted) => ClientStatus::Deleted.as_str(),
        (ClientStatus::Disabled, _) | (_, ClientStatus::Disabled) => ClientStatus::Disabled.as_str(),
        (ClientStatus::Active, ClientStatus::Active) => ClientStatus::Active.as_str(),
    }
}

/// The words of a list that are in another as well, in their order.
fn both(list: &str, other: &str) -> String {
    let kept = list.split(' ').filter(|word| other.split(' ').any(|name| name == *word));
    kept.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_lists_have_stays() {
        assert_eq!(both("openid profile email", "email openid"), "openid email");
        assert_eq!(both("a", "b"), "");
        assert_eq!(both("", ""), "");
    }

    #[test]
    fn a_status_only_gets_worse() {
        assert_eq!(worse("active", "disabled"), "disabled");
        assert_eq!(worse("disabled", "active"), "disabled");
        assert_eq!(worse("active", "deleted"), "deleted");
        assert_eq!(worse("active", "of a later version"), "disabled");
        assert_eq!(worse("active", "active"), "active");
    }

    #[test]
    fn a_policy_only_gets_stricter() {
        let pkce = Less::First(&["required", "nonce-instead", "optional"]);
        assert_eq!(pkce.of("optional", "nonce-instead"), "nonce-instead");
        assert_eq!(pkce.of("required", "optional"), "required");
        assert_eq!(pkce.of("optional", "of a later version"), "optional");
    }
}
