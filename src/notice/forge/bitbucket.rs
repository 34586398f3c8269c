//! Bitbucket Cloud.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Fate, Forge};
use crate::{
    model::Digest,
    sync::{CommitId, CommitState},
};

/// The longest key it takes.
const KEY: usize = 40;

pub(super) const FORGE: Forge = Forge {
    word: "bitbucket",
    name: "Bitbucket",
    hosts: &["bitbucket.org"],
    prefixes: &["bitbucket"],
    api: |_| "https://api.bitbucket.org/2.0".to_owned(),
    path,
    headers,
    body,
    description: 255,
    scope: "`repository:write`",
    repeated: None,
};

fn path(repository: &str, commit: &CommitId) -> String {
    format!("/repositories/{repository}/commit/{commit}/statuses/build")
}

/// Tokens of repositories and workspaces stand alone; those of persons come as `USER:TOKEN`.
fn headers(token: &str) -> Vec<(&'static str, String)> {
    let value = if token.contains(':') {
        format!("Basic {}", STANDARD.encode(token))
    } else {
        format!("Bearer {token}")
    };
    vec![("authorization", value)]
}

fn body(fate: &Fate<'_>) -> Value {
    let word = match fate.state {
        CommitState::Pending => "INPROGRESS",
        CommitState::Success => "SUCCESSFUL",
        CommitState::Failure => "FAILED",
    };
    let key = match fate.context {
        short if short.len() <= KEY => short.to_owned(),
        long => Digest::of(long.as_bytes()).as_str()[..KEY].to_owned(),
    };
    // It insists on an address; the commit's own page is one that is always there.
    let page = || format!("https://bitbucket.org/{}/commits/{}", fate.repository, fate.commit);
    let target = fate.target.map_or_else(page, str::to_owned);
    json!({
        "key": key, "state": word, "name": fate.context, "url": target,
        "description": fate.description,
    })
}
