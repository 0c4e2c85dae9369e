//! `GET /mock`: what this mock is.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Value, json};

use super::house::{House, World};
use super::{answer, control};
use crate::app::App;
use crate::pages::render;
use crate::pages::view::{Layout, Name};

/// The page for people.
#[derive(Template, Debug)]
#[template(path = "mock/about.html")]
struct AboutPage {
    layout: Layout,
    base: String,
    run: String,
    seed: u64,
    audience: String,
    issuers: Vec<IssuerView>,
    routes: Vec<String>,
    /// What in the documents was left out.
    remarks: Vec<String>,
    /// For the example: somebody who is there.
    someone: String,
}

#[derive(Debug)]
struct IssuerView {
    url: String,
    /// The same from the root of the host.
    path: String,
    personas: Vec<PersonaView>,
}

#[derive(Debug)]
struct PersonaView {
    username: String,
    name: Name,
    about: Name,
    sub: String,
}

/// `GET /mock`: a page for browsers, JSON for programs.
pub async fn about(
    house: web::Data<House>,
    world: web::Data<World>,
    app: web::Data<App>,
    req: HttpRequest,
) -> HttpResponse {
    let mut accepted = req.headers().get_all(ACCEPT);
    if !accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("text/html"))) {
        return HttpResponse::Ok().json(description(&house, &world));
    }
    match page(&house, &world, &app).render() {
        Ok(html) => render::html(StatusCode::OK, html, None),
        Err(error) => answer::refused(500, &error.to_string()),
    }
}

fn page(house: &House, world: &World, app: &App) -> AboutPage {
    // The page shows what works under the name that it was asked by.
    let base = url::Url::parse(app.issuer())
        .map_or_else(|_| house.base.clone(), |issuer| issuer.origin().ascii_serialization());
    let issuers = world.issuers().into_iter().map(|issuer| {
        let personas = issuer.app.personas.iter().map(|persona| PersonaView {
            username: persona.username.clone(),
            name: persona.name.as_str().into(),
            about: persona.about.as_str().into(),
            sub: persona.user_id.to_string(),
        });
        let path = issuer.app.issuer()[house.base.len()..].to_owned();
        IssuerView { url: format!("{base}{path}"), path, personas: personas.collect() }
    });
    AboutPage {
        layout: render::layout(app, None),
        issuers: issuers.collect(),
        audience: house.settings.audience(&base),
        base,
        run: world.run.clone(),
        seed: house.settings.seed,
        routes: house.api.routes(),
        remarks: house.api.remarks().to_vec(),
        someone: app.personas.first().map_or_else(|| "alice".to_owned(), |persona| persona.username.clone()),
    }
}

/// What there is, for machines.
pub fn description(house: &House, world: &World) -> Value {
    let issuers = world.issuers().into_iter().map(|issuer| {
        let personas = issuer.app.personas.iter().map(|persona| {
            json!({"username": persona.username, "name": persona.name, "role": persona.about, "sub": persona.user_id})
        });
        json!({"issuer": issuer.app.issuer(), "personas": personas.collect::<Vec<_>>()})
    });
    let control = control::ABOUT.iter().filter_map(|(path, about)| {
        let route = control::ROUTES.iter().find(|route| route.path == *path)?;
        Some(json!({"methods": route.methods(), "path": path, "about": about}))
    });
    json!({
        "base": house.base,
        "run": world.run,
        "seed": house.settings.seed,
        "audience": house.settings.audience(&house.base),
        "routes": house.api.routes(),
        "remarks": house.api.remarks(),
        "issuers": issuers.collect::<Vec<_>>(),
        "control": control.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::page_rules::{HOSTILE, assert_safe};

    #[test]
    fn the_page_is_safe_in_its_states() {
        let persona = |text: &str| PersonaView {
            username: text.into(),
            name: text.into(),
            about: text.into(),
            sub: "01986e5e".into(),
        };
        let page = |text: &str, routes: Vec<String>| AboutPage {
            layout: Layout { service_name: "Latchway mock".into(), mock: true, ..Layout::default() },
            base: "http://127.0.0.1:8080".into(),
            run: text.into(),
            seed: 1,
            audience: text.into(),
            issuers: vec![IssuerView {
                url: "http://127.0.0.1:8080".into(),
                path: String::new(),
                personas: vec![persona(text)],
            }],
            remarks: routes.clone(),
            routes,
            someone: text.into(),
        };
        let pages = [
            ("mock-about", page("alice", Vec::new())),
            ("mock-about-hostile", page(HOSTILE, vec!["GET /orders".into(), HOSTILE.into()])),
        ];
        let rendered: Vec<_> = pages.iter().map(|(name, page)| (*name, page.render().expect("a page"))).collect();
        assert_safe(&rendered);
    }
}
