//! Whether the loop may change anything.

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// What the loop does about differences, be they commits or drift.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum WatchMode {
        /// It puts them right.
        Heal = "heal",
        /// It reports them; a person puts them right.
        Detect = "detect",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro derives for all, and few have a default")]
impl Default for WatchMode {
    fn default() -> Self {
        Self::Heal
    }
}
