//! Mock mode, driven as front-end developers and their tests do.

mod start;

use crate::harness::*;
