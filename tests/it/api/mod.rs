//! `/api/v1`, as the operator's own apps meet it.

mod document;
mod native;
mod page;
mod registration;
mod versions;
