//! Forms that were answered: a form that decides is answered once, and its answer is known for a while.

use diesel::prelude::*;

use super::conn::on;
use super::schema::form_answers;
use super::{Conn, StorageError, Tx};
use crate::support::{Id, Seconds};

/// How a form was answered.
#[derive(Debug, Clone, Queryable)]
pub struct FormAnswer {
    pub answered_at: Seconds,
    /// Sealed under a key that the cookie of the browser yields; see `flow/answered.rs`.
    pub answer: Vec<u8>,
}

/// How this form was answered; `None` if it was not.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<FormAnswer>, StorageError> {
    Ok(on!(conn, c => form_answers::table
        .find(id.as_bytes().as_slice())
        .select((form_answers::answered_at, form_answers::answer))
        .get_result(c)
        .optional())?)
}

/// Takes the one answer that a form gets. The row is the use: its key lets one of all who come at once add it, on both
/// databases and across nodes. `false`: the form was answered already.
pub fn take(tx: &mut Tx<'_>, id: Id, answer: &[u8], now: Seconds, until: Seconds) -> Result<bool, StorageError> {
    let taken = on!(tx.writer()?, c => diesel::insert_into(form_answers::table)
        .values((
            form_answers::id.eq(id.as_bytes().as_slice()),
            form_answers::answered_at.eq(now),
            form_answers::expires_at.eq(until),
            form_answers::answer.eq(answer),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(taken == 1)
}
