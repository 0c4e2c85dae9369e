//! Mock mode, driven as front-end developers and their tests do.

mod login;
mod recipes;
mod start;
mod token;

use crate::harness::*;
