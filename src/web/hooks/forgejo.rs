//! Forgejo: as Gitea, under its own name or Gitea's.

use super::{Provider, gitea, proof::hexadecimal};

pub(super) const PROVIDER: Provider = Provider {
    name: "forgejo",
    claim: |headers, _, _| {
        let names = [
            ("x-forgejo-signature", ""),
            ("x-gitea-signature", ""),
            ("x-hub-signature-256", "sha256="),
        ];
        hexadecimal(headers, &names, Vec::new())
    },
    event: |headers| gitea::event(headers, &["x-forgejo-event", "x-gitea-event", "x-github-event"]),
    delivery: &["x-forgejo-delivery", "x-gitea-delivery", "x-github-delivery"],
    push: gitea::push,
};
