//! What people see: a file a page, beside what each shows (`view.rs`).

mod access;
pub mod account;
mod account_view;
pub mod api_keys;
mod api_keys_form;
mod api_keys_once;
mod api_keys_view;
pub mod assets;
pub mod assets_route;
pub mod cancel;
pub mod confirm;
pub mod consent;
pub mod device;
mod device_view;
pub mod errors;
pub mod example;
pub mod first_steps;
pub mod forms;
pub mod home;
pub mod login;
pub mod logout;
#[cfg(test)]
pub(crate) mod page_rules;
pub mod playground;
pub mod policy;
pub mod render;
mod routes;
#[cfg(test)]
mod sample_access;
#[cfg(test)]
mod sample_parts;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod samples_account;
pub mod setup;
mod setup_view;
pub mod text;
pub mod view;
pub mod well_known;

pub use routes::ROUTES;
