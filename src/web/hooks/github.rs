//! GitHub: `X-Hub-Signature-256` over the body.

use serde_json::Value;

use super::{
    Event, Provider, Push,
    proof::{header, hexadecimal},
    push::{Commits, text},
};

/// So many commits are sent at most; with as many nobody knows what the others touched.
const MOST_COMMITS: usize = 20;

pub(super) const PROVIDER: Provider = Provider {
    name: "github",
    claim: |headers, _, _| hexadecimal(headers, &[("x-hub-signature-256", "sha256=")], Vec::new()),
    event: |headers| match header(headers, "x-github-event") {
        Some("push") => Event::Push,
        Some("ping") => Event::Ping,
        _ => Event::Other,
    },
    delivery: &["x-github-delivery"],
    push,
};

fn push(body: &Value) -> Option<Push> {
    let is_straight = body["forced"] == false && body["created"] == false;
    let commits = Commits::read(&body["commits"]);
    let paths = commits.filter(|all| is_straight && all.count < MOST_COMMITS).map(|all| all.paths);
    Some(Push { references: vec![text(&body["ref"])?], paths })
}
