//! The forms that make a key: each makes one, and its answer is kept for a minute for the browser that sent it.

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::api_key::Unfit;
use crate::app::App;
use crate::domain::ApiKey;
use crate::flow::OneForm;
use crate::storage::{Refusal, StorageError, Tx, form_answers};
use crate::support::{ApiKeyText, Id, Seconds};

/// A form is good for so long, in seconds; its row is known for longer.
pub const FORM_SECONDS: Seconds = 1_800;

/// A key as it is shown in the answer to the form that made it, and to the same form within a minute.
/// It has the key itself, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct Revealed {
    pub name: String,
    pub text: String,
    /// An API that takes it, for the command that tries it.
    pub api: Option<String>,
    /// Until when the secret before is taken.
    pub replaces: Option<Seconds>,
}

impl Revealed {
    pub fn new(key: &ApiKey, text: &ApiKeyText, replaces: Option<Seconds>) -> Self {
        let api = key.audience.iter().find(|api| api.starts_with("https://") || api.starts_with("http://")).cloned();
        Self { name: key.name.clone(), text: text.expose().expose_secret().to_owned(), api, replaces }
    }
}

/// What takes the one use of a form, so that a reload makes no second key, and keeps its answer for the same browser.
pub struct Keeper {
    pub app: App,
    pub cookie: String,
    pub once: Id,
    pub name: String,
    pub subject: Id,
}

impl Keeper {
    pub fn form(&self) -> OneForm<'_> {
        let until = self.once.made_at() + FORM_SECONDS + 60;
        OneForm { id: self.once, name: &self.name, cookie: &self.cookie, subject: self.subject, until }
    }

    pub fn is_used(&self, tx: &mut Tx<'_>) -> Result<bool, Unfit> {
        Ok(form_answers::find(tx.reader(), self.once)?.is_some())
    }

    /// `Raced`, which undoes what was made: the same form was faster, on another connection.
    pub fn keep(&self, tx: &mut Tx<'_>, revealed: Revealed) -> Result<Revealed, Refusal<Unfit>> {
        let sealed = self.form().seal(&self.app, None, &revealed);
        let sealed = sealed.map_err(|_| Unfit::from(StorageError::Busy))?;
        if sealed.take(tx, self.app.now()).map_err(Unfit::from)? { Ok(revealed) } else { Err(Unfit::Raced.into()) }
    }
}
