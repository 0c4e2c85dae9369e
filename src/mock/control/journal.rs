//! `/mock/journal`: what was asked, as JSON to assert on and as a page.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::json;

use super::reading::{done, shown};
use crate::app::App;
use crate::mock::answer::refused;
use crate::mock::house::{House, World};
use crate::mock::journal::{EntriesFragment, Entry, EntryView, Filter, Format, JournalPage, SHOWN};
use crate::pages::{policy, render};

/// `GET /mock/journal`
pub async fn get(
    req: HttpRequest,
    house: web::Data<House>,
    world: web::Data<World>,
    app: web::Data<App>,
) -> HttpResponse {
    let filter = match Filter::parse(req.query_string()) {
        Ok(filter) => filter,
        Err(why) => return refused(400, &why),
    };
    let Some(world) = run(&house, world.into_inner(), &filter).await else { return no_run(&filter) };
    let (mut entries, last) = match filter.wait {
        Some(at_most) => world.journal.wait_for(&filter, at_most).await,
        None => world.journal.find(&filter),
    };
    let count = entries.len();
    let format = filter.format.unwrap_or_else(|| wanted(&req));
    let limit = filter.limit.unwrap_or(if format == Format::Json { usize::MAX } else { SHOWN });
    entries.drain(..count.saturating_sub(limit));
    match format {
        Format::Json => shown(&json!({"count": count, "last": last, "entries": entries})),
        Format::Fragment => fragment(entries, last, filter.run),
        Format::Html => {
            let runs = house.known_worlds().await.iter().map(|world| world.run.clone()).collect();
            page(JournalPage {
                layout: render::layout(&app, None),
                prefixes: prefixes(&world),
                runs,
                query: filter.page_query(),
                filter,
                entries: views(entries),
                count,
                last,
                single: None,
            })
        }
    }
}

/// `GET /mock/journal/{sequence}`
pub async fn one(
    req: HttpRequest,
    house: web::Data<House>,
    world: web::Data<World>,
    app: web::Data<App>,
    sequence: web::Path<String>,
) -> HttpResponse {
    let filter = match Filter::parse(req.query_string()) {
        Ok(filter) => filter,
        Err(why) => return refused(400, &why),
    };
    let Some(world) = run(&house, world.into_inner(), &filter).await else { return no_run(&filter) };
    let found = sequence.parse().ok().and_then(|sequence| world.journal.get(sequence));
    let Some(entry) = found else {
        return refused(404, &format!("the journal has no request {sequence}; it keeps the last 1,000"));
    };
    if filter.format.unwrap_or_else(|| wanted(&req)) == Format::Json {
        return shown(&entry);
    }
    page(JournalPage {
        layout: render::layout(&app, None),
        prefixes: Vec::new(),
        runs: Vec::new(),
        query: filter.page_query(),
        filter,
        count: 1,
        last: entry.sequence,
        single: Some(entry.sequence),
        entries: views(vec![entry]),
    })
}

/// `DELETE /mock/journal`
pub async fn clear(world: web::Data<World>) -> HttpResponse {
    world.journal.clear();
    done()
}

/// The world of the run that a browser names in the URL, or of the one that the header names.
async fn run(house: &House, of_header: Arc<World>, filter: &Filter) -> Option<Arc<World>> {
    match &filter.run {
        None => Some(of_header),
        Some(run) => house.known_world(run).await,
    }
}

fn no_run(filter: &Filter) -> HttpResponse {
    refused(404, &format!("there is no run {}", filter.run.as_deref().unwrap_or_default()))
}

/// Browsers say that they take HTML; programs that take anything get JSON.
fn wanted(req: &HttpRequest) -> Format {
    let html = req.headers().get_all(ACCEPT).any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")));
    if html { Format::Html } else { Format::Json }
}

fn prefixes(world: &World) -> Vec<String> {
    world.issuers().into_iter().map(|issuer| issuer.prefix).filter(|prefix| !prefix.is_empty()).collect()
}

fn views(entries: Vec<Arc<Entry>>) -> Vec<EntryView> {
    entries.into_iter().rev().map(EntryView::new).collect()
}

fn page(page: JournalPage) -> HttpResponse {
    match page.render() {
        Ok(html) => render::html(StatusCode::OK, html, Some(policy::playground())),
        Err(error) => refused(500, &error.to_string()),
    }
}

fn fragment(entries: Vec<Arc<Entry>>, last: u64, run: Option<String>) -> HttpResponse {
    match (EntriesFragment { entries: views(entries), single: None, run }).render() {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header(("x-journal-last", last.to_string()))
            .body(html),
        Err(error) => refused(500, &error.to_string()),
    }
}
