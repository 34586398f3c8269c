//! The entries. They are a wire format: what was written once stays readable.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Digest;

/// An apply that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The project's id.
    pub project: String,
    /// The environment, if it lives beside others.
    pub instance: Option<String>,
    /// The engine's own id.
    pub engine: String,
    /// The generation it makes.
    pub generation: u64,
    /// What was asked for.
    pub command: Command,
    /// The user.
    pub user: String,
    /// The host the user was on.
    pub host: String,
    /// The version of nself.
    pub nself: String,
    /// The apply whose configuration this brings back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_to: Option<Return>,
    /// The commit it brings about, such as `main@3f9c21d: a subject`, where one was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What it was made from.
    pub configuration: Configuration,
    /// The fingerprint of each secret.
    pub secrets: BTreeMap<String, String>,
    /// What differed.
    pub changes: Vec<ChangeEntry>,
}

/// An earlier apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// The number of the entry that began it.
    pub entry: i64,
    /// The generation it made.
    pub generation: u64,
}

/// What a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// All as the file says.
    Apply,
    /// The same, with stopped services started.
    Start,
    /// Services stopped.
    Stop,
    /// Services stopped and started.
    Restart,
    /// All gone.
    Destroy,
    /// All as it was.
    Rollback,
    /// What nothing uses gone.
    Clean,
    /// What is there taken as ours.
    Adopt,
}

/// What an apply was made from: enough to make the same from it once more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Configuration {
    /// The main file.
    pub main: Text,
    /// The overlay file, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Text>,
    /// The environment chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The variables of the shell that the file declares, as far as they were set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The digest of each build folder, by service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, String>,
    /// Certificates that builds are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<Text>,
}

/// A text that is kept once however often it is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Text {
    /// What it is called.
    pub name: String,
    /// The digest of what it reads as.
    pub digest: String,
    /// What it reads as. Kept beside the entries, not in them.
    #[serde(skip)]
    pub text: String,
}

/// A resource that differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeEntry {
    /// The resource.
    pub id: String,
    /// What was to be done, in one word such as `recreate`.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The fields that differed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldEntry>,
}

/// A field that differed, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldEntry {
    /// Which.
    pub path: String,
    /// How it was, as `diff::Shown::to_text` writes it.
    pub before: String,
    /// How it was to be, likewise.
    pub after: String,
    /// Who moved it.
    pub mover: String,
}

/// How an apply ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The generation that stands after it.
    pub generation: u64,
    /// How.
    pub found: Found,
    /// What came of each step.
    pub steps: Vec<StepEntry>,
    /// How long each container was away, in milliseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub away: BTreeMap<String, u64>,
}

/// How an apply ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// All is as it should be.
    Done,
    /// All else is done, and something is held or blocked.
    Held,
    /// Something failed.
    Failed,
    /// The person stopped it, or it did not settle.
    Interrupted,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepEntry {
    /// The resource it was for.
    pub id: String,
    /// What it did.
    pub what: String,
    /// What came of it.
    pub ran: Ran,
    /// Why it failed: what was attempted, then each cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ran {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Not begun.
    Skipped,
}

impl Text {
    /// Returns a text under its name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let digest = Digest::of(text.as_bytes()).as_str().to_owned();
        Self { name: name.into(), digest, text }
    }
}

impl Configuration {
    /// Returns the texts in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.main).chain(&self.overlay).chain(&self.ca_bundle)
    }

    /// Returns the texts in it, to be filled in.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut Text> {
        std::iter::once(&mut self.main).chain(&mut self.overlay).chain(&mut self.ca_bundle)
    }
}

impl Command {
    /// Returns the word that a person types.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Destroy => "destroy",
            Self::Rollback => "rollback",
            Self::Clean => "clean",
            Self::Adopt => "adopt",
        }
    }

    /// Returns whether it brings everything to what the configuration says.
    pub fn is_about_all(self) -> bool {
        match self {
            Self::Apply | Self::Start | Self::Rollback => true,
            Self::Stop | Self::Restart | Self::Destroy | Self::Clean | Self::Adopt => false,
        }
    }
}

impl Found {
    /// Returns the word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}
