//! Another session of the database that lets nobody write for a while.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tokio_postgres::NoTls;

use crate::harness::*;

/// While it is held, reads work and writes wait.
pub enum WriteLock {
    Sqlite(SqliteConnection),
    Postgres(tokio_postgres::Client, tokio::task::JoinHandle<()>),
}

impl WriteLock {
    pub async fn hold(server: &Server) -> Self {
        let url = server.database.url();
        if let Some(file) = url.strip_prefix("sqlite://") {
            let mut connection = SqliteConnection::establish(file).expect("the server's SQLite file");
            connection.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("the lock");
            return Self::Sqlite(connection);
        }
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
        let driver = tokio::spawn(async move { connection.await.expect("the connection ends well") });
        let lock = "BEGIN; LOCK TABLE grants, codes, access_tokens, refresh_tokens IN SHARE ROW EXCLUSIVE MODE";
        client.batch_execute(lock).await.expect("the lock");
        Self::Postgres(client, driver)
    }

    pub async fn release(self) {
        match self {
            Self::Sqlite(mut connection) => connection.batch_execute("ROLLBACK").expect("the release"),
            Self::Postgres(client, driver) => {
                client.batch_execute("ROLLBACK").await.expect("the release");
                drop(client);
                driver.await.expect("the driver ends");
            }
        }
    }
}
