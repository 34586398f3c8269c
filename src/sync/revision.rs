//! A commit of the source.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a commit: 40 hexadecimal digits, or 64 in repositories that use SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// A text that is no commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a commit: 40 or 64 hexadecimal digits are")]
pub struct InvalidCommit(pub String);

impl CommitId {
    /// Returns the whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns as much of it as people read.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl TryFrom<String> for CommitId {
    type Error = InvalidCommit;

    fn try_from(text: String) -> Result<Self, InvalidCommit> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() {
            40 | 64 if text.bytes().all(is_digit) => Ok(Self(text)),
            _ => Err(InvalidCommit(text)),
        }
    }
}

impl std::str::FromStr for CommitId {
    type Err = InvalidCommit;

    fn from_str(text: &str) -> Result<Self, InvalidCommit> {
        Self::try_from(text.to_ascii_lowercase())
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A state of the source that can be brought about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit.
    pub commit: CommitId,
    /// By what name it was found: a branch, a tag, or the commit itself.
    pub reference: String,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it, by name.
    pub author: String,
    /// When it was committed, in milliseconds since 1970.
    pub at: u64,
}

impl Revision {
    /// Returns it as people read it: `main@3f9c21d`.
    pub fn label(&self) -> String {
        if self.reference == self.commit.as_str() {
            return self.commit.short().to_owned();
        }
        format!("{}@{}", self.reference, self.commit.short())
    }
}
