//! The page: complete without a script, kept up to date with one.
//!
//! Style and script stand in the page, under a number that is new each time: nothing else may run in it, nothing
//! is loaded from elsewhere, and nothing in it can be sent anywhere.

mod html;
mod moment;
mod part;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use rand::{RngExt as _, distr::Alphanumeric};

use crate::sync::{Status, Sync};
use html::Html;

pub(super) use moment::path;

/// A project's name and how it is.
pub type Named = (String, Arc<Status>);

const STYLE: &str = include_str!("status.css");
const SCRIPT: &str = include_str!("status.js");

/// Answers with the page of a project, or with the list of all where none is named. `root` leads from the page to
/// where the list is.
pub(super) fn page(shown: Option<&Named>, all: &[Named], root: &'static str, now: u64) -> Response {
    let nonce: String = rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect();
    let mut response = Response::new(Body::from(whole(shown, all, root, now, &nonce)));
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns the whole page.
pub fn whole(
    shown: Option<&Named>,
    all: &[Named],
    root: &'static str,
    now: u64,
    nonce: &str,
) -> String {
    let mut page = Html::default();
    page.tag("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.tag("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.tag("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.tag("<link rel=\"icon\" href=\"data:,\">\n<title>");
    match shown {
        Some((_, status)) => {
            page.text(&format!("{} · {}", part::name(status), status.sync.words()))
        }
        None => page.tag("nself watch"),
    };
    page.tag("</title>\n<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n");
    page.tag("<style nonce=\"")
        .text(nonce)
        .tag("\">\n")
        .tag(STYLE)
        .tag("</style>\n</head>\n<body>\n");
    if all.len() > 1 || shown.is_none() {
        projects(&mut page, all, root, shown);
    }
    page.tag("<main>\n");
    match shown {
        Some((_, status)) => page.piece(&part::parts(status, now)),
        None => page.tag("<h1>Projects</h1>\n<p>Choose one above.</p>\n"),
    };
    page.tag("</main>\n");
    if shown.is_some() {
        page.tag("<p class=\"live\"><span id=\"live\" role=\"status\" aria-live=\"polite\"></span></p>\n");
        page.tag("<p class=\"foot\"><a href=\"api/status\">as JSON</a> · <a href=\"");
        page.tag(root).tag("metrics\">metrics</a></p>\n");
        page.tag("<script nonce=\"").text(nonce).tag("\">\n").tag(SCRIPT).tag("</script>\n");
    }
    page.tag("</body>\n</html>\n");
    page.into_string()
}

/// Returns what changes of the page.
pub fn body(status: &Status, now: u64) -> String {
    part::parts(status, now).into_string()
}

fn projects(page: &mut Html, all: &[Named], root: &'static str, shown: Option<&Named>) {
    page.tag("<nav aria-label=\"projects\"><ul>\n");
    for (name, status) in all {
        let is_here = shown.is_some_and(|(shown, _)| shown == name);
        page.tag("<li><a href=\"").tag(root).tag("p/").text(&moment::path(name)).tag("/status\"");
        page.tag(if is_here { " aria-current=\"page\">" } else { ">" });
        page.text(name).tag("</a> <span class=\"quiet\">");
        page.tag(mark(status.sync)).tag(" ").text(status.sync.words()).tag("</span></li>\n");
    }
    page.tag("</ul></nav>\n");
}

/// Returns a sign that stands beside the words, for those who look for shapes.
fn mark(sync: Sync) -> &'static str {
    match sync {
        Sync::Unknown => "?",
        Sync::InSync => "✓",
        Sync::LastGood => "↩",
        Sync::OutOfSync => "≠",
    }
}
