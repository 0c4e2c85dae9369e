//! What samples of several pages have in common.

use super::view::{ClientView, Layout};

pub(super) fn layout(dev: bool, signed_in_as: Option<&str>) -> Layout {
    Layout {
        service_name: "Latchway".into(),
        dev,
        mock: false,
        signed_in_as: signed_in_as.map(str::to_owned),
        issuer_host: "id.example".into(),
        help_url: "https://help.example/login".into(),
        support_url: if dev { "javascript:alert(1)".into() } else { "https://help.example/".into() },
        support_email: "support@example.com".into(),
    }
}

pub(super) fn demo() -> ClientView {
    ClientView::new("Demo Notes", None)
}
