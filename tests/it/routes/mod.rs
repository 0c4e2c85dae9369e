//! The route table: its rows by themselves, and each row at a running server.

mod table;
mod timeout;
mod walk;
