//! What a backup does not know: what was disabled, changed or taken away after it, read from the database that it
//! replaces, which stands beside it as `old`.
//!
//! Only what restricts is taken over, and only from rows that were changed later than those of the backup; what was
//! given since is what the restore is meant to undo, or is given again easily.

mod clients;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel::{QueryableByName, SqliteConnection, sql_query};

use super::carry_over_counts::Carried;
use super::cleanup::first_id_at;

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
    clients::restrict(c, &mut carried)?;
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
