//! `docs/security/catalogue.md` §9, as far as one server shows it; what takes many of them and a long time is in `torture/`.

mod disk;
mod keys;
mod log;
mod metrics;
mod outage;
mod overload;
mod stop;
mod time;
mod tls;
