//! A form that decides is answered once, and the same browser that sends it again within a minute is led to where the first
//! one led: a double click, or a browser that lost the answer, costs nobody the login.
//!
//! The answer can hold a code or a new key. It is stored sealed under a key that is derived from the cookie of the browser, so
//! that the database alone tells nothing of it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::CodeStage;
use crate::fault::{Fault, Problem};
use crate::keys::Sealer;
use crate::storage::{StorageError, Tx, codes, form_answers};
use crate::support::{Handle, Id, Seconds};

/// For so long the same form leads where the first one led, in seconds.
const REPEAT_SECONDS: Seconds = 60;

/// A form on its way through one browser.
#[derive(Debug, Clone, Copy)]
pub struct OneForm<'a> {
    /// What its one use is known by.
    pub id: Id,
    /// Which form it was, with what was decided in it.
    pub name: &'a str,
    /// The cookie that its token was made of.
    pub cookie: &'a str,
    /// Who sent it.
    pub subject: Id,
    /// Until when the form could come again, in Unix seconds.
    pub until: Seconds,
}

#[derive(Serialize, Deserialize)]
struct Remembered<T> {
    form: String,
    subject: Id,
    /// The authorization code in the answer, if there is one.
    code: Option<Id>,
    answer: T,
}

/// An answer as it will be stored.
#[derive(Debug, Clone)]
pub struct SealedAnswer {
    id: Id,
    until: Seconds,
    sealed: Vec<u8>,
}

impl SealedAnswer {
    /// Takes the one use of the form. `false`: it was answered already.
    pub fn take(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<bool, StorageError> {
        form_answers::take(tx, self.id, &self.sealed, now, self.until)
    }
}

impl OneForm<'_> {
    /// Seals the answer that this form is about to get. `code` is the authorization code in it.
    pub fn seal<T: Serialize>(&self, app: &App, code: Option<Id>, answer: &T) -> Result<SealedAnswer, Fault> {
        let failed = || Fault::page(Problem::Internal, "an answer could not be sealed");
        let remembered = Remembered { form: self.name.to_owned(), subject: self.subject, code, answer };
        let json = serde_json::to_vec(&remembered).map_err(|_| failed())?;
        let sealer = self.sealer().ok_or_else(failed)?;
        let sealed = sealer.seal(&app.rng, &self.context(), &json).ok_or_else(failed)?;
        Ok(SealedAnswer { id: self.id, until: self.until, sealed })
    }

    /// The answer that this very form got, if it was sent by the same browser a moment ago. A code that was redeemed is not
    /// told again, because a client that redeems it twice is taken for a thief.
    pub async fn recall<T: DeserializeOwned>(&self, app: &App) -> Result<Option<T>, Fault> {
        let (id, now) = (self.id, app.now());
        let found = app.db.read("form.recall", move |conn| form_answers::find(conn, id)).await?;
        let recent = found.filter(|found| now - found.answered_at <= REPEAT_SECONDS);
        let Some(remembered) = recent.and_then(|found| self.open::<T>(&found.answer)) else { return Ok(None) };
        if remembered.form != self.name || remembered.subject != self.subject {
            return Ok(None);
        }
        if let Some(code) = remembered.code {
            let code = app.db.read("form.code", move |conn| codes::find(conn, code)).await?;
            if !code.is_some_and(|(code, ..)| code.stage == CodeStage::Issued) {
                return Ok(None);
            }
        }
        Ok(Some(remembered.answer))
    }

    fn open<T: DeserializeOwned>(&self, sealed: &[u8]) -> Option<Remembered<T>> {
        let json = self.sealer()?.open(&self.context(), sealed)?;
        serde_json::from_slice(&json).ok()
    }

    fn sealer(&self) -> Option<Sealer> {
        Sealer::new(&Handle::parse(self.cookie).ok()?.derived_key("form answer"))
    }

    fn context(&self) -> String {
        format!("answer to form {}", self.id)
    }
}
