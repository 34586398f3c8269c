//! `${NAME:-default}` and its kin, as Compose reads them.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use std::collections::{BTreeMap, BTreeSet};

/// The variables that a compose file can refer to.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    /// What the shell has; it wins over the file `.env`.
    pub(super) process: BTreeMap<String, String>,
    /// What `.env` says.
    pub(super) file: BTreeMap<String, String>,
    /// Those of the shell that were asked for: elsewhere they may be others.
    pub(super) used: BTreeSet<String>,
    /// Those that were asked for and are nowhere.
    pub(super) missing: BTreeSet<String>,
    /// How many bytes were put in so far.
    pub(super) put: usize,
}

/// What unfolds to more than this is an attack, or a mistake: in bytes, all texts together.
const LARGEST: usize = 32 << 20;
/// A default may have variables in it, whose defaults may. Nobody means so many in each other.
const DEEPEST: usize = 32;

impl Variables {
    /// Returns the value of a variable, and notes where it came from.
    pub(super) fn get(&mut self, name: &str) -> Option<String> {
        if let Some(value) = self.process.get(name) {
            if self.file.get(name) != Some(value) {
                self.used.insert(name.to_owned());
            }
            return Some(value.clone());
        }
        self.file.get(name).cloned()
    }

    /// Returns `text` with its variables put in, or why that cannot be done. The text itself is not in the
    /// reason: it may be a secret.
    pub(super) fn put_in(&mut self, text: &str) -> Result<String, String> {
        self.put_in_at(text, 0)
    }

    fn put_in_at(&mut self, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err(format!("defaults stand in each other more than {DEEPEST} deep"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(body) = rest.strip_prefix('{') {
                let end = closing(body).ok_or("a `${` is not closed")?;
                out.push_str(&self.braced(&body[..end], depth)?);
                rest = &body[end + 1..];
            } else {
                let length = name_length(rest);
                if length == 0 {
                    return Err("a `$` begins no variable; a dollar sign is `$$`".to_owned());
                }
                out.push_str(&self.or_nothing(&rest[..length]));
                rest = &rest[length..];
            }
        }
        out.push_str(rest);
        self.put += out.len();
        if self.put > LARGEST {
            return Err(format!("variables unfold to more than {} MB", LARGEST >> 20));
        }
        Ok(out)
    }

    fn or_nothing(&mut self, name: &str) -> String {
        self.get(name).unwrap_or_else(|| {
            self.missing.insert(name.to_owned());
            String::new()
        })
    }

    fn braced(&mut self, body: &str, depth: usize) -> Result<String, String> {
        let length = name_length(body);
        if length == 0 {
            return Err("a `${…}` has no name of a variable".to_owned());
        }
        let (name, rest) = body.split_at(length);
        if rest.is_empty() {
            return Ok(self.or_nothing(name));
        }
        let (also_empty, rest) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let value = self.get(name).filter(|value| !(also_empty && value.is_empty()));
        match (rest.chars().next(), value) {
            (Some('-' | '?'), Some(value)) => Ok(value),
            (Some('-'), None) => self.put_in_at(&rest[1..], depth + 1),
            (Some('?'), None) => {
                let why = self.put_in_at(&rest[1..], depth + 1)?;
                Err(format!("the variable {name} is wanted: {why}"))
            }
            (Some('+'), Some(_)) => self.put_in_at(&rest[1..], depth + 1),
            (Some('+'), None) => Ok(String::new()),
            _ => Err(format!("what follows the name in `${{{name}…}}` is not understood")),
        }
    }
}

fn name_length(text: &str) -> usize {
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    let good = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    if digit_first { 0 } else { text.chars().take_while(good).count() }
}

/// Returns where the brace closes that was opened before `body`.
fn closing(body: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (index, c) in body.char_indices() {
        match c {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(index),
            '}' => depth -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// Reads the lines of a file of variables, such as `.env`: `NAME=value`, quoted or not, and `NAME` alone,
/// which takes the value of the shell. A line can refer to those above it.
pub(super) fn lines(
    text: &str,
    variables: &mut Variables,
) -> Result<Vec<(String, String)>, String> {
    let before = variables.file.clone();
    let read = read_lines(text, variables);
    variables.file = before;
    read
}

fn read_lines(text: &str, variables: &mut Variables) -> Result<Vec<(String, String)>, String> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let bare = line.trim();
        let bare = bare.strip_prefix("export ").unwrap_or(bare).trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            rest = after;
            continue;
        }
        let Some((name, value)) = bare.split_once('=') else {
            if let Some(value) = variables.get(bare) {
                all.push((bare.to_owned(), value));
            }
            rest = after;
            continue;
        };
        let (name, value) = (name.trim().to_owned(), value.trim_start());
        let mut put_in =
            |text: &str| variables.put_in(text).map_err(|why| format!("{name}: {why}"));
        let (value, next) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let start = line.trim_end().len() - value.len();
                let body = &rest[rest.len().min(start + 1)..];
                let end = unquoted(body, quote).ok_or_else(|| format!("{name} is not closed"))?;
                let text = &body[..end];
                let text = if quote == '"' { escaped(text) } else { text.to_owned() };
                let after = body[end + 1..].split_once('\n').map_or("", |(_, after)| after);
                (if quote == '"' { put_in(&text)? } else { text }, after)
            }
            _ => {
                let plain = value.split(" #").next().unwrap_or_default().trim_end();
                (put_in(plain)?, after)
            }
        };
        variables.file.insert(name.clone(), value.clone());
        all.push((name, value));
        rest = next;
    }
    Ok(all)
}

fn unquoted(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in body.char_indices() {
        match c {
            '\\' if !escaped && quote == '"' => escaped = true,
            c if c == quote && !escaped => return Some(index),
            _ => escaped = false,
        }
    }
    None
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(next @ ('n' | 't' | 'r' | '"' | '\\'))) => {
                chars.next();
                out.push(match next {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let set = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        Variables {
            process: set(&[("SHELL_ONE", "s"), ("BOTH", "shell")]),
            file: set(&[("BOTH", "file"), ("EMPTY", ""), ("A", "1")]),
            ..Variables::default()
        }
    }

    #[test]
    fn variables_are_put_in() {
        for (text, wanted) in [
            ("$A-${A}", "1-1"),
            ("$$A", "$A"),
            ("${B:-x}", "x"),
            ("${EMPTY:-x}${EMPTY-y}", "x"),
            ("${B:-${C:-${A}}}", "1"),
            ("${A:+yes}${B:+no}", "yes"),
            ("${BOTH}", "shell"),
            ("${NOWHERE}", ""),
            ("${A:?x}", "1"),
        ] {
            assert_eq!(variables().put_in(text).unwrap(), wanted, "{text}");
        }
        for bad in ["${", "${A", "${:-x}", "$ ", "${B:?is wanted}", "${A!}"] {
            assert!(variables().put_in(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_of_variables_are_read() {
        let text = "# c\nexport A=1\nB = \"two # \\\"words\\\"\" # c\nC='$A'\nD=$A # c\n\
                    SHELL_ONE\nNONE\nE=\"l1\nl2\"\nF=a#b\n";
        let read = lines(text, &mut variables()).unwrap();
        let read: Vec<_> = read.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            read,
            ["A=1", "B=two # \"words\"", "C=$A", "D=1", "SHELL_ONE=s", "E=l1\nl2", "F=a#b"]
        );
        assert!(lines("A=\"x", &mut variables()).is_err());
        // What is wrong is said without the value.
        for bad in ["P=hush$!hush", "P=\"hush${hush\"", "P=${hush!hush}", "P=${!hush}"] {
            let why = lines(bad, &mut variables()).unwrap_err();
            assert!(why.starts_with("P: ") && !why.contains("!h") && !why.contains("hu$"), "{why}");
        }
        // What a file says holds in that file.
        let mut after = variables();
        lines("A=2\nG=3", &mut after).unwrap();
        assert_eq!(after.put_in("$A${G}").unwrap(), "1");
    }

    #[test]
    fn variables_do_not_unfold_without_end() {
        let deep = format!("{}x{}", "${B:-".repeat(5000), "}".repeat(5000));
        assert!(variables().put_in(&deep).unwrap_err().contains("deep"));
        let doubling: String = ('B'..='Z')
            .zip('C'..='Z')
            .map(|(last, next)| format!("{next}=${last}${last}${last}${last}"))
            .collect::<Vec<_>>()
            .join("\n");
        let why = lines(&format!("B=xxxx\n{doubling}"), &mut variables()).unwrap_err();
        assert!(why.contains("unfold"), "{why}");
    }
}
