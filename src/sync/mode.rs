//! Whether the loop may change anything.

use serde::{Deserialize, Serialize};

/// What the loop does about differences, be they commits or drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It puts them right.
    #[default]
    Heal,
    /// It reports them; a person puts them right.
    Detect,
}

impl Mode {
    /// Returns the word that people write and read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Detect => "detect",
        }
    }
}
