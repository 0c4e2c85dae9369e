//! Test actors, not fixtures: a [`Server`] that runs the built binary, a [`Browser`] that a person sits at, a
//! [`Client`] that is somebody's app. `expect` has the short forms of
//! `docs/security/catalogue.md`: `PAGE`, `RED(x)`, `J(n x)`, `IC`, `IG`.

mod answer;
mod browser;
mod client;
mod cookies;
mod database;
mod device;
mod expect;
mod faults;
mod first_party;
mod form;
mod gateway;
mod guard;
mod jws;
mod key;
mod mock;
mod process;
mod proxy;
mod raw;
mod request;
mod server;
mod times;
mod user;

use std::future::Future;

pub use answer::{Answer, Redirect, http, query_of};
pub use browser::Browser;
pub use client::{Auth, Client, Spec, basic};
pub use database::{Database, Db};
pub use device::{DEVICE_GRANT, Device};
pub use expect::*;
pub use faults::Faults;
pub use first_party::FirstParty;
pub use form::Form;
pub use gateway::{Echo, Gateway};
pub use guard::{ended, started};
pub use jws::{EsKey, claims_of, header_of, unsigned};
pub use key::{Key, register};
pub use mock::Mock;
pub use process::run_script;
pub use proxy::{Line, Proxy};
pub use raw::{RawAnswer, raw};
pub use request::{Pkce, Request};
pub use server::{CliFailure, ENCRYPTION_KEY, Server, free_port, scratch, target};
pub use user::User;

/// The server of one database that ordinary tests share. Its clients and users are each test's own.
pub type Shared = &'static Server;

/// What a test may ask for: the [`Shared`] server, or the [`Db`] to start one with its own configuration.
pub trait Wanted {
    fn of(db: Db) -> Self;
}

impl Wanted for Shared {
    fn of(db: Db) -> Self {
        Server::shared(db)
    }
}

impl Wanted for Db {
    fn of(db: Db) -> Self {
        db
    }
}

/// Runs one test body on one database, in a runtime of its own.
pub fn run<T: Wanted, F: Future<Output = ()>>(db: Db, test: impl FnOnce(T) -> F) {
    let _time = times::measure();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test(T::of(db)));
}

/// Makes two tests of each function named, `sqlite::name` and `postgres::name`. Once a file, at its end.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::harness::run($crate::harness::Db::Sqlite, super::$name) })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::harness::run($crate::harness::Db::Postgres, super::$name) })+
        }
    };
}
pub(crate) use both;

/// Makes a test of each function named: for what has no database of its own, such as mock mode.
macro_rules! once {
    ($($name:ident),+ $(,)?) => {
        mod once {
            $(#[test] fn $name() { $crate::harness::run_once(super::$name) })+
        }
    };
}
pub(crate) use once;

/// Runs one test body in a runtime of its own.
pub fn run_once<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let _time = times::measure();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test());
}

/// Seconds since 1970, for tokens that tests write themselves.
#[expect(clippy::disallowed_methods, reason = "tests live in real time, beside the server's process")]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}

/// Random text, safe in a URL; `bytes` random bytes of it.
pub fn random(bytes: usize) -> String {
    use base64::Engine;
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("randomness");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(buffer)
}
