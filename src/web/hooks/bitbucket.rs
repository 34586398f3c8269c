//! Bitbucket, Cloud and Data Center: `X-Hub-Signature` over the body. Neither tells which files were touched.

use serde_json::Value;

use super::{
    Event, Provider, Push,
    proof::{header, hexadecimal},
    push::text,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "bitbucket",
    claim: |headers, _, _| hexadecimal(headers, &[("x-hub-signature", "sha256=")], Vec::new()),
    event: |headers| match header(headers, "x-event-key") {
        Some("repo:push" | "repo:refs_changed") => Event::Push,
        Some("diagnostics:ping") => Event::Ping,
        _ => Event::Other,
    },
    delivery: &["x-request-uuid", "x-request-id"],
    push,
};

fn push(body: &Value) -> Option<Push> {
    let cloud = body["push"]["changes"].as_array();
    let references = if let Some(changes) = cloud {
        changes.iter().map(of_cloud).collect::<Option<_>>()?
    } else {
        let changes = body["changes"].as_array()?;
        changes.iter().map(|change| text(&change["ref"]["id"])).collect::<Option<_>>()?
    };
    Some(Push { references, paths: None })
}

/// Returns the reference that a change of Bitbucket Cloud is about; of one that goes, the old side says it.
fn of_cloud(change: &Value) -> Option<String> {
    let side = if change["new"].is_null() { &change["old"] } else { &change["new"] };
    let folder = if side["type"] == "tag" { "tags" } else { "heads" };
    Some(format!("refs/{folder}/{}", text(&side["name"])?))
}
