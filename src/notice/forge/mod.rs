//! Telling a repository how its commits fare. One file a forge.

mod bitbucket;
mod gitea;
mod github;
mod gitlab;
mod place;

pub use place::{Kind, Place, Unknown};

use hyper::header::HeaderValue;
use serde_json::Value;

use super::{
    Error, Invalid, Pace, Trust,
    error::{Fault, cut},
    http::{Address, Client, Post, secret_header},
    trust::NO_AUTHORITIES,
};
use crate::{
    model::{Keyring, Sensitive},
    sync::{CommitId, CommitState},
};

/// What is known of one forge.
struct Forge {
    /// As people write it.
    word: &'static str,
    /// As people read it.
    name: &'static str,
    /// The hosts that are known to be one.
    hosts: &'static [&'static str],
    /// The first word of host names that are likely one.
    prefixes: &'static [&'static str],
    /// Returns the address of the API, given the one of the pages.
    api: fn(&str) -> String,
    /// Returns the path below the API, given the repository and the commit.
    path: fn(&str, &CommitId) -> String,
    /// Returns the headers, given the token.
    headers: fn(&str) -> Vec<(&'static str, String)>,
    /// Returns what is posted.
    body: fn(&Fate<'_>) -> Value,
    /// The longest description it takes, in characters.
    description: usize,
    /// What the token must allow, in the forge's words.
    scope: &'static str,
    /// What it answers when it was told the same before.
    repeated: Option<&'static str>,
}

/// How a commit fares, and all that a forge is told with it.
struct Fate<'a> {
    commit: &'a CommitId,
    state: CommitState,
    description: &'a str,
    context: &'a str,
    /// Where there is more to read.
    target: Option<&'a str>,
    /// The repository.
    repository: &'a str,
}

/// How a commit fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) commit: CommitId,
    pub(super) state: CommitState,
    pub(super) description: String,
}

/// What writes the states of commits.
#[derive(Debug)]
pub struct Statuses {
    place: Place,
    api: Address,
    token: Sensitive,
    /// By what name our states go: each project has its own, so that several can run one commit.
    context: String,
    target: Option<String>,
    client: Client,
    name: String,
    secrets: Keyring,
}

impl Statuses {
    /// Reads where states are written. `target` is the address of the status page, where people can reach one.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn new(
        place: Place,
        token: Sensitive,
        project: &str,
        target: Option<String>,
        trust: &Trust,
        pace: Pace,
    ) -> Result<Self, Invalid> {
        let receiver = place.to_string();
        let invalid = |why: &str, remedy: String| Invalid {
            receiver: receiver.clone(),
            why: why.to_owned(),
            remedy,
        };
        let api = Address::read(&place.api)
            .map_err(|error| invalid(error.why, error.remedy.to_owned()))?;
        let client = Client::new(trust, pace.patience, [&api])
            .map_err(|why| invalid(&why, NO_AUTHORITIES.to_owned()))?;
        if secret_header(token.expose()).is_none() || token.expose().trim().is_empty() {
            let why = "its token is empty, or has a line break or another control character in it";
            return Err(invalid(why, "set it again".to_owned()));
        }
        Ok(Self {
            api,
            client,
            context: format!("nself/{project}"),
            target,
            name: receiver,
            secrets: Keyring::default().knowing([token.clone()]),
            token,
            place,
        })
    }

    /// Returns where states are written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Writes how a commit fares, with one try.
    pub(super) async fn write(&self, report: &Report) -> Result<(), Error> {
        let forge = self.place.kind.forge();
        let description = cut(&line_of(&report.description), forge.description);
        let fate = Fate {
            commit: &report.commit,
            state: report.state,
            description: &description,
            context: &self.context,
            target: self.target.as_deref(),
            repository: &self.place.repository,
        };
        let address = self.api.below(&(forge.path)(&self.place.repository, &report.commit));
        let mut headers: Vec<(&'static str, HeaderValue)> = Vec::new();
        for (name, value) in (forge.headers)(self.token.expose()) {
            headers.extend(secret_header(&value).map(|value| (name, value)));
        }
        let body = (forge.body)(&fate).to_string().into_bytes();
        let done = self.client.post(Post { address: &address, headers, body }).await;
        match done {
            Err(fault) if forge.repeated.is_some_and(|words| fault.why.contains(words)) => Ok(()),
            done => {
                done.map_err(|fault| self.explain(fault, forge).about(&self.name, &self.secrets))
            }
        }
    }

    fn explain(&self, fault: Fault, forge: &Forge) -> Fault {
        let refused = ["401", "403", "404"].map(|code| format!("it answers {code} "));
        if !refused.iter().any(|start| fault.why.starts_with(start)) {
            return fault;
        }
        let remedy = format!("the token must allow {} for {}", forge.scope, self.place.repository);
        Fault { remedy: fault.remedy.or(Some(remedy)), ..fault }
    }
}

/// Returns a description in one line; what is too long is cut by the forge's limit.
fn line_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
