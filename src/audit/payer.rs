//! What bounds the number of events of each type, so that unauthenticated requests cannot fill the trail.

use super::EventKind;

/// What bounds the number of events of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// Who is logged in, has proved to be a client, or runs the server.
    Party,
    /// A limit that counts before this is recorded, or a pause between two of them.
    Limit,
    /// Nothing: anyone can cause them at the price of a request. The first of a network in a while are recorded as they are,
    /// and those beyond as one with a count.
    Nobody,
}

impl EventKind {
    /// Every kind is decided here. What is recorded of a party that has proved who it is goes by
    /// [`super::Event::authenticated`].
    pub const fn payer(self) -> Payer {
        match self {
            Self::AuthzUnknownClient
            | Self::AuthzRefused
            | Self::RedirectUriMismatch
            | Self::PkceMissing
            | Self::PkceMismatch
            | Self::PkceConstant
            | Self::TokenRefused
            | Self::TokenRevoked
            | Self::CodeClientMismatch
            | Self::DeviceRequested
            | Self::ClientAuthFailed
            | Self::ClientAuthMethodMismatch
            | Self::CsrfRejected
            | Self::LoginThrottled
            | Self::SetupRefused => Payer::Nobody,
            Self::LoginFailed | Self::CredStuffing | Self::UserCodeRefused | Self::ApiKeyRefused => Payer::Limit,
            Self::TokenIssued
            | Self::TokenRefreshed
            | Self::CodeIssued
            | Self::CodeReplay
            | Self::RefreshReuse
            | Self::RefreshRetried
            | Self::DeviceApproved
            | Self::DeviceDenied
            | Self::DeviceRedeemed
            | Self::DeviceCodeReplay
            | Self::LoginSucceeded
            | Self::LoggedOut
            | Self::SessionRevoked
            | Self::ConsentGiven
            | Self::ConsentDenied
            | Self::ConsentWithdrawn
            | Self::UserCreated
            | Self::UserChanged
            | Self::UserDeleted
            | Self::KeysBegunAnew
            | Self::IssuerChanged
            | Self::ClientCreated
            | Self::ClientChanged
            | Self::ApiKeyCreated
            | Self::ApiKeyRotated
            | Self::ApiKeyRevoked
            | Self::ApiKeyMoved
            | Self::GateOpened
            | Self::ClockJump
            | Self::KeyCreated
            | Self::KeyRotated
            | Self::KeyRetired
            | Self::KeyResealed
            | Self::ScopeChanged
            | Self::ApiTitleChanged
            | Self::SetupCompleted
            | Self::Restored
            | Self::AnomalyPasswordSpraying
            | Self::AnomalyCredentialStuffing
            | Self::AnomalyBruteForceAccount
            | Self::AnomalyBruteForceClient
            | Self::AnomalyTokenReuse
            | Self::AnomalyClientBurst
            | Self::AnomalyNewNetwork
            | Self::AnomalyErrorRate
            | Self::AnomalyReaction
            | Self::RestraintLifted => Payer::Party,
        }
    }
}
