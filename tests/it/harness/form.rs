//! A form in a page, as a person fills it in.

use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::Answer;

#[derive(Debug, Clone)]
pub struct Form {
    pub action: Url,
    /// `Referrer-Policy` of its page decides what `Origin` a browser sends with it.
    pub no_referrer: bool,
    fields: Vec<(String, String)>,
    buttons: Vec<(String, String)>,
}

impl Answer {
    /// All forms that POST.
    pub fn forms(&self) -> Vec<Form> {
        let html = Html::parse_document(&self.body);
        let no_referrer = self.header_or_empty("referrer-policy") == "no-referrer";
        html.select(&css("form"))
            .filter(|form| form.attr("method").is_some_and(|method| method.eq_ignore_ascii_case("post")))
            .map(|form| read(self, form, no_referrer))
            .collect()
    }

    /// The only form that posts to this path.
    #[track_caller]
    pub fn form(&self, path: &str) -> Form {
        let mut forms: Vec<Form> = self.forms().into_iter().filter(|form| form.action.path() == path).collect();
        assert_eq!(forms.len(), 1, "one form that posts to {path}, in {self:?}");
        forms.remove(0)
    }

    pub fn has_form(&self, path: &str) -> bool {
        self.forms().iter().any(|form| form.action.path() == path)
    }

    /// What a person reads: the text without tags, with single spaces.
    pub fn words(&self) -> String {
        let html = Html::parse_document(&self.body);
        let body: Vec<&str> = html.select(&css("body")).flat_map(|body| body.text()).collect();
        body.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The text of each element that a selector finds, with single blanks.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let html = Html::parse_document(&self.body);
        let text = |element: ElementRef<'_>| element.text().collect::<String>();
        html.select(&css(selector)).map(|e| text(e).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// The elements that a selector finds, each as its HTML.
    pub fn select(&self, selector: &str) -> Vec<String> {
        Html::parse_document(&self.body).select(&css(selector)).map(|element| element.html()).collect()
    }
}

impl Form {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets a field, whether the page has it or not.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Presses a button; panics if the page has none of that name and value.
    #[track_caller]
    pub fn press(self, name: &str, value: &str) -> Self {
        let pair = (name.to_owned(), value.to_owned());
        assert!(self.buttons.contains(&pair), "no button {name}={value} among {:?}", self.buttons);
        self.with(name, value)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(key, _)| key != name);
        self
    }

    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }
}

/// What is asked about before it is done. Tests press the button of the question, unless they take `confirmed` out again.
const CONFIRMED: [&str; 3] = ["/account/revoke", "/account/sessions/revoke-others", "/account/api-keys/revoke"];

fn css(selector: &str) -> Selector {
    Selector::parse(selector).expect("a CSS selector")
}

fn read(page: &Answer, form: ElementRef<'_>, no_referrer: bool) -> Form {
    let action = page.url.join(form.attr("action").unwrap_or("")).expect("the address a form posts to");
    let (mut fields, mut buttons) = (Vec::new(), Vec::new());
    for input in form.select(&css("input, button")) {
        let Some(name) = input.attr("name") else { continue };
        let pair = (name.to_owned(), input.attr("value").unwrap_or_default().to_owned());
        let kind = input.attr("type").unwrap_or(if input.value().name() == "button" { "submit" } else { "text" });
        match kind {
            "submit" => buttons.push(pair),
            "checkbox" | "radio" if input.attr("checked").is_none() => {}
            _ => fields.push(pair),
        }
    }
    if CONFIRMED.contains(&action.path()) && !fields.iter().any(|(name, _)| name == "confirmed") {
        fields.push(("confirmed".to_owned(), "yes".to_owned()));
    }
    Form { action, no_referrer, fields, buttons }
}
