//! Networks of a compose file, and who is on them.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, InlineTable, Value as Toml};

use super::{service::Shared, sheet::Sheet, yaml::Node};
use crate::model::Diagnostic;

const DEFAULT: &str = "default";

/// Writes on which networks a service is. `renamed` is its name in the compose file, where nself calls it
/// otherwise.
pub(super) fn places(
    shared: &mut Shared<'_, '_>,
    sheet: &mut Sheet,
    written: Option<&Node>,
    renamed: Option<String>,
) {
    let entries = written.map(Node::entries).unwrap_or_default();
    let mut all: BTreeMap<String, InlineTable> = BTreeMap::new();
    for (key, how) in entries {
        let mut place = InlineTable::new();
        for (word, value) in how.entries() {
            match word.text.as_str() {
                "aliases" => {
                    place.insert("aliases", Array::from_iter(value.texts()).into());
                }
                "ipv4_address" => {
                    place.insert("address", value.text().unwrap_or_default().into());
                }
                // Which comes first does not matter here.
                "priority" => {}
                other => {
                    let why = "nself.toml has no word for it";
                    shared.lost(sheet, &word.at, &format!("networks.{other}"), why);
                }
            }
        }
        all.insert(key.text.clone(), place);
    }
    if all.is_empty() {
        all.insert(DEFAULT.to_owned(), InlineTable::new());
    }
    if let Some(name) = renamed {
        for place in all.values_mut() {
            let mut aliases = place.get("aliases").and_then(Toml::as_array).cloned();
            let aliases = aliases.get_or_insert_default();
            if !aliases.iter().any(|alias| alias.as_str() == Some(&name)) {
                aliases.push(name.as_str());
            }
            place.insert("aliases", aliases.clone().into());
        }
    }
    if all.values().any(|place| !place.is_empty()) {
        let values = all.into_iter().map(|(name, place)| (name, place.into()));
        sheet.values("networks", values.collect());
    } else if all.len() > 1 || !all.contains_key(DEFAULT) {
        sheet.list("networks", all.into_keys());
    }
}

/// Returns the tables of the networks that services are on, by name.
pub(super) fn tables(
    project: &str,
    top: Option<&Node>,
    used: &BTreeSet<String>,
    findings: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Sheet> {
    let mut all = BTreeMap::new();
    for name in used {
        let mut sheet = Sheet::default();
        let nothing = Vec::new();
        let rule = top.and_then(|top| top.get(name));
        let entries = rule.map_or(nothing.as_slice(), Node::entries);
        let external = rule.and_then(|rule| rule.get("external"));
        let own = rule.and_then(|rule| rule.get("name")).or_else(|| external?.get("name"));
        let is_external = external.is_some_and(|node| node.flag() || !node.entries().is_empty());
        let default = if is_external { name.clone() } else { format!("{project}_{name}") };
        sheet.set("name", own.and_then(Node::text).map_or(default, str::to_owned));
        if is_external {
            sheet.set("external", true);
        }
        let mut lost = |key: &str, node: &Node, sheet: &mut Sheet| {
            let message = format!("`networks.{name}.{key}` was not carried over");
            let problem = Diagnostic::warning("not-carried", message).at(&node.at, "");
            sheet.remark(&format!("{}: {}", node.at.brief(), problem.message));
            findings.push(problem.help("nself makes bridges with a subnet and options"));
        };
        for (key, value) in entries {
            match key.text.as_str() {
                "name" | "external" | "labels" => {}
                "internal" if value.flag() => sheet.set("internal", true),
                "internal" => {}
                "driver" if matches!(value.text(), Some("bridge") | None) => {}
                "driver_opts" => {
                    let options = value.entries().iter();
                    let options = options.map(|(key, value)| {
                        (key.text.clone(), value.text().unwrap_or_default().to_owned())
                    });
                    sheet.map("options", &options.collect());
                }
                "ipam" => subnet(&mut sheet, value, &mut lost),
                other if !other.starts_with("x-") && value.text() != Some("false") => {
                    lost(other, value, &mut sheet);
                }
                _ => {}
            }
        }
        all.insert(name.clone(), sheet);
    }
    all
}

fn subnet(sheet: &mut Sheet, ipam: &Node, lost: &mut impl FnMut(&str, &Node, &mut Sheet)) {
    for (key, value) in ipam.entries() {
        match (key.text.as_str(), value.items()) {
            ("config", [only]) => {
                for (key, value) in only.entries() {
                    match key.text.as_str() {
                        "subnet" => sheet.set("subnet", value.text().unwrap_or_default()),
                        other => lost(&format!("ipam.{other}"), value, sheet),
                    }
                }
            }
            ("driver", _) if matches!(value.text(), Some("default")) => {}
            (other, _) => lost(&format!("ipam.{other}"), value, sheet),
        }
    }
}
