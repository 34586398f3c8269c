//! GitLab: `X-Gitlab-Token`, which is the secret itself; or, with a signing token (`whsec_…`), `webhook-signature`
//! over id, time and body.
//!
//! A signing token is never accepted as a plain one, and where one is set a delivery that carries a signature
//! stands and falls with it.

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Claim, Event, Keys, Provider, Push, Refusal,
    proof::{fresh, header},
    push::{Commits, is_new, text},
};

pub(super) const PROVIDER: Provider = Provider {
    name: "gitlab",
    claim,
    event: |headers| match header(headers, "x-gitlab-event") {
        Some("Push Hook" | "Tag Push Hook" | "System Hook") => Event::Push,
        _ => Event::Other,
    },
    delivery: &["webhook-id", "x-gitlab-event-uuid", "idempotency-key"],
    push,
};

fn claim(headers: &HeaderMap, keys: &Keys, now: u64) -> Result<Claim, Refusal> {
    if headers.contains_key("webhook-signature") && keys.has_signing() {
        let get = |name| header(headers, name).ok_or(Refusal::Malformed);
        let (id, at) = (get("webhook-id")?, get("webhook-timestamp")?);
        fresh(at, now)?;
        let signatures = get("webhook-signature")?.split(' ');
        let tags = signatures.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        // A sender that changes its key signs with both; more than a few are no sender's.
        let tags: Vec<_> = tags.filter(|tag| tag.len() == 32).take(4).collect();
        let before = format!("{id}.{at}.").into_bytes();
        return if tags.is_empty() {
            Err(Refusal::Malformed)
        } else {
            Ok(Claim::Signatures { before, tags })
        };
    }
    let token = header(headers, "x-gitlab-token").ok_or(Refusal::Unsigned)?;
    Ok(Claim::Token(token.as_bytes().to_vec()))
}

fn push(body: &Value) -> Option<Push> {
    body.as_object()?;
    // A system hook tells of much else in the same form.
    let is_push = match &body["event_name"] {
        Value::String(name) => name == "push" || name == "tag_push",
        _ => body["object_kind"] == "push" || body["object_kind"] == "tag_push",
    };
    if !is_push {
        return Some(Push::default());
    }
    let commits = Commits::read(&body["commits"]);
    let is_whole = |all: &Commits| body["total_commits_count"] == all.count && !is_new(body);
    let paths = commits.filter(is_whole).map(|all| all.paths);
    Some(Push { references: vec![text(&body["ref"])?], paths })
}
