//! API keys: credentials of programs. Here is how one is made and taken back, and the one place where one is judged.

mod manage;
mod verify;
mod view;

pub use manage::{Actor, Limit, NO_API, OwnAudiences, Parent, Unfit, Wish, create, may_have, own, revoke, rotate};
pub use verify::{Dead, LiveKey, Refused, admit, judge, report, verify};
pub use view::ApiKeyView;
