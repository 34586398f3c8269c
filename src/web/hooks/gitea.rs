//! Gitea: `X-Gitea-Signature` over the body, or GitHub's header, which it sends too.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    Event, Provider, Push,
    proof::{header, hexadecimal},
    push::{Commits, is_new, text},
};

pub(super) const PROVIDER: Provider = Provider {
    name: "gitea",
    claim: |headers, _, _| {
        let names = [("x-gitea-signature", ""), ("x-hub-signature-256", "sha256=")];
        hexadecimal(headers, &names, Vec::new())
    },
    event: |headers| event(headers, &["x-gitea-event", "x-github-event"]),
    delivery: &["x-gitea-delivery", "x-github-delivery"],
    push,
};

/// Returns what happened, from the first of these headers that is there.
pub(super) fn event(headers: &HeaderMap, names: &[&str]) -> Event {
    match names.iter().find_map(|name| header(headers, name)) {
        // A branch that comes or goes is a push too, and told of twice.
        Some("push" | "create" | "delete") => Event::Push,
        Some("ping") => Event::Ping,
        _ => Event::Other,
    }
}

pub(super) fn push(body: &Value) -> Option<Push> {
    let mut reference = text(&body["ref"])?;
    if let Some(kind) = body["ref_type"].as_str().filter(|_| !reference.starts_with("refs/")) {
        let folder = if kind == "tag" { "tags" } else { "heads" };
        reference = format!("refs/{folder}/{reference}");
    }
    let commits = Commits::read(&body["commits"]);
    let is_whole = |all: &Commits| body["total_commits"] == all.count && !is_new(body);
    let paths = commits.filter(is_whole).map(|all| all.paths);
    Some(Push { references: vec![reference], paths })
}
