//! What each kind of event tells, for `docs/reference/audit-events.md` and `latchway events --help`.

use super::EventKind;

impl EventKind {
    /// What happened, in one sentence. `tests/it/audit` compares the documentation with it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::TokenIssued => "An access token was issued, for a code or to a client for itself.",
            Self::TokenRefreshed => "A refresh token was exchanged for the next one.",
            Self::TokenRevoked => "A client gave a token back, or tried that with one of another client.",
            Self::TokenRefused => "A known client asked for tokens and got none.",
            Self::CodeIssued => "An app got an authorization code for a person.",
            Self::CodeReplay => "A code was used a second time; its family of tokens was ended.",
            Self::CodeClientMismatch => "A client came with another client's code.",
            Self::RefreshReuse => "A used refresh token came again; its family was ended.",
            Self::RefreshRetried => "A used refresh token came again soon and got the live token of its family.",
            Self::DeviceRequested => "A device without a browser asked for a person's permission.",
            Self::DeviceApproved => "A person allowed a device what it had asked for.",
            Self::DeviceDenied => "A person refused a device.",
            Self::DeviceRedeemed => "A device got the tokens that a person had allowed it.",
            Self::DeviceCodeReplay => {
                "A device code was used again some time after its tokens were issued; their family was ended."
            }
            Self::UserCodeRefused => "A person typed a device's code that does not count, or too many of them.",
            Self::PkceMissing => "A request lacked the code challenge that it needs.",
            Self::PkceMismatch => "The code verifier did not fit.",
            Self::PkceConstant => "A client sends the same code challenge again and again.",
            Self::AuthzUnknownClient => "An authorization request named no client that is in service.",
            Self::AuthzRefused => "An authorization request was refused.",
            Self::RedirectUriMismatch => "An authorization request named a redirect URI that is not registered.",
            Self::ClientAuthFailed => "A client could not prove itself.",
            Self::ClientAuthMethodMismatch => "A client proved itself by another method than it is registered for.",
            Self::CsrfRejected => "A form came that our own page had not sent, or came twice.",
            Self::LoginSucceeded => "A person logged in.",
            Self::LoginFailed => "A login failed.",
            Self::LoginThrottled => "A login was not tried, as too many had failed.",
            Self::CredStuffing => "Too many logins failed from one address; told once.",
            Self::LoggedOut => "A person logged out.",
            Self::SessionRevoked => "A person ended another session of theirs.",
            Self::ConsentGiven => "A person allowed an app something.",
            Self::ConsentDenied => "A person did not allow it.",
            Self::ConsentWithdrawn => "A person took back what an app was allowed.",
            Self::UserCreated => "An account was made.",
            Self::UserChanged => "An account was changed, enabled or disabled, or got another password.",
            Self::UserDeleted => "An account was deleted, with all that was kept of its person.",
            Self::ClientCreated => "A client was made.",
            Self::ClientChanged => "A client was changed, disabled or deleted, or got another secret.",
            Self::ApiKeyCreated => "An API key was made.",
            Self::ApiKeyRotated => "An API key got another secret.",
            Self::ApiKeyRevoked => "An API key was taken back.",
            Self::ApiKeyRefused => "An API key that is known was refused; told once a minute for each key and reason.",
            Self::ApiKeyMoved => "An API key was used from another network than the time before.",
            Self::GateOpened => "A person's login was taken to the host of an app behind forward authentication.",
            Self::ClockJump => "Somebody set the clock of a node.",
            Self::KeyCreated => "A signing key was made, as one was missing.",
            Self::KeyRotated => "A signing key was published that takes over.",
            Self::KeyRetired => "A signing key was taken out of service.",
            Self::KeyResealed => "A signing key was encrypted anew.",
            Self::KeysBegunAnew => {
                "The encryption key was lost: all signing keys and the key of this trail were made anew."
            }
            Self::IssuerChanged => "The database was given to another issuer.",
            Self::ScopeChanged => "The words for a scope were changed or removed.",
            Self::ApiTitleChanged => "The title of an API was changed or removed.",
            Self::SetupCompleted => "The first administrator was made.",
            Self::SetupRefused => "A set-up link was used that is none, or none any more.",
            Self::Restored => "The database was set back to an earlier state.",
            Self::AnomalyPasswordSpraying => "Somebody seems to try few passwords on many accounts.",
            Self::AnomalyCredentialStuffing => "Somebody seems to try stolen passwords from many addresses.",
            Self::AnomalyBruteForceAccount => "Somebody seems to guess the password of one account.",
            Self::AnomalyBruteForceClient => "Somebody seems to guess the secret of one client.",
            Self::AnomalyTokenReuse => "A code or a refresh token was used twice.",
            Self::AnomalyClientBurst => "Many clients were made in a short time.",
            Self::AnomalyNewNetwork => "A family of tokens or an API key is used from a network that is new.",
            Self::AnomalyErrorRate => "One client is refused much more often than usual.",
            Self::AnomalyReaction => "The server did something about an anomaly.",
            Self::RestraintLifted => "A restraint was lifted before its time.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Payer;
    use super::*;
    use crate::support::reference::{check_block, table};

    #[test]
    fn reference_has_every_kind_of_event() {
        let bound = |kind: EventKind| match kind.payer() {
            Payer::Party => "party",
            Payer::Limit => "limit",
            Payer::Nobody => "count",
        };
        let rows =
            EventKind::ALL.iter().map(|kind| [format!("`{kind}`"), kind.meaning().to_owned(), bound(*kind).to_owned()]);
        check_block("audit-events.md", "events", &table(["type", "what happened", "bounded by"], rows));
    }
}
