//! The tables `users` and `erased_users`.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};

use super::conn::on;
use super::row::Place;
use super::schema::{erased_users, gates, sessions, users};
use super::{Conn, StorageError, Tx};
use crate::domain::{InvalidRow, Role, User, UserStatus, normalize_email, normalize_username};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
pub(super) struct Row {
    id: Vec<u8>,
    username: String,
    email: Option<String>,
    email_verified_at: Option<i64>,
    name: Option<String>,
    role: String,
    status: String,
    password_hash: Option<String>,
    password_changed_at: i64,
    created_at: i64,
    updated_at: i64,
    given_name: Option<String>,
    family_name: Option<String>,
    access_version: i64,
}

impl TryFrom<Row> for User {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "users", key: row.username.clone() };
        Ok(Self {
            id: place.id(row.id)?,
            username: row.username,
            email: row.email,
            email_verified_at: row.email_verified_at,
            name: row.name,
            given_name: row.given_name,
            family_name: row.family_name,
            role: place.word(&row.role)?,
            status: place.word(&row.status)?,
            password_hash: row.password_hash,
            password_changed_at: row.password_changed_at,
            access_version: row.access_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub fn find(conn: &mut Conn, id: Id) -> Result<Option<User>, StorageError> {
    let row = on!(conn, c => users::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(User::try_from).transpose()?)
}

/// The person as they are until this transaction ends: whoever changes them waits for it, and sees what it wrote.
pub fn hold(tx: &mut Tx<'_>, id: Id) -> Result<Option<User>, StorageError> {
    let row = match tx.reader() {
        // Nobody else writes meanwhile.
        Conn::Sqlite(c) => users::table.find(id.as_bytes().as_slice()).get_result::<Row>(&mut **c).optional()?,
        Conn::Postgres(c) => {
            users::table.find(id.as_bytes().as_slice()).for_share().get_result::<Row>(&mut **c).optional()?
        }
    };
    Ok(row.map(User::try_from).transpose()?)
}

/// By user name or by e-mail address, in whatever spelling a person typed it.
pub fn find_by_login(conn: &mut Conn, login: &str) -> Result<Option<User>, StorageError> {
    let row = if let Some(username) = normalize_username(login) {
        on!(conn, c => users::table.filter(users::username.eq(&username)).get_result::<Row>(c).optional())?
    } else if let Some(email) = normalize_email(login) {
        on!(conn, c => users::table.filter(users::email.eq(&email)).get_result::<Row>(c).optional())?
    } else {
        None
    };
    Ok(row.map(User::try_from).transpose()?)
}

pub fn list(conn: &mut Conn) -> Result<Vec<User>, StorageError> {
    let rows = on!(conn, c => users::table.order(users::username).load::<Row>(c))?;
    Ok(rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?)
}

/// Adds a user. [`StorageError::Conflict`] if the user name or the e-mail address is taken.
pub fn insert(tx: &mut Tx<'_>, user: &User) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(users::table)
        .values((
            users::id.eq(user.id.as_bytes().as_slice()),
            users::username.eq(&user.username),
            users::email.eq(&user.email),
            users::email_verified_at.eq(user.email_verified_at),
            users::name.eq(&user.name),
            users::given_name.eq(&user.given_name),
            users::family_name.eq(&user.family_name),
            users::role.eq(user.role.as_str()),
            users::status.eq(user.status.as_str()),
            users::password_hash.eq(&user.password_hash),
            users::password_changed_at.eq(user.password_changed_at),
            users::access_version.eq(user.access_version),
            users::created_at.eq(user.created_at),
            users::updated_at.eq(user.updated_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Another status. Every proof that was read before is refused from here on, also once the account is active again.
pub fn set_status(tx: &mut Tx<'_>, id: Id, status: UserStatus, now: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(users::table.find(id.as_bytes().as_slice()))
        .set((
            users::status.eq(status.as_str()),
            users::access_version.eq(users::access_version + 1),
            users::updated_at.eq(now),
        ))
        .execute(c))?;
    Ok(())
}

/// Another password. Every proof that was read before is refused from here on; what else it ends is the caller's to
/// decide.
pub fn set_password(tx: &mut Tx<'_>, id: Id, hash: &str, now: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(users::table.find(id.as_bytes().as_slice()))
        .set((
            users::password_hash.eq(hash),
            users::password_changed_at.eq(now),
            users::access_version.eq(users::access_version + 1),
            users::updated_at.eq(now),
        ))
        .execute(c))?;
    Ok(())
}

/// The columns that an operator changes. What is `None` stays as it is.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct Change {
    email: Option<Option<String>>,
    email_verified_at: Option<Option<i64>>,
    name: Option<Option<String>>,
    given_name: Option<Option<String>>,
    family_name: Option<Option<String>>,
    role: Option<&'static str>,
    updated_at: i64,
}

/// Writes what differs between a person as they were read and as they are to be, and nothing else: what was changed
/// besides at the same time stays. `false`: the person is gone, or has another e-mail address since, of which this
/// version would say whether it is verified. [`StorageError::Conflict`] if the e-mail address is taken.
pub fn update(tx: &mut Tx<'_>, before: &User, after: &User, now: Seconds) -> Result<bool, StorageError> {
    fn changed<T: Clone + PartialEq>(before: &T, after: &T) -> Option<T> {
        (before != after).then(|| after.clone())
    }
    let change = Change {
        email: changed(&before.email, &after.email),
        email_verified_at: changed(&before.email_verified_at, &after.email_verified_at),
        name: changed(&before.name, &after.name),
        given_name: changed(&before.given_name, &after.given_name),
        family_name: changed(&before.family_name, &after.family_name),
        role: changed(&before.role, &after.role).map(Role::as_str),
        updated_at: now,
    };
    let has_none = before.email.is_none();
    let updated = on!(tx.writer()?, c => diesel::update(
        users::table
            .find(before.id.as_bytes().as_slice())
            .filter(users::email.eq(&before.email).or(users::email.is_null().and(has_none.into_sql::<Bool>()))))
        .set(&change)
        .execute(c))?;
    Ok(updated == 1)
}

/// Removes a person with all that is kept under their id, and remembers that this id is never to come back. `false`: there
/// is no such person.
///
/// Sessions, grants, consents and API keys go with the row (ON DELETE CASCADE); a token whose grant is gone does not count.
pub fn erase(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let id = id.as_bytes().as_slice();
    let theirs = || sessions::table.filter(sessions::user_id.eq(id.to_vec())).select(sessions::id);
    on!(tx.writer()?, c => {
        diesel::delete(gates::table.filter(gates::session_id.eq_any(theirs()))).execute(c)?;
        diesel::insert_into(erased_users::table)
            .values((erased_users::id.eq(id), erased_users::erased_at.eq(now)))
            .on_conflict_do_nothing()
            .execute(c)?;
        Ok(diesel::delete(users::table.find(id)).execute(c)? == 1)
    })
}

/// The same password under today's parameters. `false`: it was changed meanwhile.
pub fn rehash(tx: &mut Tx<'_>, id: Id, old: &str, new: &str) -> Result<bool, StorageError> {
    let rehashed = on!(tx.writer()?, c => diesel::update(
        users::table.find(id.as_bytes().as_slice()).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(c))?;
    Ok(rehashed == 1)
}

#[derive(QueryableByName)]
struct Parameters {
    #[diesel(sql_type = Text)]
    parameters: String,
    #[diesel(sql_type = BigInt)]
    people: i64,
}

/// Under which parameters passwords are hashed, and how many: the part of the stored hash before salt and hash.
pub fn password_parameters(conn: &mut Conn) -> Result<Vec<(String, u64)>, StorageError> {
    // `rtrim(h, replace(h, '$', ''))` cuts off all after the last `$`, in both databases.
    const QUERY: &str = "SELECT rtrim(rtrim(rtrim(h, letters), '$'), letters) AS parameters, count(*) AS people \
         FROM (SELECT password_hash AS h, replace(password_hash, '$', '') AS letters FROM users \
         WHERE password_hash IS NOT NULL) AS hashes GROUP BY 1";
    let rows = on!(conn, c => sql_query(QUERY).load::<Parameters>(c))?;
    let counted =
        |row: Parameters| (row.parameters.trim_end_matches('$').to_owned(), u64::try_from(row.people).unwrap_or(0));
    Ok(rows.into_iter().map(counted).collect())
}
