//! GitLab.

use serde_json::{Value, json};

use super::{Fate, Forge};
use crate::sync::{CommitId, CommitState};

pub(super) const FORGE: Forge = Forge {
    word: "gitlab",
    name: "GitLab",
    hosts: &["gitlab.com"],
    prefixes: &["gitlab"],
    api: |pages| format!("{pages}/api/v4"),
    path,
    headers: |token| vec![("private-token", token.to_owned())],
    body,
    description: 255,
    scope: "`api`, with the role of a developer,",
    // A state that a commit has already is refused.
    repeated: Some("Cannot transition status"),
};

/// The repository with its groups is one word there.
fn path(repository: &str, commit: &CommitId) -> String {
    format!("/projects/{}/statuses/{commit}", repository.replace('/', "%2F"))
}

fn body(fate: &Fate<'_>) -> Value {
    let word = match fate.state {
        CommitState::Pending => "pending",
        CommitState::Success => "success",
        CommitState::Failure => "failed",
    };
    let mut body = json!({
        "state": word, "name": fate.context, "description": fate.description,
    });
    if let Some(target) = fate.target {
        body["target_url"] = target.into();
    }
    body
}
