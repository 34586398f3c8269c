//! Mistakes, with their place and a way out.

use std::{ops::Range, sync::Arc};

/// A byte range of a source text.
pub type Span = Range<usize>;

/// Where a value comes from. Kept from the file through to the desired state, so that a plan can
/// name the line behind a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Written in a file.
    File {
        /// The file, as the person named it.
        file: Arc<str>,
        /// The bytes of the value.
        span: Span,
        /// The line, from 1.
        line: usize,
    },
    /// The kind of the service says so; names the kind.
    Kind(&'static str),
    /// nself's own default.
    Default,
    /// Worked out from other values; says from what.
    Computed(String),
}

impl Origin {
    /// Returns the place in few words: `nself.toml:31`, `default of postgres`.
    pub fn brief(&self) -> String {
        match self {
            Self::File { file, line, .. } => format!("{file}:{line}"),
            Self::Kind(kind) => format!("default of {kind}"),
            Self::Default => "default".to_owned(),
            Self::Computed(from) => from.clone(),
        }
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and probably is not what was meant.
    Warning,
}

/// A place that a diagnostic points at, with a few words to stand under the carets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file, as the person named it.
    pub file: Arc<str>,
    /// The bytes to underline.
    pub span: Span,
    /// What stands under them; may be empty.
    pub note: String,
}

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for machines, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// The places, the main one first; empty where no line can be blamed.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns an error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    /// Returns a warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Points at where `origin` lies; an origin outside any file points nowhere.
    #[must_use]
    pub fn at(mut self, origin: &Origin, note: impl Into<String>) -> Self {
        if let Origin::File { file, span, .. } = origin {
            let label = Label { file: Arc::clone(file), span: span.clone(), note: note.into() };
            self.labels.push(label);
        }
        self
    }

    /// Sorts diagnostics by their places, those of `main` before those of other files.
    pub fn sort(diagnostics: &mut Vec<Self>, main: &str) {
        let place = |label: &Label| (&*label.file != main, label.span.start, label.span.end);
        diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(place));
        diagnostics.dedup();
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
