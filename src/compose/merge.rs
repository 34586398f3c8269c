//! One compose file over another: which keys merge, which are added to, which replace.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use super::yaml::{Key, Merging, Node, Value};

/// Lays `over` on `base`, both whole files or parts of them at `path`.
pub(super) fn lay(base: &mut Node, over: Node, path: &[&str]) {
    if over.merging == Merging::Override {
        *base = Node { merging: Merging::Usual, ..over };
        return;
    }
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(more)) => {
            for (key, node) in more {
                lay_entry(entries, key, node, path);
            }
        }
        (Value::List(items), Value::List(more)) if !replaces(path) => {
            for item in more {
                let name = identity(path, &item);
                let there = items.iter().position(|old| {
                    *old == item || (name.is_some() && identity(path, old) == name)
                });
                match there {
                    Some(place) => items[place] = item,
                    None => items.push(item),
                }
            }
        }
        (base_value, over_value) => {
            *base_value = over_value;
            base.at = over.at;
        }
    }
}

fn lay_entry(entries: &mut Vec<(Key, Node)>, key: Key, node: Node, path: &[&str]) {
    let place = entries.iter().position(|(other, _)| other.text == key.text);
    match (place, node.merging) {
        (Some(place), Merging::Reset) => _ = entries.remove(place),
        (None, Merging::Reset) => {}
        (Some(place), _) => {
            let mut path = path.to_vec();
            path.push(&key.text);
            lay(&mut entries[place].1, node, &path);
        }
        (None, _) => entries.push((key, node)),
    }
}

/// Takes out what says that something is not to be.
pub(super) fn settle(node: &mut Node) {
    match &mut node.value {
        Value::Map(entries) => {
            entries.retain(|(_, node)| node.merging != Merging::Reset);
            for (_, node) in entries {
                settle(node);
            }
        }
        Value::List(items) => items.iter_mut().for_each(settle),
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// Lists that are one value: a command is not added to.
fn replaces(path: &[&str]) -> bool {
    matches!(path.last(), Some(&("command" | "entrypoint" | "test")))
}

/// Returns what makes two items of a list the same thing.
fn identity(path: &[&str], item: &Node) -> Option<String> {
    match path.last() {
        // By the path inside.
        Some(&("volumes" | "devices")) => match item.get("target") {
            Some(target) => target.text().map(str::to_owned),
            None => {
                let text = item.text()?;
                let mut parts = text.split(':');
                let first = parts.next()?;
                Some(parts.next().unwrap_or(first).to_owned())
            }
        },
        Some(&("secrets" | "configs")) => {
            let name = item.get("target").or_else(|| item.get("source")).unwrap_or(item);
            name.text().map(str::to_owned)
        }
        _ => None,
    }
}

/// Brings the short forms of one service's keys to the long ones that merge key by key.
pub(super) fn normalise(service: &mut Node) {
    let Value::Map(entries) = &mut service.value else { return };
    for (key, node) in entries {
        match key.text.as_str() {
            "environment" | "labels" | "annotations" | "sysctls" => pairs(node, &['=']),
            "extra_hosts" => pairs(node, &['=', ':']),
            "depends_on" | "networks" => names(node),
            "env_file" | "tmpfs" | "dns" | "dns_search" | "label_file" => list(node),
            "build" => {
                if node.text().is_some() {
                    let inner = node.clone();
                    let key = Key { text: "context".to_owned(), at: node.at.clone() };
                    node.value = Value::Map(vec![(key, inner)]);
                }
                if let Value::Map(entries) = &mut node.value {
                    let args = entries.iter_mut().filter(|(key, _)| key.text == "args");
                    args.for_each(|(_, args)| pairs(args, &['=']));
                }
            }
            _ => {}
        }
    }
}

/// `[A=1]` → `{A: 1}`; one without a value takes the shell's.
fn pairs(node: &mut Node, signs: &[char]) {
    let Value::List(items) = &node.value else { return };
    let entries = items.iter().filter_map(|item| {
        let text = item.text()?;
        let (name, value) = match text.split_once(signs) {
            Some((name, value)) => (name, item.scalar(value)),
            None => (text, item.here(Value::Null)),
        };
        Some((Key { text: name.to_owned(), at: item.at.clone() }, value))
    });
    let mut all: Vec<(Key, Node)> = Vec::new();
    for (key, node) in entries {
        all.retain(|(other, _)| other.text != key.text);
        all.push((key, node));
    }
    node.value = Value::Map(all);
}

/// `[a]` → `{a: }`
fn names(node: &mut Node) {
    let Value::List(items) = &node.value else { return };
    let entries = items.iter().filter_map(|item| {
        let key = Key { text: item.text()?.to_owned(), at: item.at.clone() };
        Some((key, item.here(Value::Null)))
    });
    node.value = Value::Map(entries.collect());
}

/// `a` → `[a]`
fn list(node: &mut Node) {
    if node.text().is_some() {
        let item = node.clone();
        node.value = Value::List(vec![item]);
    }
}
