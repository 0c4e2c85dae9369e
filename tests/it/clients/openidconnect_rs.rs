//! The `openidconnect` crate as a relying party, from discovery to the last refused token.

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreProviderMetadata};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyAdditionalClaims, IntrospectionUrl,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenIntrospectionResponse,
    TokenResponse, UserInfoClaims,
};

use super::{MACHINE_SCOPE, app};
use crate::harness::*;

type UserInfo = UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>;

/// Fails if metadata is not as OpenID Discovery has it; if the code, PKCE or client authentication is not taken; if the
/// ID token's signature, issuer, audience, nonce, times or `at_hash` is wrong; if userinfo is another person's; if the
/// refresh token is not rotated; if introspection does not know the token; or if a revoked family still answers.
async fn whole_flow(server: &Server, app: Client) {
    let user = User::new(server);
    let issuer = IssuerUrl::new(server.issuer.clone()).expect("an issuer");
    let metadata = CoreProviderMetadata::discover_async(issuer, http()).await.expect("discovery");
    let introspection = IntrospectionUrl::new(server.url("/oauth2/introspect")).expect("a URL");
    let secret = app.secret.clone().map(ClientSecret::new);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(app.id.clone()), secret)
        .set_redirect_uri(RedirectUrl::new(app.redirect.clone()).expect("a URL"))
        .set_introspection_url(introspection);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let browser = Browser::new(server);
    let page = browser.open(url.as_str()).await;
    let page = browser.login(&page, &user).await;
    let back = browser.approve(&page).await.redirect();
    assert_eq!(back.param("state"), Some(state.secret().as_str()));

    let exchange = client.exchange_code(AuthorizationCode::new(back.code())).expect("a token endpoint");
    let tokens = exchange.set_pkce_verifier(verifier).request_async(http()).await.expect("tokens");
    let id_token = tokens.id_token().expect("an ID token");
    let id_verifier = client.id_token_verifier();
    let claims = id_token.claims(&id_verifier, &nonce).expect("claims that hold");
    assert_eq!(claims.subject().as_str(), user.id);
    let (alg, key) =
        (id_token.signing_alg().expect("an algorithm"), id_token.signing_key(&id_verifier).expect("a key"));
    let hash = AccessTokenHash::from_token(tokens.access_token(), alg, key).expect("a hash");
    assert_eq!(claims.access_token_hash(), Some(&hash));

    let subject = Some(claims.subject().clone());
    let told = client.user_info(tokens.access_token().clone(), subject).expect("a userinfo endpoint");
    let told: UserInfo = told.request_async(http()).await.expect("userinfo");
    assert_eq!(told.email().map(|email| email.as_str()), Some(user.email.as_str()));

    let first = tokens.refresh_token().expect("a refresh token");
    let request = client.exchange_refresh_token(first).expect("a token endpoint");
    let refreshed = request.request_async(http()).await.expect("a refresh");
    let second = refreshed.refresh_token().expect("its successor");
    assert_ne!(second.secret(), first.secret(), "rotated");

    if app.secret.is_some() {
        let told = client.introspect(refreshed.access_token()).request_async(http()).await.expect("introspection");
        assert!(told.active());
        assert_eq!(told.client_id().map(|id| id.as_str()), Some(app.id.as_str()));
        let own = client.exchange_client_credentials().expect("a token endpoint");
        let own = own.add_scope(Scope::new(MACHINE_SCOPE.to_owned())).request_async(http()).await.expect("a token");
        assert!(own.refresh_token().is_none() && own.id_token().is_none(), "nothing but an access token");
    }

    // The crate revokes over https alone, so this goes by hand.
    assert_eq!(app.revoke(second.secret()).await.status, 200);
    assert_ig(&app.refresh(second.secret()).await);
    for dead in [tokens.access_token(), refreshed.access_token()] {
        assert_eq!(app.userinfo(dead.secret()).await.status, 401);
        if app.secret.is_some() {
            assert_revoked(&app, dead.secret()).await;
        }
    }
}

async fn whole_flow_confidential(server: Shared) {
    whole_flow(server, app(server)).await;
}

async fn whole_flow_public(server: Shared) {
    whole_flow(server, Client::public(server)).await;
}

both![whole_flow_confidential, whole_flow_public];
