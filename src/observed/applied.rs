//! What an object was created with, as one line of text in its label.
//!
//! This is a wire format: it outlives the binary that wrote it. Version 1 is
//! `{"v":1,"f":{PATH: VALUE, …}}`, where a value is `=text`, `#sha256` of a long text or `*fingerprint`
//! of a text with secrets. A version that is not known reads as "no label": the mover of a change is
//! then unknown, and nothing else is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    desired::{Fields, Path, Value},
    model::{Digest, Fingerprint, Keyring},
};

/// The labels that mark an object as ours.
pub mod label {
    /// The project's id.
    pub const PROJECT: &str = "dev.nself.project";
    /// The instance; absent for the project itself.
    pub const INSTANCE: &str = "dev.nself.instance";
    /// The resource, as [`ResourceId`](crate::model::ResourceId) prints it.
    pub const RESOURCE: &str = "dev.nself.resource";
    /// What it was created with; see [`Applied`](super::Applied).
    pub const APPLIED: &str = "dev.nself.applied";
    /// On images: the digest of what it was built from.
    pub const BUILT_FROM: &str = "dev.nself.built-from";
    /// On volumes: present when it holds only files that nself can write again.
    pub const DISPOSABLE: &str = "dev.nself.disposable";
    /// On helper containers of one upload: they are nobody's desired state and may be removed.
    pub const HELPER: &str = "dev.nself.helper";
    /// On volumes: the project's memory; see [`Record`](super::super::Record).
    pub const RECORD: &str = "dev.nself.record";
    /// On the same volumes: what the engine gives to containers that say nothing of it.
    pub const ENGINE_DEFAULTS: &str = "dev.nself.engine-defaults";
    /// On containers and networks of engines that do not tell what they were asked: what it was.
    pub const ASKED: &str = "dev.nself.asked";
    /// What all our labels begin with.
    pub const PREFIX: &str = "dev.nself.";
}

/// The compared values of an object when it was created, each in a form that shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied(pub BTreeMap<Path, Mark>);

/// A remembered value: enough to compare with, not always enough to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The value itself.
    Plain(String),
    /// The digest of a value too long to keep.
    Digest(String),
    /// The fingerprint of a value with secrets in it.
    Secret(Fingerprint),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    f: BTreeMap<String, String>,
}

/// The form of the label that this nself writes, and the only one there has been.
const FORM: u32 = 1;

/// Docker sends every label with every event, so a label has to stay small.
const LONGEST_LABEL: usize = 8 * 1024;
const LONGEST_VALUE: usize = 256;
/// A digest has 64 digits; shorter values are not shortened by one.
const SHORTEST_SHRUNK: usize = 65;

impl Mark {
    /// Returns how `value` is remembered; `None` if it has a secret that is not known.
    pub fn of(value: &Value, keyring: &Keyring) -> Option<Self> {
        match value {
            Value::Plain(text) if text.len() > LONGEST_VALUE => Some(Self::digest(text)),
            Value::Plain(text) => Some(Self::Plain(text.clone())),
            Value::Secret(text) => keyring.fingerprint_of(text).map(Self::Secret),
        }
    }

    /// Returns whether `live` is the remembered value; `None` without the key to tell.
    pub fn matches(&self, live: &str, keyring: &Keyring) -> Option<bool> {
        match self {
            Self::Plain(text) => Some(text == live),
            Self::Digest(digest) => Some(digest == Digest::of(live.as_bytes()).as_str()),
            Self::Secret(fingerprint) => Some(keyring.fingerprint(live)? == *fingerprint),
        }
    }

    fn digest(text: &str) -> Self {
        Self::Digest(Digest::of(text.as_bytes()).as_str().to_owned())
    }

    fn to_wire(&self) -> String {
        match self {
            Self::Plain(text) => format!("={text}"),
            Self::Digest(digest) => format!("#{digest}"),
            Self::Secret(fingerprint) => format!("*{}", fingerprint.as_str()),
        }
    }

    fn from_wire(text: &str) -> Option<Self> {
        let rest = text.get(1..)?.to_owned();
        match text.as_bytes().first()? {
            b'=' => Some(Self::Plain(rest)),
            b'#' => Some(Self::Digest(rest)),
            b'*' => Some(Self::Secret(Fingerprint::stored(&rest))),
            _ => None,
        }
    }
}

impl Applied {
    /// Returns how `fields` are remembered. Values whose secrets are not known are left out.
    pub fn of(fields: &Fields, keyring: &Keyring) -> Self {
        let marks = fields.0.iter();
        Self(
            marks
                .filter_map(|(path, value)| Some((path.clone(), Mark::of(value, keyring)?)))
                .collect(),
        )
    }

    /// Writes the label. When it would be too long, the longest values are kept as digests.
    pub fn to_text(&self) -> String {
        let wire = |marks: &BTreeMap<Path, Mark>| {
            let f = marks.iter().map(|(path, mark)| (path.to_string(), mark.to_wire())).collect();
            serde_json::to_string(&Wire { v: FORM, f }).expect("a map of strings is always JSON")
        };
        let mut marks = self.0.clone();
        let mut text = wire(&marks);
        while text.len() > LONGEST_LABEL {
            let longest = marks.values_mut().filter_map(|mark| match mark {
                Mark::Plain(text) if text.len() > SHORTEST_SHRUNK => Some((text.len(), mark)),
                Mark::Plain(_) | Mark::Digest(_) | Mark::Secret(_) => None,
            });
            // Hundreds of short values stay as they are: nothing shrinks any more.
            let Some((_, mark)) = longest.max_by_key(|(length, _)| *length) else { break };
            if let Mark::Plain(text) = mark {
                *mark = Mark::digest(text);
            }
            text = wire(&marks);
        }
        text
    }

    /// Reads a label. `None` for a version that is not known, or a text that is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let wire: Wire = serde_json::from_str(text).ok()?;
        if wire.v != FORM {
            return None;
        }
        // A path that this version does not know was written by a later one and is not compared.
        let known = wire.f.iter();
        Some(Self(
            known.filter_map(|(p, m)| Some((Path::parse(p)?, Mark::from_wire(m)?))).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Field;

    #[test]
    fn a_label_reads_back_and_stays_small() {
        let mut fields = Fields::default();
        fields.set(Field::Name, "shop-api");
        for index in 0..300 {
            fields.insert(Field::Env.key(format!("V{index}")), Value::plain("x".repeat(100)));
        }
        let text = Applied::of(&fields, &Keyring::default()).to_text();
        let read = Applied::parse(&text).unwrap();
        assert_eq!(read.0.len(), 301);
        let long = &read.0[&Field::Env.key("V7")];
        assert_eq!(long.matches(&"x".repeat(100), &Keyring::default()), Some(true));
        assert_eq!(long.matches("y", &Keyring::default()), Some(false));
    }

    #[test]
    fn strange_labels_are_no_labels() {
        for text in ["", "{}", "null", r#"{"v":2,"f":{}}"#, r#"{"v":1}"#] {
            assert_eq!(Applied::parse(text), None, "{text}");
        }
        let odd = Applied::parse(r#"{"v":1,"f":{"name":"=a","later":"=b","user":""}}"#).unwrap();
        assert_eq!(odd.0.len(), 1);
    }
}
