//! Statements that stay prepared although Diesel would not keep them.

use diesel::backend::Backend;
use diesel::query_builder::{AsChangeset, AstPass, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::{AppearsOnTable, QueryResult, QuerySource, Table};

/// An UPDATE that is kept prepared under its own text.
///
/// Diesel prepares each of its own anew, because what an `Option` leaves out of its SET changes the text. The text itself
/// as the key is right in any case, and comparing it is far cheaper than SQLite's parser or PostgreSQL's round trip.
pub(super) struct Update<F, C, P> {
    table: F,
    set: C,
    filter: P,
}

/// `UPDATE table SET set WHERE filter`
pub(super) fn update<T, C, P>(table: T, set: C, filter: P) -> Update<T::FromClause, C::Changeset, P>
where
    T: Table + QuerySource,
    C: AsChangeset<Target = T>,
    P: AppearsOnTable<T>,
{
    Update { table: table.from_clause(), set: set.as_changeset(), filter }
}

impl<F, C, P, DB> QueryFragment<DB> for Update<F, C, P>
where
    F: QueryFragment<DB>,
    C: QueryFragment<DB>,
    P: QueryFragment<DB>,
    DB: Backend,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql("UPDATE ");
        self.table.walk_ast(pass.reborrow())?;
        pass.push_sql(" SET ");
        self.set.walk_ast(pass.reborrow())?;
        pass.push_sql(" WHERE ");
        self.filter.walk_ast(pass)
    }
}

impl<F, C, P> QueryId for Update<F, C, P> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<F, C, P, Conn> RunQueryDsl<Conn> for Update<F, C, P> {}

/// A statement without parameters, such as COMMIT.
pub(super) struct Fixed(pub &'static str);

impl<DB: Backend> QueryFragment<DB> for Fixed {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql(self.0);
        Ok(())
    }
}

impl QueryId for Fixed {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Conn> RunQueryDsl<Conn> for Fixed {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::connection::{InstrumentationEvent, SimpleConnection};
    use diesel::prelude::*;

    use super::*;
    use crate::storage::schema::settings;

    #[test]
    fn an_update_is_prepared_once() {
        let mut conn = SqliteConnection::establish(":memory:").expect("a database");
        conn.batch_execute(
            "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT); INSERT INTO settings VALUES ('a', 'b')",
        )
        .expect("a table");
        let kept = Arc::new(AtomicUsize::new(0));
        let counter = kept.clone();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { .. } = event {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        for value in ["c", "d"] {
            let changed = update(settings::table, settings::value.eq(value), settings::name.eq("a")).execute(&mut conn);
            assert_eq!(changed, Ok(1));
            assert_eq!(kept.load(Ordering::Relaxed), 1);
        }
        let stored = settings::table.select(settings::value).get_result::<String>(&mut conn);
        assert_eq!(stored.as_deref(), Ok("d"));
    }
}
