//! Taking JSON apart without failing: what has another shape than expected is left in place.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// A JSON object from which values are taken. What is left was not understood.
#[derive(Debug, Default)]
pub(in super::super) struct Object(pub(super) Map<String, Json>);

impl Object {
    /// Wraps a document; anything but an object is an empty one.
    pub(in super::super) fn new(json: Json) -> Self {
        match json {
            Json::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Takes a text that is not empty.
    pub(in super::super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key, Json::is_string)? {
            Json::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Takes a whole number; 0 is one, too.
    pub(in super::super) fn count(&mut self, key: &str) -> Option<i64> {
        self.take(key, Json::is_i64)?.as_i64()
    }

    /// Takes a whole number that is not 0.
    pub(in super::super) fn number(&mut self, key: &str) -> Option<i64> {
        self.take(key, Json::is_i64)?.as_i64().filter(|number| *number != 0)
    }

    /// Takes a flag; absent is false.
    pub(in super::super) fn flag(&mut self, key: &str) -> bool {
        self.take(key, Json::is_boolean).and_then(|flag| flag.as_bool()).unwrap_or_default()
    }

    /// Takes an object; absent is empty.
    pub(in super::super) fn object(&mut self, key: &str) -> Self {
        self.take(key, Json::is_object).map(Self::new).unwrap_or_default()
    }

    /// Takes a list; absent is empty.
    pub(in super::super) fn array(&mut self, key: &str) -> Vec<Json> {
        match self.take(key, Json::is_array) {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        }
    }

    /// Takes a list of texts.
    pub(in super::super) fn texts(&mut self, key: &str) -> Vec<String> {
        self.array(key).into_iter().filter_map(into_text).collect()
    }

    /// Takes a map of texts.
    pub(in super::super) fn map(&mut self, key: &str) -> BTreeMap<String, String> {
        let entries = self.object(key).0.into_iter();
        entries.filter_map(|(key, value)| Some((key, into_text(value)?))).collect()
    }

    fn take(&mut self, key: &str, has_shape: impl FnOnce(&Json) -> bool) -> Option<Json> {
        if !self.0.get(key).is_some_and(has_shape) {
            return None;
        }
        self.0.remove(key)
    }
}

fn into_text(json: Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text),
        _ => None,
    }
}

impl Object {
    /// Returns whether there is anything under `key`.
    pub(in super::super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns a text without taking it.
    pub(in super::super) fn peek(&self, key: &str) -> Option<&String> {
        match self.0.get(key)? {
            Json::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Object {
    /// Returns what is left, with its keys.
    pub(in super::super) fn entries(self) -> impl Iterator<Item = (String, Json)> {
        self.0.into_iter()
    }

    /// Returns what is left.
    pub(in super::super) fn values(self) -> impl Iterator<Item = Json> {
        self.0.into_iter().map(|(_, value)| value)
    }
}
