//! What the set-up page shows.

use askama::Template;

use super::view::Layout;
use crate::domain::USERNAME_RULE;

/// `GET /setup`: the first administrator.
#[derive(Template, Debug)]
#[template(path = "setup.html")]
pub struct SetupPage {
    /// Around the page.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The one-time link's secret.
    pub token: String,
    /// As typed before.
    pub username: String,
    /// As typed before.
    pub email: String,
    /// The shortest password accepted.
    pub password_min: usize,
    /// What to correct.
    pub errors: SetupErrors,
}

impl SetupPage {
    fn username_rule(&self) -> String {
        format!("{USERNAME_RULE}.")
    }
}

/// What to correct on the set-up page, a sentence for a field.
#[derive(Clone, Debug, Default)]
pub struct SetupErrors {
    /// About the form as a whole.
    pub form: Option<String>,
    /// About `username`.
    pub username: Option<String>,
    /// About `email`.
    pub email: Option<String>,
    /// About `password`.
    pub password: Option<String>,
    /// About `password_again`.
    pub password_again: Option<String>,
}

impl SetupErrors {
    /// The field that has the focus: the first that is wrong, or the first.
    pub fn focus(&self) -> &'static str {
        let fields = [
            ("username", &self.username),
            ("email", &self.email),
            ("password", &self.password),
            ("password_again", &self.password_again),
        ];
        fields.into_iter().find(|(_, error)| error.is_some()).map_or("username", |(name, _)| name)
    }

    /// Whether anything is to correct.
    pub fn any(&self) -> bool {
        [&self.form, &self.username, &self.email, &self.password, &self.password_again].iter().any(|e| e.is_some())
    }
}
