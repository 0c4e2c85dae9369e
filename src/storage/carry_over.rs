//! What a backup does not know: what was disabled, changed or taken away after it, read from the database that it
//! replaces, which stands beside it as `old`.
//!
//! Only what restricts is taken over, and only from rows that were changed later than those of the backup; what was
//! given since is what the restore is meant to undo, or is given again easily.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};

use super::cleanup::first_id_at;
use super::restore::Carried;
use crate::domain::ClientStatus;

/// Events are stamped a little before they are written: from so long before the last one on, each is looked for.
const AUDIT_OVERLAP: i64 = 3600;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn number(c: &mut SqliteConnection, query: &str) -> QueryResult<i64> {
    Ok(sql_query(query).get_result::<Number>(c)?.n)
}

/// Takes over all that is to be taken over.
pub(super) fn all(c: &mut SqliteConnection) -> QueryResult<Carried> {
    let mut carried = Carried {
        clients_lost: number(
            c,
            "SELECT count(*) AS n FROM old.clients WHERE status <> 'deleted' \
             AND client_id NOT IN (SELECT client_id FROM main.clients)",
        )?,
        users_lost: number(c, "SELECT count(*) AS n FROM old.users WHERE id NOT IN (SELECT id FROM main.users)")?,
        ..Carried::default()
    };
    clients(c, &mut carried)?;
    users(c, &mut carried)?;
    carried.users_erased = erased_users(c)?;
    keys(c, &mut carried)?;
    carried.api_keys = api_keys(c)?;
    // The trail of another version may have other columns. It is history: nothing depends on it.
    c.batch_execute("SAVEPOINT audit")?;
    match audit_events(c) {
        Ok(events) => carried.audit_events = events,
        Err(_) => c.batch_execute("ROLLBACK TO audit")?,
    }
    c.batch_execute("RELEASE audit")?;
    Ok(carried)
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
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Text)]
    later_scope: String,
    #[diesel(sql_type = Text)]
    grant_types: String,
    #[diesel(sql_type = Text)]
    later_grant_types: String,
    #[diesel(sql_type = Text)]
    audiences: String,
    #[diesel(sql_type = Text)]
    later_audiences: String,
    #[diesel(sql_type = Text)]
    redirect_uris: String,
    #[diesel(sql_type = Text)]
    later_redirect_uris: String,
    #[diesel(sql_type = Text)]
    pkce: String,
    #[diesel(sql_type = Text)]
    later_pkce: String,
    #[diesel(sql_type = Text)]
    party: String,
    #[diesel(sql_type = Text)]
    later_party: String,
}

const CREDENTIALS: &str = "auth_method, secret_hash, previous_secret_hash, previous_secret_until, jwks";

fn clients(c: &mut SqliteConnection, carried: &mut Carried) -> QueryResult<()> {
    let later = |columns: &str| columns.split(", ").map(|name| format!("o.{name}")).collect::<Vec<_>>().join(", ");
    let later_credentials = later(CREDENTIALS);
    let now = later_credentials.replace("o.", "m.");
    let pairs: Vec<Pair> = sql_query(format!(
        "SELECT m.client_id, m.status, o.status AS later_status, \
         ({now}) IS NOT ({later_credentials}) AS other_credentials, \
         m.scope, o.scope AS later_scope, m.grant_types, o.grant_types AS later_grant_types, \
         m.audiences, o.audiences AS later_audiences, m.redirect_uris, o.redirect_uris AS later_redirect_uris, \
         m.pkce, o.pkce AS later_pkce, m.party, o.party AS later_party \
         FROM main.clients m JOIN old.clients o ON o.client_id = m.client_id \
         WHERE o.updated_at >= m.updated_at AND (o.version <> m.version OR o.updated_at <> m.updated_at)"
    ))
    .load(c)?;
    for pair in pairs {
        let status = worse(&pair.status, &pair.later_status);
        let scope = both(&pair.scope, &pair.later_scope);
        let grant_types = both(&pair.grant_types, &pair.later_grant_types);
        let audiences = both(&pair.audiences, &pair.later_audiences);
        let redirect_uris = both(&pair.redirect_uris, &pair.later_redirect_uris);
        let pkce = if pair.later_pkce == "required" { &pair.later_pkce } else { &pair.pkce };
        let party = if pair.later_party == "third" { &pair.later_party } else { &pair.party };
        carried.clients_disabled += usize::from(status != pair.status);
        carried.credentials += usize::from(pair.other_credentials != 0 && status != "deleted");
        let reduced = scope != pair.scope
            || grant_types != pair.grant_types
            || audiences != pair.audiences
            || redirect_uris != pair.redirect_uris
            || *pkce != pair.pkce
            || *party != pair.party;
        carried.reductions += usize::from(reduced);
        sql_query(format!(
            "UPDATE main.clients SET ({CREDENTIALS}) = ({later_credentials}), status = ?, scope = ?, grant_types = ?, \
             audiences = ?, redirect_uris = ?, pkce = ?, party = ?, version = max(main.clients.version, o.version) + 1, \
             updated_at = o.updated_at \
             FROM old.clients o WHERE o.client_id = main.clients.client_id AND main.clients.client_id = ?"
        ))
        .bind::<Text, _>(status)
        .bind::<Text, _>(scope)
        .bind::<Text, _>(grant_types)
        .bind::<Text, _>(audiences)
        .bind::<Text, _>(redirect_uris)
        .bind::<Text, _>(pkce)
        .bind::<Text, _>(party)
        .bind::<Text, _>(&pair.client_id)
        .execute(c)?;
    }
    Ok(())
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

fn users(c: &mut SqliteConnection, carried: &mut Carried) -> QueryResult<()> {
    // First what depends on the time of the last change, which the second does not touch.
    carried.users_disabled = sql_query(
        "UPDATE main.users SET status = o.status, updated_at = o.updated_at FROM old.users o \
         WHERE o.id = main.users.id AND o.updated_at >= main.users.updated_at \
         AND main.users.status = 'active' AND o.status <> 'active'",
    )
    .execute(c)?;
    carried.demoted = sql_query(
        "UPDATE main.users SET role = o.role FROM old.users o \
         WHERE o.id = main.users.id AND o.updated_at >= main.users.updated_at \
         AND main.users.role = 'admin' AND o.role <> 'admin'",
    )
    .execute(c)?;
    carried.passwords = sql_query(
        "UPDATE main.users SET password_hash = o.password_hash, password_changed_at = o.password_changed_at \
         FROM old.users o WHERE o.id = main.users.id AND o.password_changed_at >= main.users.password_changed_at \
         AND o.password_hash IS NOT main.users.password_hash",
    )
    .execute(c)?;
    Ok(())
}

/// A person who was deleted since the backup stays deleted.
fn erased_users(c: &mut SqliteConnection) -> QueryResult<usize> {
    if number(c, "SELECT count(*) AS n FROM old.sqlite_master WHERE type = 'table' AND name = 'erased_users'")? == 0 {
        return Ok(0); // the database to be replaced is older than the deletion of people
    }
    c.batch_execute(
        "INSERT OR IGNORE INTO main.erased_users (id, erased_at) SELECT id, erased_at FROM old.erased_users",
    )?;
    sql_query("DELETE FROM main.users WHERE id IN (SELECT id FROM main.erased_users)").execute(c)
}

/// Retirements stay, above all those of keys that leaked; keys made since sign on, so that the JWKS stays what it was.
fn keys(c: &mut SqliteConnection, carried: &mut Carried) -> QueryResult<()> {
    let retired = sql_query(
        "UPDATE main.signing_keys AS k SET \
         retired_at = coalesce(min(k.retired_at, o.retired_at), k.retired_at, o.retired_at), \
         removed_at = coalesce(min(k.removed_at, o.removed_at), k.removed_at, o.removed_at) \
         FROM old.signing_keys o WHERE o.kid = k.kid \
         AND (o.retired_at, o.removed_at) IS NOT (k.retired_at, k.removed_at)",
    )
    .execute(c)?;
    let columns = "kid, algorithm, sealed_private_key, public_jwk, created_at, activates_at, retired_at, removed_at";
    let made = sql_query(format!(
        "INSERT OR IGNORE INTO main.signing_keys ({columns}) SELECT {columns} FROM old.signing_keys"
    ))
    .execute(c)?;
    carried.keys = retired + made;
    Ok(())
}

/// A key that was taken back stays so, and of a rotated one the secrets count that counted last. One that was made since
/// is gone.
fn api_keys(c: &mut SqliteConnection) -> QueryResult<usize> {
    if number(c, "SELECT count(*) AS n FROM old.sqlite_master WHERE type = 'table' AND name = 'api_keys'")? == 0 {
        return Ok(0); // the database to be replaced is older than API keys
    }
    sql_query(
        "UPDATE main.api_keys AS k SET revoked_at = coalesce(k.revoked_at, o.revoked_at), secret_hash = o.secret_hash, \
         previous_hash = o.previous_hash, previous_until = o.previous_until, rotated_at = o.rotated_at \
         FROM old.api_keys o WHERE o.id = k.id AND coalesce(o.rotated_at, 0) >= coalesce(k.rotated_at, 0) \
         AND (o.revoked_at, o.secret_hash) IS NOT (k.revoked_at, k.secret_hash)",
    )
    .execute(c)
}

/// What happened since the backup did happen.
fn audit_events(c: &mut SqliteConnection) -> QueryResult<usize> {
    let last = number(c, "SELECT coalesce(max(at_millis), 0) AS n FROM main.audit_events")?;
    // The trail of the old database goes on from the backup's if it has the backup's last checkpoint; a backup that has none
    // is from before there were any.
    let known = number(c, "SELECT count(*) AS n FROM main.audit_checkpoints")?;
    let shared = number(
        c,
        "SELECT count(*) AS n FROM main.audit_checkpoints m JOIN old.audit_checkpoints o \
         ON o.number = m.number AND o.mac = m.mac \
         WHERE m.number = (SELECT max(number) FROM main.audit_checkpoints)",
    )?;
    if known > 0 && shared == 0 {
        return Ok(0);
    }
    c.batch_execute(
        "INSERT OR REPLACE INTO main.settings (name, value) \
         SELECT name, value FROM old.settings WHERE name = 'audit_key'; \
         INSERT OR IGNORE INTO main.audit_checkpoints (number, at_millis, body, mac) \
         SELECT number, at_millis, body, mac FROM old.audit_checkpoints",
    )?;
    let columns = "id, at_millis, kind, outcome, client_id, subject_hash, address, request_id, detail, writer, sequence, \
                   reason, operator, hash";
    sql_query(format!(
        "INSERT OR IGNORE INTO main.audit_events ({columns}) SELECT {columns} FROM old.audit_events WHERE id >= ?"
    ))
    .bind::<Binary, _>(first_id_at(last / 1000 - AUDIT_OVERLAP))
    .execute(c)
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
}
