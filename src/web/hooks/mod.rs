//! Webhooks: a repository says that something was pushed, and the loop looks at once instead of at its next poll.
//!
//! A delivery decides nothing. It is believed when its sender proved that they know the secret, and then all that
//! comes of it is a [`Request::Look`](crate::controller::watch::Request::Look): what is to be brought about, the loop
//! reads from the repository itself. Losing one costs the time to the next poll, so every doubt is settled by
//! refusing (who it is from) or by looking (what it is about).
//!
//! | step | what does not pass |
//! | --- | --- |
//! | the provider is known and a secret is set for it | 404 |
//! | not too many requests in all, nor too many wrong ones from this provider's road | 429, `Retry-After` |
//! | the headers carry a proof that could hold | 401, no body is read |
//! | `application/json` | 415 |
//! | at most 25 MiB | 413 |
//! | the proof holds over every byte, compared in constant time | 401 |
//! | not taken already, by its id or its signature | 200, nothing is started |
//! | a push; a ping is answered | 202 `ignored`, 200 |
//! | a branch and a path that are followed | 202 `ignored` |
//!
//! Bodies are checked while they arrive and kept up to 1 MiB. GitHub sends up to 25 MiB: a longer one that proves
//! right is taken without its branch and paths being read.

mod bitbucket;
mod forgejo;
mod generic;
mod gitea;
mod github;
mod gitlab;
mod pattern;
mod proof;
mod provider;
mod push;
mod receive;
mod replay;

pub use proof::{Checker, Claim, Keys, Proven, Refusal};
pub use provider::{Event, PROVIDERS, Provider, provider};
pub use push::{Follows, Push};
pub use replay::Replay;

pub(super) use receive::{Desk, receive};

use std::collections::BTreeMap;

use crate::model::Sensitive;

/// The secrets that senders prove to know, by provider. Without one a provider's road is closed.
#[derive(Default)]
pub struct Hooks(BTreeMap<&'static str, Keys>);

/// A word that is no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "webhooks of `{0}` are not known: github, gitlab, gitea, forgejo, bitbucket and generic are"
)]
pub struct UnknownProvider(pub String);

impl Hooks {
    /// Adds a secret for a provider, which is named as in its address `/hooks/NAME`. Each of several is good, so
    /// that one can be changed without a gap. An empty one is not added: it would prove nothing.
    ///
    /// # Errors
    /// [`UnknownProvider`].
    pub fn with(mut self, name: &str, secret: Sensitive) -> Result<Self, UnknownProvider> {
        let provider = provider(name).ok_or_else(|| UnknownProvider(name.to_owned()))?;
        self.0.entry(provider.name).or_default().add(secret);
        Ok(self)
    }

    /// Returns what is good for a provider; nothing where no secret is set.
    fn keys(&self, provider: &Provider) -> Option<&Keys> {
        self.0.get(provider.name).filter(|keys| !keys.is_empty())
    }
}
