//! What a repository says it has: branches and tags, and which of them is meant.

use std::cmp::Ordering;

use super::Invalid;
use crate::sync::CommitId;

/// Which commit of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// The head of the branch that the repository calls its own.
    Default,
    /// The head of this branch.
    Branch(String),
    /// The newest of the tags that are like this, in the order of versions; `*` stands for anything.
    Tag(String),
    /// This one, for ever.
    Commit(CommitId),
}

/// A name that a repository has, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The branch or tag.
    pub name: String,
    /// What it points at: the commit, or the object of a tag that has a message.
    pub object: CommitId,
    /// The commit.
    pub commit: CommitId,
}

/// Refuses what no branch or tag can be called, and what would be an option.
pub(super) fn check(name: &str, stars: bool) -> Result<(), Invalid> {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, ' ' | '~' | '^' | ':' | '?' | '[' | '\\')
            || (c == '*' && !stars)
    };
    let is_bad = name.is_empty()
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name.contains("..")
        || name.contains("//")
        || name.contains("@{")
        || name.chars().any(odd)
        || name.split('/').any(|part| {
            let has_ending =
                std::path::Path::new(part).extension().is_some_and(|ending| ending == "lock");
            part.starts_with('.') || has_ending
        });
    if is_bad {
        return Err(Invalid(format!(
            "`{}` is not the name of a branch or tag",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// Reads what `git ls-remote` answers: the names below `prefix`, sorted.
pub(super) fn read(answer: &str, prefix: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let lines = answer.lines().filter_map(|line| line.split_once('\t'));
    for (id, name) in lines {
        let (Ok(id), Some(name)) = (id.parse::<CommitId>(), name.strip_prefix(prefix)) else {
            continue;
        };
        if let Some(tag) = name.strip_suffix("^{}") {
            // The commit behind a tag stands in the line below it.
            if let Some(found) = found.iter_mut().rev().find(|found| found.name == tag) {
                found.commit = id;
            }
            continue;
        }
        found.push(Found { name: name.to_owned(), object: id.clone(), commit: id });
    }
    found
}

/// Returns the branch that the repository calls its own, from what `git ls-remote --symref` answers.
pub(super) fn own_branch(answer: &str) -> Option<String> {
    let line = answer.lines().find_map(|line| line.strip_prefix("ref: refs/heads/"))?;
    Some(line.split('\t').next().unwrap_or(line).to_owned())
}

/// Returns whether a name is like a pattern in which `*` stands for anything.
pub(super) fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Compares two tags in the order of versions: numbers by value, and `2.0-rc1` before `2.0`.
pub(super) fn by_version(a: &str, b: &str) -> Ordering {
    let (a_parts, b_parts) = (parts(a), parts(b));
    for pair in a_parts.iter().zip(&b_parts) {
        let order = match pair {
            (Part::Number(a), Part::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Part::Word(a), Part::Word(b)) => {
                is_early(a).cmp(&is_early(b)).reverse().then_with(|| a.cmp(b))
            }
            // `1.0.1` is after `1.0-rc1`, and so is `1.0.1` after `1.0.x`.
            (Part::Number(_), Part::Word(_)) => Ordering::Greater,
            (Part::Word(_), Part::Number(_)) => Ordering::Less,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    let longer = |parts: &[Part<'_>], from: usize, order: Ordering| match parts.get(from) {
        Some(Part::Word(word)) if is_early(word) => order.reverse(),
        _ => order,
    };
    match a_parts.len().cmp(&b_parts.len()) {
        Ordering::Equal => a.cmp(b),
        Ordering::Greater => longer(&a_parts, b_parts.len(), Ordering::Greater),
        Ordering::Less => longer(&b_parts, a_parts.len(), Ordering::Less),
    }
}

/// Returns whether what follows comes before the version itself.
fn is_early(word: &str) -> bool {
    word.starts_with('-')
}

#[derive(Debug)]
enum Part<'a> {
    /// Digits without leading zeros.
    Number(&'a str),
    /// Anything else.
    Word(&'a str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        parts.push(if is_number {
            Part::Number(part.trim_start_matches('0'))
        } else {
            Part::Word(part)
        });
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_do() {
        let order = [
            "v0.9.10",
            "v1.0.0-alpha",
            "v1.0.0-rc.2",
            "v1.0.0-rc.10",
            "v1.0.0",
            "v1.0.1",
            "v1.2",
            "v1.10.0",
            "v2.0-rc1",
            "v2.0",
            "v2.0.1",
            "v10.0.0",
        ];
        for pair in order.windows(2) {
            assert_eq!(by_version(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(by_version(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn patterns_have_stars() {
        for (pattern, name, is) in [
            ("v*", "v1.0", true),
            ("v*", "w1", false),
            ("v1", "v1", true),
            ("v1", "v10", false),
            ("*", "anything/at/all", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "ac", false),
            ("preview/*", "preview/", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(is_like(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn answers_are_read_with_the_commits_behind_tags() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let answer = format!(
            "{a}\trefs/tags/v1\n{b}\trefs/tags/v1^{{}}\n{b}\trefs/tags/w\nx\ty\n{a}\tHEAD\n"
        );
        let found = read(&answer, "refs/tags/");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].object.as_str(), found[0].commit.as_str()), (&*a, &*b));
        assert_eq!(found[1].name, "w");
        let answer = format!("ref: refs/heads/trunk\tHEAD\n{a}\tHEAD\n");
        assert_eq!(own_branch(&answer).as_deref(), Some("trunk"));
    }

    #[test]
    fn names_that_no_branch_has_are_refused() {
        for name in ["main", "feature/a'b\"c$(id)", "ünï#1", "a.b", "@", "v1.0+x"] {
            assert!(check(name, false).is_ok(), "{name}");
        }
        for name in
            ["", "-x", "a..b", "a b", "a:b", "a^", "a*", "a.lock", ".a", "a/", "a//b", "a@{1}"]
        {
            assert!(check(name, false).is_err(), "{name}");
        }
        assert!(check("v*", true).is_ok());
    }
}
