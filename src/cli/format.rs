//! What commands write their results as.

use clap::{Args, ValueEnum};

use super::ui::Ui;

/// What a command writes its result as; `--json` is short for JSON. For what is read by others, errors
/// take the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For a pull request: a page of the command named.
    Markdown(&'static str),
    /// For code scanning: findings of the command named.
    Sarif(&'static str),
    /// For Graphviz.
    Dot,
}

/// The choice of `plan` and `drift`.
#[derive(Debug, Args)]
pub(super) struct PageFormat {
    /// What to write it as; --json is short for json
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<Page>,
}

/// What a plan or drift is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Page {
    /// For people
    Text,
    /// For programs, as Terraform does
    Json,
    /// For a comment on a pull request
    Markdown,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

impl PageFormat {
    /// Returns what was chosen.
    pub(super) fn page(&self, ui: Ui) -> Page {
        self.format.unwrap_or(if ui.json { Page::Json } else { Page::Text })
    }

    /// Returns the same for errors of `command`.
    pub(super) fn of(&self, command: &'static str) -> Option<Format> {
        Some(match self.format? {
            Page::Text => Format::Text,
            Page::Json => Format::Json,
            Page::Markdown => Format::Markdown(command),
            Page::Sarif => Format::Sarif(command),
        })
    }
}
