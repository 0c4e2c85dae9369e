//! Mock mode, driven as front-end developers and their tests do.

mod api;
mod login;
mod recipes;
mod start;
mod token;

use crate::harness::*;
