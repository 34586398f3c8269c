//! From the bytes of one file to a tree of values with their places.
//!
//! Only what the format says is judged here: encoding, size, syntax. What the keys mean is not.

use std::{borrow::Cow, sync::Arc};

use toml::de::{DeTable, DeValue};

use crate::model::{
    Diagnostic, Origin, Span,
    decode::{Entry, Node, NodeValue, Table},
};

/// A file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, as the person knows it.
    pub name: Arc<str>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Enough for some 100,000 services; a larger file is something else that got here by mistake.
const LARGEST: usize = 4 << 20;

impl Source {
    /// Makes a source of a name and a text.
    pub fn new(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: text.into() }
    }

    /// Returns the text, for showing; bytes that are no text are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Reads the file, or says everything that is wrong with its form.
    pub(super) fn read(&self) -> Result<Table, Vec<Diagnostic>> {
        let text = self.checked()?;
        let place = Place::new(Arc::clone(&self.name), text);
        let (tree, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(place.table(tree.get_ref()));
        }
        let mut problems: Vec<(usize, Diagnostic)> = errors
            .iter()
            .map(|error| {
                let origin = place.origin(error.span().unwrap_or_default());
                let line = match &origin {
                    Origin::File { line, .. } => *line,
                    Origin::Kind(_) | Origin::Default | Origin::Computed(_) => 0,
                };
                let mut problem = Diagnostic::error("syntax", error.message()).at(&origin, "");
                if error.message() == "duplicate key" {
                    problem = problem.help("keep one of the two");
                }
                (line, problem)
            })
            .collect();
        // After its first error a line is no longer understood; what else is said of it is noise.
        problems.sort_by_key(|(line, problem)| (*line, problem.labels[0].span.start));
        problems.dedup_by_key(|(line, _)| *line);
        Err(problems.into_iter().map(|(_, problem)| problem).collect())
    }

    /// Returns the bytes as text that is worth parsing.
    fn checked(&self) -> Result<&str, Vec<Diagnostic>> {
        let Self { name, bytes } = self;
        let at = |problem: Diagnostic, span: Span| {
            vec![problem.at(&Origin::File { file: Arc::clone(name), span, line: 1 }, "")]
        };
        if bytes.len() > LARGEST {
            let size = bytes.len().div_ceil(1 << 20);
            let message = format!("{name} has {size} MB; at most {} MB are read", LARGEST >> 20);
            let help = "is it the right file? Large texts belong into files of their own";
            return Err(vec![Diagnostic::error("too-large", message).help(help)]);
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let problem = Diagnostic::error("not-utf8", format!("{name} is UTF-16, not UTF-8"));
            return Err(vec![problem.help("save it as UTF-8")]);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let start = error.valid_up_to();
            let message = format!("{name} is not UTF-8: byte 0x{:02x} is no text", bytes[start]);
            // In the text that is shown, the replacement character takes three bytes.
            let problem = Diagnostic::error("not-utf8", message).help("save it as UTF-8");
            at(problem, start..start + '\u{fffd}'.len_utf8())
        })?;
        if let Some(start) = text.find('\0') {
            let problem = Diagnostic::error("not-text", format!("{name} has a NUL byte in it"));
            return Err(at(
                problem.help("it is not a text file, or was damaged"),
                start..start + 1,
            ));
        }
        Ok(text)
    }
}

/// Turns byte ranges of one file into origins.
struct Place {
    file: Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Place {
    fn new(file: Arc<str>, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(index, _)| index + 1)).collect();
        Self { file, lines }
    }

    fn origin(&self, span: Span) -> Origin {
        let line = self.lines.partition_point(|start| *start <= span.start);
        Origin::File { file: Arc::clone(&self.file), span, line }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entries = table.iter().map(|(key, value)| {
            let entry = Entry {
                key: self.origin(key.span()),
                node: self.node(value.get_ref(), value.span()),
            };
            (key.get_ref().clone().into_owned(), entry)
        });
        entries.collect()
    }

    fn node(&self, value: &DeValue<'_>, span: Span) -> Node {
        let value = match value {
            DeValue::String(text) => NodeValue::String(text.clone().into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => NodeValue::Integer(number),
                    // Too long for 64 bits: whoever wants a number will say which are good.
                    Err(_) => NodeValue::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
                }
            }
            DeValue::Float(number) => NodeValue::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => NodeValue::Boolean(*value),
            DeValue::Datetime(date) => NodeValue::Datetime(date.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item.get_ref(), item.span()));
                NodeValue::Array(items.collect())
            }
            DeValue::Table(table) => NodeValue::Table(self.table(table)),
        };
        Node { origin: self.origin(span), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(bytes: &[u8]) -> Vec<&'static str> {
        let problems = Source::new("nself.toml", bytes).read().err().unwrap_or_default();
        problems.iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn odd_bytes_are_told_apart() {
        assert_eq!(codes(b"a = 1\r\nb = 2\r\n"), [""; 0]);
        assert_eq!(codes("\u{feff}a = 1\n".as_bytes()), [""; 0]);
        assert_eq!(codes(b"a = \"\xff\""), ["not-utf8"]);
        assert_eq!(codes(b"\xff\xfea\0"), ["not-utf8"]);
        assert_eq!(codes(b"a = \"\0\""), ["not-text"]);
        assert_eq!(codes(&vec![b'\n'; LARGEST + 1]), ["too-large"]);
        assert_eq!(codes("[".repeat(500_000).as_bytes()), ["syntax"]);
    }

    #[test]
    fn several_syntax_errors_are_found() {
        assert_eq!(codes(b"a = \nb = foo\nc = 1\nc = 2\n"), ["syntax"; 3]);
    }

    #[test]
    fn values_keep_their_place() {
        let table = Source::new("f", "\u{feff}# x\n[a]\nb = \"c\"\n").read().unwrap();
        let NodeValue::Table(inner) = &table["a"].node.value else { panic!("a table") };
        let Origin::File { span, line, .. } = &inner["b"].node.origin else { panic!("a file") };
        assert_eq!((span.clone(), *line), (15..18, 3));
    }
}
