//! What is wrong, or soon will be, and what to do about it.
//!
//! A rule is a pure function over facts that were gathered beforehand; the table below is all of them. A
//! rule that cannot know says so and finds nothing. What a rule can have repaired without any risk is a
//! value too ([`Fix`]); nothing is repaired here.

mod engine;
mod facts;
mod files;
mod machine;
mod names;
mod project;

pub use facts::{
    CertificateFact, EngineFact, Facts, Git, Kind, Lookup, NameFact, PathFact, ProjectFact,
    ProjectState, Trust,
};

use std::path::PathBuf;

/// One thing that is looked after.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, as reports show it.
    pub name: &'static str,
    /// What it looks after, in a clause.
    pub about: &'static str,
    check: fn(&Facts) -> Verdict,
}

/// All rules, in the order in which they are reported: whatever others rest on comes first.
pub const RULES: &[Rule] = &[
    rule("engine", "an engine answers", engine::answers),
    rule("api", "the engine speaks a version of the API that nself speaks", engine::api),
    rule("version", "the engine is no release with a known fault", engine::version),
    rule("clock", "clocks agree, and no file comes from the future", engine::clock),
    rule("kernel", "the engine can keep all limits", engine::kernel),
    rule("disk", "there is room for images, volumes and the vault", machine::disk),
    rule("memory", "there is memory for what the limits promise", machine::memory),
    rule("ports", "ports that services publish are theirs to have", machine::ports),
    rule("networks", "there are addresses for further networks", machine::networks),
    rule("project", "the file can be read and has no mistakes", project::readable),
    rule("services", "services run, and keep running", project::services),
    rule("orphans", "nothing of this project is left over", project::orphans),
    rule("lock", "no apply left its lock behind", project::lock),
    rule("helpers", "no apply left its helpers behind", project::helpers),
    rule("images", "no heap of unused builds", project::images),
    rule("dns", "the domain leads here", names::dns),
    rule("certificate", "the certificate is good, and trusted here", names::certificate),
    rule("vault", "the secrets of what runs are here", files::vault),
    rule("modes", "secrets are for their owner's eyes only", files::modes),
    rule("git", "secrets are not on their way into a repository", files::git),
];

const fn rule(name: &'static str, about: &'static str, check: fn(&Facts) -> Verdict) -> Rule {
    Rule { name, about, check }
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well; says what was seen.
    Well(String),
    /// It could not be seen; says why.
    NotChecked(String),
    /// Something is not as it should be.
    Found(Vec<Finding>),
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What is the case.
    pub what: String,
    /// What comes of it.
    pub why: String,
    /// What to do; a command in it can be typed as it stands.
    pub remedy: String,
    /// How nself itself can repair it, where that can do no harm.
    pub fix: Option<Fix>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Works now, and may not for long.
    Warning,
    /// Does not work, or gives away a secret.
    Error,
}

/// A repair that can do no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Takes permissions away from others.
    Restrict {
        /// The file or folder.
        path: PathBuf,
        /// The permission bits it gets.
        mode: u32,
    },
    /// Removes a container that an apply left behind and that nobody uses.
    RemoveTool {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Writes a file that keeps its whole folder out of git.
    IgnoreFolder {
        /// The folder.
        folder: PathBuf,
    },
}

/// What came of one rule.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The rule.
    pub rule: Rule,
    /// What it came to.
    pub verdict: Verdict,
}

/// Asks all rules.
pub fn examine(facts: &Facts) -> Vec<Examined> {
    RULES.iter().map(|rule| Examined { rule: *rule, verdict: (rule.check)(facts) }).collect()
}

impl Verdict {
    /// Returns the findings, none where all is well.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Well(_) | Self::NotChecked(_) => &[],
            Self::Found(findings) => findings,
        }
    }

    /// Findings where there are any, else all is well.
    fn of(findings: Vec<Finding>, well: impl Into<String>) -> Self {
        if findings.is_empty() { Self::Well(well.into()) } else { Self::Found(findings) }
    }

    fn not_checked(why: impl Into<String>) -> Self {
        Self::NotChecked(why.into())
    }
}

impl Finding {
    fn new(
        level: Level,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (what, why, remedy) = (what.into(), why.into(), remedy.into());
        Self { level, what, why, remedy, fix: None }
    }

    fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

impl std::fmt::Display for Fix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Restrict { path, mode } => write!(f, "chmod {mode:o} {}", path.display()),
            Self::RemoveTool { name, .. } => write!(f, "docker rm {name}"),
            Self::IgnoreFolder { folder } => {
                write!(f, "echo '*' > {}", folder.join(".gitignore").display())
            }
        }
    }
}
