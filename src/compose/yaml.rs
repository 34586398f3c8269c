//! From the text of a YAML file to a tree that keeps its places.
//!
//! Anchors are resolved and merge keys put in; what the values mean is not judged. Scalars keep the text
//! they were written in, since `1.10` is a version to one key and a number to another.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::model::{Diagnostic, Origin};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Origin,
    pub(super) value: Value,
    pub(super) merging: Merging,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Scalar {
        text: String,
        /// Written without quotes, so that it may be a number or a word for yes.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) at: Origin,
}

/// What a tag says of how a later file is laid over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merging {
    /// Nothing: by the rules of the key.
    Usual,
    /// `!override`: takes the place of what was there.
    Override,
    /// `!reset`: takes away what was there.
    Reset,
}

/// A file that unfolds to more than this by its aliases is an attack, or a mistake. In bytes: each value
/// counts for some, and its text for as many as it has.
const LARGEST: usize = 20_000_000;
const SIZE_OF_VALUE: usize = 100;
const DEEPEST: usize = 64;

/// Reads one file; an empty one is an empty map.
pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Node, Diagnostic> {
    let mut builder = Builder::new(file);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let start = marker.byte_offset().unwrap_or_default();
            let at = Origin::File { file: file.clone(), span: start..start, line: marker.line() };
            Diagnostic::error("yaml", error.info()).at(&at, "")
        })?;
        builder.take(event, &span)?;
    }
    Ok(builder.root.unwrap_or_else(|| {
        let at = Origin::File { file: file.clone(), span: 0..0, line: 1 };
        Node { at, value: Value::Map(Vec::new()), merging: Merging::Usual }
    }))
}

struct Builder<'a> {
    file: &'a Arc<str>,
    open: Vec<Open>,
    /// Each anchored node, with its size.
    anchors: BTreeMap<usize, (Node, usize)>,
    /// The size of all that was read so far.
    size: usize,
    root: Option<Node>,
    documents: usize,
}

/// A list or map that is not complete.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
    /// Where the keys of a map are.
    places: BTreeMap<String, Origin>,
    /// The size of all before it.
    before: usize,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<str>) -> Self {
        let (open, anchors) = (Vec::new(), BTreeMap::new());
        Self { file, open, anchors, size: 0, root: None, documents: 0 }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Diagnostic> {
        let at = self.place(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = Diagnostic::error("yaml", "a second document in one file");
                    return Err(problem.at(&at, "").help("keep the first, or make it two files"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_string(tag.as_deref());
                let is_null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let (text, before) = (text.into_owned(), self.size);
                self.size += text.len();
                let value = if is_null { Value::Null } else { Value::Scalar { text, plain } };
                let node = Node { at, value, merging: merging(tag.as_deref()) };
                self.done(node, anchor, before)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Value::List(Vec::new()), at, anchor, tag.as_deref())
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Value::Map(Vec::new()), at, anchor, tag.as_deref())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { mut node, anchor, before, .. }) = self.open.pop() else {
                    return Ok(());
                };
                if let Value::Map(entries) = &mut node.value {
                    put_in_merges(entries)?;
                }
                self.done(node, anchor, before)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    let problem = Diagnostic::error("yaml", "the anchor is not complete here");
                    return Err(problem.at(&at, "refers to what it is part of"));
                };
                let before = self.size;
                self.size += size;
                let node = node.clone();
                self.done(node, 0, before)
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        value: Value,
        at: Origin,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= DEEPEST {
            let message = format!("values are nested more than {DEEPEST} deep");
            return Err(Diagnostic::error("yaml", message).at(&at, ""));
        }
        let node = Node { at, value, merging: merging(tag) };
        let (key, places, before) = (None, BTreeMap::new(), self.size);
        self.open.push(Open { node, anchor, key, places, before });
        Ok(())
    }

    fn done(&mut self, node: Node, anchor: usize, before: usize) -> Result<(), Diagnostic> {
        self.size += SIZE_OF_VALUE;
        let size = self.size - before;
        if anchor != 0 {
            // It is kept beside the tree, with whatever anchors are inside.
            self.size += size;
        }
        if self.size > LARGEST {
            let message = format!("the file unfolds to more than {} MB", LARGEST / 1_000_000);
            return Err(Diagnostic::error("yaml", message).at(&node.at, ""));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => {
                let first = open.places.insert(key.text.clone(), key.at.clone());
                if let Some(first) = first.filter(|_| key.text != MERGE) {
                    let message = format!("the key `{}` stands here twice", key.text);
                    let problem = Diagnostic::error("yaml", message);
                    return Err(problem.at(&key.at, "the second").at(&first, "the first"));
                }
                entries.push((key, node));
            }
            (Value::Map(_), None) => match node.value {
                Value::Scalar { text, .. } => open.key = Some(Key { text, at: node.at }),
                _ => {
                    let problem = Diagnostic::error("yaml", "a key has to be a word");
                    return Err(problem.at(&node.at, ""));
                }
            },
            (Value::Null | Value::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn place(&self, span: &Span) -> Origin {
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or(start).max(start);
        Origin::File { file: self.file.clone(), span: start..end, line: span.start.line() }
    }
}

const MERGE: &str = "<<";

/// Puts in what merge keys bring along: what stands in the map itself wins, then what comes first.
fn put_in_merges(entries: &mut Vec<(Key, Node)>) -> Result<(), Diagnostic> {
    let (merges, mut own): (Vec<_>, Vec<_>) =
        std::mem::take(entries).into_iter().partition(|(key, _)| key.text == MERGE);
    let mut there: BTreeSet<String> = own.iter().map(|(key, _)| key.text.clone()).collect();
    for (_, node) in merges {
        let at = node.at.clone();
        let sources = match node.value {
            Value::List(items) => items,
            _ => vec![node],
        };
        for source in sources {
            let Value::Map(brought) = source.value else {
                let problem = Diagnostic::error("yaml", "only maps can be merged");
                return Err(problem.at(&at, ""));
            };
            for (key, value) in brought {
                if there.insert(key.text.clone()) {
                    own.push((key, value));
                }
            }
        }
    }
    *entries = own;
    Ok(())
}

fn is_string(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| tag.suffix() == "str")
}

fn merging(tag: Option<&Tag>) -> Merging {
    match tag.map(Tag::suffix) {
        Some("override") => Merging::Override,
        Some("reset") => Merging::Reset,
        Some(_) | None => Merging::Usual,
    }
}

impl Node {
    /// Returns the value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(other, _)| other.text == key).map(|(_, node)| node)
    }

    /// Takes the value of a key out of a map; nothing written counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<(Key, Node)> {
        let Value::Map(entries) = &mut self.value else { return None };
        let place = entries.iter().position(|(other, _)| other.text == key)?;
        Some(entries.remove(place)).filter(|(_, node)| node.value != Value::Null)
    }

    /// Returns the entries of a map; of anything else none.
    pub(super) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar { .. } | Value::List(_) => &[],
        }
    }

    /// Returns the items of a list; one scalar is a list of one.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar { .. } => std::slice::from_ref(self),
            Value::Null | Value::Map(_) => &[],
        }
    }

    /// Returns the text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Returns the texts of a list, or of one scalar.
    pub(super) fn texts(&self) -> Vec<String> {
        self.items().iter().filter_map(Node::text).map(str::to_owned).collect()
    }

    /// Returns whether a scalar says yes.
    pub(super) fn flag(&self) -> bool {
        self.text().is_some_and(|text| {
            matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y" | "1")
        })
    }

    /// Returns a node of the same place.
    pub(super) fn here(&self, value: Value) -> Node {
        Node { at: self.at.clone(), value, merging: Merging::Usual }
    }

    /// Returns a scalar of the same place.
    pub(super) fn scalar(&self, text: impl Into<String>) -> Node {
        self.here(Value::Scalar { text: text.into(), plain: false })
    }

    /// Applies `change` to each scalar.
    pub(super) fn each_text(&mut self, change: &mut impl FnMut(&Origin, &mut String)) {
        let at = self.at.clone();
        match &mut self.value {
            Value::Null => {}
            Value::Scalar { text, .. } => change(&at, text),
            Value::List(items) => items.iter_mut().for_each(|item| item.each_text(change)),
            Value::Map(entries) => {
                for (_, node) in entries {
                    node.each_text(change);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Vec<String>, String> {
        let node = read(&"f".into(), text).map_err(|problem| problem.message)?;
        Ok(node.get("a").unwrap().entries().iter().map(|(key, _)| key.text.clone()).collect())
    }

    #[test]
    fn anchors_and_merge_keys_unfold() {
        let text = "x: &x {k: 1, l: 2}\ny: &y {l: 3, m: 4}\na: {<<: [*x, *y], k: 5}\n";
        assert_eq!(keys(text).unwrap(), ["k", "l", "m"]);
        let node = read(&"f".into(), text).unwrap();
        assert_eq!(node.get("a").unwrap().get("k").unwrap().text(), Some("5"));
        assert_eq!(node.get("a").unwrap().get("l").unwrap().text(), Some("2"));
    }

    #[test]
    fn what_is_no_good_is_said() {
        assert!(keys("a: {k: 1, k: 2}").unwrap_err().contains("twice"));
        assert!(keys("a: [").is_err());
        let mut bomb = "x0: &x0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for n in 1..9 {
            let last = n - 1;
            let list = vec![format!("*x{last}"); 10].join(",");
            bomb.push_str(
                &["x", &n.to_string(), ": &x", &n.to_string(), " [", &list, "]\n"].concat(),
            );
        }
        assert!(keys(&bomb).unwrap_err().contains("unfolds"));
        // Few values, with much text; and anchors in anchors, each of which is kept.
        let text = format!("x: &x {}\ny: [{}]", "x".repeat(50_000), vec!["*x"; 500].join(","));
        assert!(keys(&text).unwrap_err().contains("unfolds"));
        let (open, close) =
            (0..60).map(|n| (format!("&a{n} ["), "]")).unzip::<_, _, String, String>();
        let list = vec!["1"; 5000].join(",");
        assert!(keys(&format!("x: {open}[{list}]{close}")).unwrap_err().contains("unfolds"));
        assert!(keys(&format!("a: {}", "[".repeat(500))).is_err());
        assert!(keys("a: &a [*a]").is_err());
    }
}
