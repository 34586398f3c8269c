//! Everybody else: a script, a build server, a registry.
//!
//! ```text
//! at=$(date +%s); body='{"ref":"refs/heads/main"}'
//! sum=$(printf %s "$at.$body" | openssl dgst -sha256 -hmac "$SECRET" -hex | sed 's/.* //')
//! curl -H "X-Nself-Timestamp: $at" -H "X-Nself-Signature-256: sha256=$sum" \
//!      -H "Content-Type: application/json" --data "$body" http://127.0.0.1:8617/hooks/generic
//! ```
//!
//! `ref` and `paths` may be left out: then everything that is followed is looked at.

use serde_json::Value;

use super::{
    Event, Provider, Push, Refusal,
    proof::{fresh, header, hexadecimal},
    push::text,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "generic",
    claim: |headers, _, now| {
        let at = header(headers, "x-nself-timestamp").ok_or(Refusal::Unsigned)?;
        fresh(at, now)?;
        let before = format!("{at}.").into_bytes();
        hexadecimal(headers, &[("x-nself-signature-256", "sha256=")], before)
    },
    event: |headers| match header(headers, "x-nself-event") {
        None | Some("push") => Event::Push,
        Some("ping") => Event::Ping,
        _ => Event::Other,
    },
    delivery: &["x-nself-delivery"],
    push,
};

fn push(body: &Value) -> Option<Push> {
    let body = body.as_object()?;
    let references = match body.get("ref") {
        Some(one) => vec![text(one)?],
        None => return Some(Push::anything()),
    };
    let paths = match body.get("paths") {
        Some(Value::Array(paths)) => Some(paths.iter().map(text).collect::<Option<_>>()?),
        Some(_) => return None,
        None => None,
    };
    Some(Push { references, paths })
}
