//! A device without a browser: it asks, shows a code, and polls.

use super::{Answer, Browser, Client, Spec, User};

/// What a client is registered for that has this grant.
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A device's request, as its app got it.
#[derive(Debug, Clone)]
pub struct Device {
    pub client: Client,
    pub device_code: String,
    pub user_code: String,
    /// `verification_uri_complete`
    pub link: String,
    pub verifier: Option<String>,
}

impl Spec {
    /// An app on a television: public, the device grant and refresh tokens.
    pub fn device() -> Self {
        Self::public().grants(&[DEVICE_GRANT, "refresh_token"])
    }
}

impl Device {
    /// Asks for all that the client may have.
    pub async fn ask(client: &Client) -> Self {
        let scope = client.scope.clone();
        Self::ask_with(client, &[("scope", &scope)]).await
    }

    pub async fn ask_with(client: &Client, params: &[(&str, &str)]) -> Self {
        let answer = client.post("/oauth2/device_authorization", params).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self {
            client: client.clone(),
            device_code: answer.text("device_code"),
            user_code: answer.text("user_code"),
            link: answer.text("verification_uri_complete"),
            verifier: None,
        }
    }

    /// The same device, speaking to another node.
    pub fn at(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    pub async fn poll(&self) -> Answer {
        self.poll_with(&[]).await
    }

    pub async fn poll_with(&self, params: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", DEVICE_GRANT), ("device_code", &*self.device_code)];
        form.extend(self.verifier.as_deref().map(|verifier| ("code_verifier", verifier)));
        self.client.token(&[&form[..], params].concat()).await
    }
}

impl Browser {
    /// Types a code at `/device`. Ends at whatever comes then: the login, the decision or a refusal.
    pub async fn type_code(&self, code: &str) -> Answer {
        let page = self.open("/device").await;
        self.submit(&page.form("/device").with("user_code", code)).await
    }

    /// As [`Browser::type_code`], through the login if there is one, up to the page that asks for the decision.
    pub async fn device_page(&self, user: &User, device: &Device) -> Answer {
        let mut page = self.type_code(&device.user_code).await;
        if page.has_form("/login") {
            page = self.login(&page, user).await;
        }
        assert!(page.has_form("/device/decision"), "a page that asks: {page:?}");
        page
    }

    /// Presses a button of that page.
    pub async fn decide(&self, page: &Answer, decision: &str) -> Answer {
        self.post(&page.form("/device/decision").press("decision", decision)).await
    }

    /// The whole way to a device that was allowed what it asked for.
    pub async fn allow(&self, user: &User, device: &Device) {
        let page = self.device_page(user, device).await;
        let done = self.decide(&page, "approve").await;
        assert_eq!(done.status, 200, "{done:?}");
        assert!(done.words().contains("Your device is connected"), "{done:?}");
    }
}
