//! What was pushed, and who follows it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pattern;

/// A commit that touches more is not listed whole by everybody.
const MOST_PATHS: usize = 300;

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Push {
    /// The references that moved, such as `refs/heads/main`. Where none is known, any may have.
    pub references: Vec<String>,
    /// The files that were touched; none where the sender did not say, or not all of them.
    pub paths: Option<BTreeSet<String>>,
}

/// Which pushes somebody follows.
///
/// Patterns have `*` for any text, slashes included: a filter that lets too much through costs a look, one that
/// lets too little through costs a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Follows {
    /// Patterns of branches, such as `main` or `preview/*`.
    pub branches: Vec<String>,
    /// Patterns of tags, such as `v*`. Without branches and tags, every reference is followed.
    pub tags: Vec<String>,
    /// Patterns of files, or folders with all that is in them. Without any, every file is.
    pub paths: Vec<String>,
}

impl Push {
    /// Returns one of which nothing is known.
    pub fn anything() -> Self {
        Self { references: vec!["*".to_owned()], paths: None }
    }
}

impl Follows {
    /// Returns whether the push is followed.
    pub fn takes(&self, push: &Push) -> bool {
        push.references.iter().any(|reference| self.takes_reference(reference))
            && self.takes_paths(push.paths.as_ref())
    }

    fn takes_reference(&self, reference: &str) -> bool {
        if reference == "*" || (self.branches.is_empty() && self.tags.is_empty()) {
            return true;
        }
        let any = |patterns: &[String], name: &str| {
            patterns.iter().any(|pattern| pattern::fits(pattern, name))
        };
        match (reference.strip_prefix("refs/heads/"), reference.strip_prefix("refs/tags/")) {
            (Some(branch), _) => any(&self.branches, branch),
            (_, Some(tag)) => any(&self.tags, tag),
            // Without its folder it may be either.
            (None, None) => any(&self.branches, reference) || any(&self.tags, reference),
        }
    }

    fn takes_paths(&self, paths: Option<&BTreeSet<String>>) -> bool {
        let Some(paths) = paths.filter(|paths| !self.paths.is_empty() && !paths.is_empty()) else {
            return true;
        };
        paths.iter().any(|path| self.paths.iter().any(|pattern| pattern::covers(pattern, path)))
    }
}

/// The commits of a push, as GitHub, GitLab, Gitea and Forgejo list them.
pub(super) struct Commits {
    /// How many are listed.
    pub count: usize,
    /// What they touched.
    pub paths: BTreeSet<String>,
}

impl Commits {
    /// Reads them; nothing where there are none, or one does not say all that it touched.
    pub(super) fn read(commits: &Value) -> Option<Self> {
        let commits = commits.as_array().filter(|commits| !commits.is_empty())?;
        let mut paths = BTreeSet::new();
        for commit in commits {
            let mut touched = 0;
            for list in ["added", "modified", "removed"] {
                for path in commit[list].as_array()? {
                    paths.insert(text(path)?);
                    touched += 1;
                }
            }
            if touched == 0 || touched >= MOST_PATHS {
                return None;
            }
        }
        Some(Self { count: commits.len(), paths })
    }
}

/// Returns whether the reference was not there before: what the branch has is then more than what is listed.
pub(super) fn is_new(body: &Value) -> bool {
    body["before"].as_str().is_none_or(|before| before.bytes().all(|byte| byte == b'0'))
}

/// Returns a text that is not empty.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
