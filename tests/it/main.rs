//! The one integration binary: every test here talks to the real server over HTTP, on SQLite and on PostgreSQL.
//!
//! `tests/it/README.md` says how to write one. Run them with `scripts/test`.

mod anomalies;
mod api;
mod api_keys;
mod audit;
mod basics;
mod circles;
mod cleanup;
mod clients;
mod command_line;
mod database;
mod documents;
mod forward_auth;
mod harness;
mod interop;
mod layers;
mod logins;
mod migrations;
mod mock;
mod operations;
mod pages;
mod people;
mod readme;
mod recovery;
mod reliability;
mod resource_server;
mod routes;
mod security;
