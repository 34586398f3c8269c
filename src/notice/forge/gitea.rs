//! Gitea and Forgejo.

use serde_json::{Value, json};

use super::{Fate, Forge};
use crate::sync::{CommitId, CommitState};

pub(super) const FORGE: Forge = Forge {
    word: "gitea",
    name: "Gitea",
    hosts: &["gitea.com", "codeberg.org"],
    prefixes: &["gitea", "forgejo"],
    api: |pages| format!("{pages}/api/v1"),
    path,
    headers: |token| vec![("authorization", format!("token {token}"))],
    body,
    description: 255,
    scope: "`write:repository`",
    repeated: None,
};

fn path(repository: &str, commit: &CommitId) -> String {
    format!("/repos/{repository}/statuses/{commit}")
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
