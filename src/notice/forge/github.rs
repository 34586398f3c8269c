//! GitHub, and GitHub Enterprise Server.

use serde_json::{Value, json};

use super::{Fate, Forge};
use crate::sync::{CommitId, CommitState};

pub(super) const FORGE: Forge = Forge {
    word: "github",
    name: "GitHub",
    hosts: &["github.com"],
    prefixes: &["github"],
    api,
    path,
    headers,
    body,
    description: 140,
    scope: "`repo:status`, or writing commit statuses,",
    repeated: None,
};

fn api(pages: &str) -> String {
    match pages {
        "https://github.com" => "https://api.github.com".to_owned(),
        server => format!("{server}/api/v3"),
    }
}

fn path(repository: &str, commit: &CommitId) -> String {
    format!("/repos/{repository}/statuses/{commit}")
}

fn headers(token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("accept", "application/vnd.github+json".to_owned()),
        ("authorization", format!("Bearer {token}")),
        ("x-github-api-version", "2022-11-28".to_owned()),
    ]
}

fn body(fate: &Fate<'_>) -> Value {
    let word = match fate.state {
        CommitState::Pending => "pending",
        CommitState::Success => "success",
        CommitState::Failure => "failure",
    };
    let mut body = json!({
        "state": word, "context": fate.context, "description": fate.description,
    });
    if let Some(target) = fate.target {
        body["target_url"] = target.into();
    }
    body
}
