//! Pages and headers: what they say, what they ask before they act, and what goes with every answer.

mod account;
mod errors;
mod headers;
mod newcomers;
