//! One table of an `nself.toml` while it is written: keys, values, and remarks above them.

use std::collections::BTreeMap;

use toml_edit::{Array, InlineTable, Item, Table, Value};

/// A table.
#[derive(Debug, Clone, Default)]
pub(super) struct Sheet {
    pub(super) table: Table,
    remarks: Vec<String>,
}

/// A line that is longer than this is made a table of its own.
const WIDEST: usize = 96;

impl Sheet {
    /// Sets a key.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.table.insert(key, Item::Value(value.into()));
    }

    /// Sets a key to a list of texts.
    pub(super) fn list(&mut self, key: &str, items: impl IntoIterator<Item = String>) {
        self.set(key, Array::from_iter(items));
    }

    /// Sets a key to a list of texts, unless it is empty.
    pub(super) fn list_of_some(&mut self, key: &str, items: Vec<String>) {
        if !items.is_empty() {
            self.list(key, items);
        }
    }

    /// Sets a key to a map of texts, in one line or in a table of its own; nothing for an empty one.
    pub(super) fn map(&mut self, key: &str, entries: &BTreeMap<String, String>) {
        let values = entries.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
        self.values(key, values.collect());
    }

    /// The same for any values, in their order.
    pub(super) fn values(&mut self, key: &str, entries: Vec<(String, Value)>) {
        if entries.is_empty() {
            return;
        }
        let inline: InlineTable = entries.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let text = inline.to_string();
        if key.len() + text.len() + 3 <= WIDEST && !text.contains('\n') {
            self.set(key, inline);
            return;
        }
        let mut table = Table::new();
        for (key, value) in entries {
            table.insert(&key, Item::Value(value));
        }
        self.table.insert(key, Item::Table(table));
    }

    /// Puts a remark above the table.
    pub(super) fn remark(&mut self, text: &str) {
        self.remarks.push(text.to_owned());
    }

    /// Puts a remark above a key that is there.
    pub(super) fn remark_on(&mut self, key: &str, text: &str) {
        if let Some(mut key) = self.table.key_mut(key) {
            key.leaf_decor_mut().set_prefix(comment(&[text.to_owned()]));
        }
    }

    /// Returns the table with its remarks above it.
    pub(super) fn done(mut self) -> Table {
        let above = format!("\n{}", comment(&self.remarks));
        self.table.decor_mut().set_prefix(above);
        self.table
    }
}

/// Returns lines of comment; what could end one is taken out.
pub(super) fn comment(lines: &[String]) -> String {
    let clean = |line: &str| -> String {
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let lines = lines.iter().flat_map(|text| text.lines());
    lines.flat_map(|line| ["# ".to_owned(), clean(line), "\n".to_owned()]).collect()
}
