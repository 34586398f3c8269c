//! From a tree of values with their places to typed values, and to the schema of what may be written.
//!
//! [`table!`](crate::table) and [`words!`](crate::words) declare a type once; decoding, the unknown-key and
//! wrong-type diagnostics, the "did you mean", the JSON Schema and the key documentation all derive
//! from that declaration. Decoding goes on after a mistake, so a file's mistakes are all found at once.

use std::collections::BTreeMap;

use super::{
    ByteSize, Cpus, Diagnostic, ImageRef, Instance, Millis, Origin, PolicyName, ProjectName,
    SecretName, ServiceName, Share, VariableName,
};

/// A value as it was written, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub origin: Origin,
    /// What it is.
    pub value: NodeValue,
}

/// The kinds of values of a configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Boolean(bool),
    /// A date or time, as written. Nothing in `nself.toml` takes one unquoted.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table as it was written.
pub type Table = BTreeMap<String, Entry>;

/// One key of a table with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Origin,
    /// Its value.
    pub node: Node,
}

/// What may be written at some place: the schema, as data.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Text that reads as something; says as what, in words such as "a size, such as 512M".
    Text(&'static str),
    /// One of a few words.
    Words(Vec<&'static str>),
    /// A whole number within bounds.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// Any number.
    Number,
    /// Yes or no.
    Boolean,
    /// A list of things of one shape.
    List(Box<Shape>),
    /// A table whose keys the person chooses.
    Map(Box<Shape>),
    /// A table with these keys.
    Table(Vec<Key>),
    /// Any of these.
    Either(Vec<Shape>),
}

/// One key of a [`Shape::Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What may stand behind it.
    pub shape: Shape,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

/// A type that can be read from a [`Node`].
pub trait Decode: Sized {
    /// Returns what may be written for it.
    fn shape() -> Shape;

    /// Reads `node`, or adds at least one problem and returns `None`.
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self>;

    /// Returns the value that stands for an absent key; `None` makes the key a required one.
    fn absent() -> Option<Self> {
        None
    }
}

impl Node {
    /// Returns the node's kind with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::String(_) => "a string",
            NodeValue::Integer(_) => "a whole number",
            NodeValue::Float(_) => "a number",
            NodeValue::Boolean(_) => "a boolean",
            NodeValue::Datetime(_) => "a date",
            NodeValue::Array(_) => "an array",
            NodeValue::Table(_) => "a table",
        }
    }

    /// Adds the problem that `wanted` should stand here, and returns `None`.
    pub fn mismatch<T>(&self, wanted: &str, problems: &mut Vec<Diagnostic>) -> Option<T> {
        let message = format!("expected {wanted}, found {}", self.kind());
        problems.push(Diagnostic::error("wrong-type", message).at(&self.origin, ""));
        None
    }

    /// Returns the node's table, or adds a problem.
    pub fn table(&self, problems: &mut Vec<Diagnostic>) -> Option<&Table> {
        match &self.value {
            NodeValue::Table(table) => Some(table),
            _ => self.mismatch("a table", problems),
        }
    }
}

/// More keys than this do not fit under a caret.
const MOST_LISTED: usize = 12;

/// Adds a problem for each key of `table` that is not among `known`.
pub fn refuse_unknown(table: &Table, known: &[&str], problems: &mut Vec<Diagnostic>) {
    for (key, entry) in table {
        if known.contains(&key.as_str()) {
            continue;
        }
        let note = match suggest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.len() <= MOST_LISTED => format!("keys here: {}", known.join(", ")),
            None => "not a key here".to_owned(),
        };
        problems.push(
            Diagnostic::error("unknown-key", format!("unknown key `{key}`")).at(&entry.key, note),
        );
    }
}

/// Returns the candidate that `text` was probably meant to be.
pub fn suggest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len().min(text.len()) / 4
                || (candidate.len() > 2 && text.len() > 2 && candidate.starts_with(text))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Reads the value of `key` of `table`. For [`table!`](crate::table).
pub fn field<T: Decode>(
    table: &Table,
    owner: Option<&Origin>,
    key: &'static str,
    problems: &mut Vec<Diagnostic>,
) -> Option<T> {
    if let Some(entry) = table.get(key) {
        return T::decode(&entry.node, problems);
    }
    let absent = T::absent();
    if absent.is_none() {
        let problem = Diagnostic::error("missing-key", format!("missing key `{key}`"));
        problems.push(match owner {
            Some(origin) => problem.at(origin, format!("wants `{key}`")),
            None => problem,
        });
    }
    absent
}

/// Returns the key that a field of that name stands for: `for`, where Rust has to write `r#for`. For
/// [`table!`](crate::table).
pub const fn key(field: &'static str) -> &'static str {
    match field.split_at_checked(2) {
        Some((start, rest)) if matches!(start.as_bytes(), b"r#") => rest,
        Some(_) | None => field,
    }
}

/// Declares a table of `nself.toml`: a struct whose fields are its keys and whose doc comments are
/// the keys' documentation. `Option`, `Vec` and `BTreeMap` fields may be absent; others are required.
#[macro_export]
macro_rules! table {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ pub $field:ident : $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl $name {
            /// The keys of this table, in the order of their declaration.
            pub const KEYS: &'static [&'static str] = &[$($crate::model::decode::key(stringify!($field))),*];

            /// Returns the documentation and shape of each key.
            pub fn keys() -> Vec<$crate::model::decode::Key> {
                vec![$(
                    $crate::model::decode::Key {
                        name: $crate::model::decode::key(stringify!($field)),
                        doc: concat!($($doc),+).trim_ascii(),
                        required: <$type as $crate::model::decode::Decode>::absent().is_none(),
                        shape: <$type as $crate::model::decode::Decode>::shape(),
                    }
                ),*]
            }

            /// Reads the keys of this table out of `table`, leaving other keys to the caller.
            pub fn decode_keys(
                table: &$crate::model::decode::Table,
                owner: Option<&$crate::model::Origin>,
                problems: &mut Vec<$crate::model::Diagnostic>,
            ) -> Option<Self> {
                // A table may have no keys, and then nothing else would name these.
                let _: (&_, Option<&_>, &mut Vec<_>) = (table, owner, &mut *problems);
                // A table may have no keys.
                let _ = (&table, &owner, &problems);
                $(
                    let $field = $crate::model::decode::field(
                        table,
                        owner,
                        $crate::model::decode::key(stringify!($field)),
                        problems,
                    );
                )*
                Some(Self { $( $field: $field?, )* })
            }
        }

        impl $crate::model::decode::Decode for $name {
            fn shape() -> $crate::model::decode::Shape {
                $crate::model::decode::Shape::Table(Self::keys())
            }

            fn decode(
                node: &$crate::model::decode::Node,
                problems: &mut Vec<$crate::model::Diagnostic>,
            ) -> Option<Self> {
                let table = node.table(problems)?;
                $crate::model::decode::refuse_unknown(table, Self::KEYS, problems);
                Self::decode_keys(table, Some(&node.origin), problems)
            }
        }
    };
}

/// Declares an enum whose values are words in `nself.toml`.
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl $name {
            /// All values, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word for this value.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::model::decode::Decode for $name {
            fn shape() -> $crate::model::decode::Shape {
                $crate::model::decode::Shape::Words(vec![$($word),+])
            }

            fn decode(
                node: &$crate::model::decode::Node,
                problems: &mut Vec<$crate::model::Diagnostic>,
            ) -> Option<Self> {
                let words = [$($word),+];
                $crate::model::decode::word(node, &words, problems).map(|index| Self::ALL[index])
            }
        }
    };
}

/// Reads one of `words` and returns its index. For [`words!`](crate::words).
pub fn word(node: &Node, words: &[&str], problems: &mut Vec<Diagnostic>) -> Option<usize> {
    let all = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
    let NodeValue::String(text) = &node.value else {
        return node.mismatch(&format!("one of {all}"), problems);
    };
    let found = words.iter().position(|word| word == text);
    if found.is_none() {
        let note = suggest(text, words.iter().copied())
            .map_or_else(|| format!("one of {all}"), |s| format!("did you mean `{s}`?"));
        let message = format!("`{text}` is not one of {all}");
        problems.push(Diagnostic::error("unknown-word", message).at(&node.origin, note));
    }
    found
}

/// Reads a type from text; `wanted` says what the text should be. For
/// [`decode_text!`](crate::decode_text).
pub fn text<T>(node: &Node, wanted: &str, problems: &mut Vec<Diagnostic>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let NodeValue::String(text) = &node.value else {
        return node.mismatch(&format!("{wanted}, in quotes"), problems);
    };
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let problem = Diagnostic::error("bad-value", error.to_string());
            problems.push(problem.at(&node.origin, ""));
            None
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        T::decode(node, problems).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Sourced<T> {
    fn shape() -> Shape {
        T::shape()
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let value = T::decode(node, problems)?;
        Some(Self { value, origin: node.origin.clone() })
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let NodeValue::Array(items) = &node.value else {
            return node.mismatch("an array", problems);
        };
        // Every item is read before the first failure ends it, so that all problems are found.
        let decoded: Vec<_> = items.iter().map(|item| T::decode(item, problems)).collect();
        decoded.into_iter().collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<K: std::str::FromStr<Err: std::fmt::Display> + Ord, T: Decode> Decode for BTreeMap<K, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let table = node.table(problems)?;
        let decoded: Vec<_> = table
            .iter()
            .map(|(key, entry)| {
                let name = key.parse::<K>().map_err(|error| {
                    problems
                        .push(Diagnostic::error("bad-name", error.to_string()).at(&entry.key, ""));
                });
                let value = T::decode(&entry.node, problems);
                Some((name.ok()?, value?))
            })
            .collect();
        decoded.into_iter().collect()
    }
    fn absent() -> Option<Self> {
        Some(BTreeMap::new())
    }
}

impl Decode for String {
    fn shape() -> Shape {
        Shape::Text("text")
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.value {
            NodeValue::String(text) => Some(text.clone()),
            _ => node.mismatch("a string", problems),
        }
    }
}

impl Decode for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match node.value {
            NodeValue::Boolean(value) => Some(value),
            _ => node.mismatch("a boolean", problems),
        }
    }
}

macro_rules! decode_integer {
    ($($type:ty, $min:expr;)*) => {$(
        impl Decode for $type {
            fn shape() -> Shape {
                Shape::Integer { min: $min, max: i64::from(<$type>::MAX) }
            }
            fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
                let wanted = format!("a whole number from {} to {}", $min, <$type>::MAX);
                let NodeValue::Integer(number) = node.value else {
                    return node.mismatch(&wanted, problems);
                };
                let value = <$type>::try_from(number).ok().filter(|_| number >= $min);
                if value.is_none() {
                    let message = format!("{number} is not {wanted}");
                    problems.push(Diagnostic::error("out-of-range", message).at(&node.origin, ""));
                }
                value
            }
        }
    )*};
}

// Port 0 and zero replicas mean nothing here, so the unsigned types begin at one.
decode_integer! { u16, 1; u32, 1; i32, i64::from(i32::MIN); }

/// Declares types that are read from text, each with the words for what the text should be.
#[macro_export]
macro_rules! decode_text {
    ($($type:ty, $words:literal;)*) => {$(
        impl $crate::model::decode::Decode for $type {
            fn shape() -> $crate::model::decode::Shape {
                $crate::model::decode::Shape::Text($words)
            }
            fn decode(
                node: &$crate::model::decode::Node,
                problems: &mut Vec<$crate::model::Diagnostic>,
            ) -> Option<Self> {
                $crate::model::decode::text(node, $words, problems)
            }
        }
    )*};
}

decode_text! {
    ByteSize, "a size, such as \"512M\"";
    Millis, "a duration, such as \"10s\"";
    ImageRef, "an image, such as \"ghcr.io/acme/api:1.4\"";
    ProjectName, "a project name";
    ServiceName, "a service name";
    SecretName, "a secret name";
    VariableName, "a variable name";
    Instance, "an instance name";
    PolicyName, "a policy's name";
    Share, "a share, such as \"30%\"";
}

impl Decode for Cpus {
    fn shape() -> Shape {
        Shape::Number
    }
    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match &node.value {
            NodeValue::Integer(number) => number.to_string(),
            NodeValue::Float(number) => number.to_string(),
            _ => return node.mismatch("a number of processors, such as 0.5", problems),
        };
        match text.parse::<Cpus>() {
            Ok(cpus) if cpus.0 > 0 => Some(cpus),
            Ok(_) | Err(_) => {
                let message = format!("{text} is not a number of processors, such as 0.5");
                problems.push(Diagnostic::error("out-of-range", message).at(&node.origin, ""));
                None
            }
        }
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "tables are public where they are real")]
mod tests {
    use super::*;

    table! {
        /// A table for this test.
        pub struct Sample {
            /// A name.
            pub name: String,
            /// A size.
            pub memory: Option<Sourced<ByteSize>>,
        }
    }

    fn node(value: NodeValue) -> Node {
        Node { origin: Origin::Default, value }
    }

    #[test]
    fn all_problems_of_a_table_are_found() {
        let entry = |value| Entry { key: Origin::Default, node: node(value) };
        let table = Table::from([
            ("memroy".to_owned(), entry(NodeValue::Integer(5))),
            ("memory".to_owned(), entry(NodeValue::Integer(5))),
        ]);
        let mut problems = Vec::new();
        assert_eq!(Sample::decode(&node(NodeValue::Table(table)), &mut problems), None);
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["unknown-key", "missing-key", "wrong-type"]);
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(suggest("imagee", ["image", "env"]), Some("image"));
        assert_eq!(suggest("zzz", ["image", "env"]), None);
    }

    #[test]
    fn keys_carry_their_documentation() {
        assert_eq!(Sample::keys()[0].doc, "A name.");
        assert!(Sample::keys()[0].required && !Sample::keys()[1].required);
    }
}
