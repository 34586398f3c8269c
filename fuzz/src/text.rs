//! What is said to people: it points into the text, and nothing in it drives a terminal.

use std::sync::Arc;

use nself::{
    model::Diagnostic,
    report::diagnostic::{Colour, text},
};

/// Bytes that are nobody's business. Checks put them where secrets are and look for them elsewhere.
pub const HUSH: &str = "hush-7f3a9c-hush";

/// Every place lies within its text, and what is shown is one piece of plain text.
pub fn sound(problems: &[Diagnostic], sources: &[(Arc<str>, String)]) {
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        for label in &problem.labels {
            let found = sources.iter().find(|(name, _)| *name == label.file);
            let (_, source) = found.unwrap_or_else(|| panic!("no such file: {problem:?}"));
            let (start, end) = (label.span.start, label.span.end);
            assert!(start <= end && end <= source.len(), "outside of the text: {problem:?}");
            let whole = source.is_char_boundary(start) && source.is_char_boundary(end);
            assert!(whole, "within a character: {problem:?}");
        }
    }
    let plain = text(problems, sources, Colour::Plain);
    assert!(plain.is_empty() == problems.is_empty());
    let drives = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!plain.contains(drives), "drives a terminal: {plain:?}");
    text(problems, sources, Colour::Ansi);
}

/// Takes bytes apart at lines `#@ NAME`; what stands before the first has the name `first`. A line that
/// is a comment in TOML and YAML keeps the whole readable by people.
pub fn files<'a>(first: &'a str, bytes: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    let mut files = vec![(first, bytes)];
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"#@ ").and_then(|name| std::str::from_utf8(name).ok());
        if let Some(name) = name {
            let (name, rest) = (name.trim_end(), &bytes[at + line.len()..]);
            let last = files.len() - 1;
            let length = files[last].1.len() - rest.len() - line.len();
            files[last].1 = &files[last].1[..length];
            files.push((name, rest));
        }
        at += line.len();
    }
    files
}
