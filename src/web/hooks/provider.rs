//! Who sends webhooks, as a table.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    Claim, Keys, Push, Refusal, bitbucket, forgejo, generic, gitea, github, gitlab, proof::header,
};

/// A sender of webhooks. All that is particular to one stands in its own file.
#[derive(Debug)]
pub struct Provider {
    /// Its name, in the address `/hooks/NAME`.
    pub name: &'static str,
    /// Reads the proof from the headers, given what is known and the time in milliseconds since 1970.
    pub(super) claim: fn(&HeaderMap, &Keys, u64) -> Result<Claim, Refusal>,
    /// Reads what happened from the headers.
    pub(super) event: fn(&HeaderMap) -> Event,
    /// Where the id of the delivery stands; the first that is there counts.
    pub(super) delivery: &'static [&'static str],
    /// Reads what was pushed; nothing where the body is not what this provider sends.
    pub(super) push: fn(&Value) -> Option<Push>,
}

/// What a delivery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Something was pushed.
    Push,
    /// Somebody tries whether deliveries arrive.
    Ping,
    /// Something that changes nothing for us.
    Other,
}

/// All of them.
pub const PROVIDERS: &[Provider] = &[
    github::PROVIDER,
    gitlab::PROVIDER,
    gitea::PROVIDER,
    forgejo::PROVIDER,
    bitbucket::PROVIDER,
    generic::PROVIDER,
];

/// Returns the provider of this name.
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

impl Provider {
    /// Begins to check a delivery.
    ///
    /// # Errors
    /// [`Refusal`] when its headers alone show that it proves nothing.
    pub fn check(
        &self,
        headers: &HeaderMap,
        keys: &Keys,
        now: u64,
    ) -> Result<super::Checker, Refusal> {
        let claim = (self.claim)(headers, keys, now)?;
        Ok(super::Checker::new(claim, keys))
    }

    /// Returns what a delivery is about.
    pub fn event(&self, headers: &HeaderMap) -> Event {
        (self.event)(headers)
    }

    /// Returns the id of a delivery, where it has one.
    pub fn delivery<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.delivery.iter().find_map(|name| header(headers, name))
    }

    /// Returns what was pushed; nothing where the body is not what this provider sends.
    pub fn push(&self, body: &Value) -> Option<Push> {
        (self.push)(body)
    }
}
