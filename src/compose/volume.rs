//! What services of a compose file mount, and the volumes among that.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, Value as Toml};

use super::{service::Shared, sheet::Sheet, yaml::Node};
use crate::model::{Diagnostic, Origin, ServiceName};

/// What the top of the files says of volumes, secrets and configs.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// `volumes:`
    pub(super) declared: Option<Node>,
    /// `secrets:` and `configs:`
    pub(super) files: BTreeMap<&'static str, Option<Node>>,
    /// The volumes that some service mounts.
    pub(super) used: BTreeSet<String>,
}

/// One mount.
struct Mount {
    kind: String,
    source: String,
    target: String,
    read_only: bool,
    at: Origin,
    /// Options of a memory file system.
    options: String,
}

/// Writes what a service mounts.
pub(super) fn write(
    shared: &mut Shared<'_, '_>,
    sheet: &mut Sheet,
    name: &ServiceName,
    node: &mut Node,
) {
    let mut binds: BTreeMap<String, String> = BTreeMap::new();
    let mut tmpfs: BTreeMap<String, String> = BTreeMap::new();
    let mut volumes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mounts = node.take("volumes");
    for item in mounts.iter().flat_map(|(_, node)| node.items()) {
        let Some(mount) = read(shared, sheet, item) else { continue };
        let mode = if mount.read_only { ":ro" } else { "" };
        match mount.kind.as_str() {
            "bind" if mount.source.contains(':') => {
                let why = "a path with a colon in it cannot be said";
                shared.lost(sheet, &mount.at, "volumes", why);
            }
            "bind" => _ = binds.insert(mount.target, format!("{}{mode}", mount.source)),
            "tmpfs" => _ = tmpfs.insert(mount.target, mount.options),
            "volume" if mount.source.is_empty() => {
                let why = "a volume without a name cannot be said; what runs keeps its own, and hands \
                           it on when it is made anew";
                shared.lost(sheet, &mount.at, "volumes", why);
            }
            "volume" => {
                shared.volumes.used.insert(mount.source.clone());
                let target = format!("{}{mode}", mount.target);
                volumes.entry(mount.source).or_default().push(target);
            }
            other => {
                let why = format!("nself does not mount a `{other}`");
                shared.lost(sheet, &mount.at, "volumes", &why);
            }
        }
    }
    for (key, folder) in [("secrets", "/run/secrets/"), ("configs", "/")] {
        let Some((_, items)) = node.take(key) else { continue };
        for item in items.items() {
            if let Some((target, source)) = file(shared, sheet, key, folder, item) {
                binds.insert(target, format!("{source}:ro"));
            }
        }
    }
    if let Some((_, items)) = node.take("tmpfs") {
        for text in items.texts() {
            let (path, options) = text.split_once(':').unwrap_or((&text, ""));
            tmpfs.insert(path.to_owned(), options.to_owned());
        }
    }
    let targets = volumes.into_iter().map(|(name, mut targets)| {
        let value: Toml = match targets.pop() {
            Some(only) if targets.is_empty() => only.into(),
            last => targets.into_iter().chain(last).collect::<Array>().into(),
        };
        (name, value)
    });
    sheet.values("volumes", targets.collect());
    sheet.map("binds", &binds);
    sheet.map("tmpfs", &tmpfs);
    let _ = name;
}

fn read(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, item: &Node) -> Option<Mount> {
    let clean = |path: &str| {
        let trimmed = path.trim_end_matches('/');
        if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
    };
    if let Some(text) = item.text() {
        let parts: Vec<&str> = text.splitn(3, ':').collect();
        let (source, target, mode) = match parts.as_slice() {
            [target] => ("", *target, ""),
            [source, target] => (*source, *target, ""),
            [source, target, mode] => (*source, *target, *mode),
            _ => return None,
        };
        let mut read_only = false;
        for word in mode.split(',') {
            match word {
                "ro" => read_only = true,
                // How the host labels or shares it is the host's own doing.
                "" | "rw" | "z" | "Z" | "rprivate" | "cached" | "delegated" | "consistent" => {}
                other => {
                    let why = "nself mounts things to be read, or read and written";
                    shared.lost(sheet, &item.at, &format!("volumes {other}"), why);
                }
            }
        }
        let kind = if source.starts_with('/') { "bind" } else { "volume" };
        return Some(Mount {
            kind: kind.to_owned(),
            source: source.to_owned(),
            target: clean(target),
            read_only,
            at: item.at.clone(),
            options: String::new(),
        });
    }
    let part = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default().to_owned();
    let mut options = Vec::new();
    for (key, value) in item.entries() {
        match (key.text.as_str(), value.entries()) {
            ("type" | "source" | "target" | "read_only" | "consistency", _) => {}
            ("tmpfs", entries) => {
                for (key, value) in entries {
                    let text = value.text().unwrap_or_default();
                    match (key.text.as_str(), super::words::size(text)) {
                        ("size", Some(size)) => options.push(format!("size={}", size.0)),
                        ("mode", _) => {
                            let mode = text.trim_start_matches("0o").trim_start_matches('0');
                            options.push(format!("mode={mode}"));
                        }
                        _ => {}
                    }
                }
            }
            // Compose makes a folder that is missing; that is all that this says.
            ("bind", entries)
                if entries.iter().all(|(key, _)| {
                    matches!(key.text.as_str(), "create_host_path" | "selinux")
                }) => {}
            ("volume", []) => {}
            (other, _) => {
                let why = "nself.toml has no word for it";
                shared.lost(sheet, &key.at, &format!("volumes {other}"), why);
            }
        }
    }
    let kind = part("type");
    Some(Mount {
        kind: if kind.is_empty() { "volume".to_owned() } else { kind },
        source: part("source"),
        target: clean(&part("target")),
        read_only: item.get("read_only").is_some_and(Node::flag),
        at: item.at.clone(),
        options: options.join(","),
    })
}

/// Returns where a secret or config of the file is mounted, and the file on the host.
fn file(
    shared: &mut Shared<'_, '_>,
    sheet: &mut Sheet,
    key: &'static str,
    folder: &str,
    item: &Node,
) -> Option<(String, String)> {
    let name = item.get("source").unwrap_or(item).text()?;
    let target = item.get("target").and_then(Node::text).unwrap_or(name);
    let target =
        if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") };
    let rule = shared.volumes.files.get(key).and_then(|top| top.as_ref()?.get(name));
    let path = rule.and_then(|rule| rule.get("file")).and_then(Node::text).map(str::to_owned);
    match path {
        Some(path) => Some((target, path)),
        None => {
            let why = format!(
                "`{name}` is no file: what runs keeps it at {target} until it is made anew, and then \
                 it is gone"
            );
            shared.lost(sheet, &item.at, key, &why);
            None
        }
    }
}

/// Returns the tables of the volumes that services mount, by name.
pub(super) fn tables(
    project: &str,
    volumes: &Volumes,
    findings: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Sheet> {
    let mut all = BTreeMap::new();
    for name in &volumes.used {
        let mut sheet = Sheet::default();
        let rule = volumes.declared.as_ref().and_then(|top| top.get(name));
        let external = rule.and_then(|rule| rule.get("external"));
        let own = rule.and_then(|rule| rule.get("name")).or_else(|| external?.get("name"));
        let is_external = external.is_some_and(|node| node.flag() || !node.entries().is_empty());
        let default = if is_external { name.clone() } else { format!("{project}_{name}") };
        sheet.set("name", own.and_then(Node::text).map_or(default, str::to_owned));
        if is_external {
            sheet.set("external", true);
        }
        for (key, value) in rule.map(Node::entries).unwrap_or_default() {
            match key.text.as_str() {
                "name" | "external" | "labels" => {}
                "driver" => {
                    if let Some(driver) = value.text().filter(|driver| *driver != "local") {
                        sheet.set("driver", driver);
                    }
                }
                "driver_opts" => {
                    let options = value.entries().iter();
                    let options = options.map(|(key, value)| {
                        (key.text.clone(), value.text().unwrap_or_default().to_owned())
                    });
                    sheet.map("options", &options.collect());
                }
                other if !other.starts_with("x-") => {
                    let message = format!("`volumes.{name}.{other}` was not carried over");
                    sheet.remark(&format!("{}: {message}", key.at.brief()));
                    findings.push(Diagnostic::warning("not-carried", message).at(&key.at, ""));
                }
                _ => {}
            }
        }
        all.insert(name.clone(), sheet);
    }
    all
}
