//! Reading `[services.NAME]`: every service in the words of its kind.

use std::collections::{BTreeMap, BTreeSet};

use super::{Service, Settings, template::RESERVED};
use crate::{
    catalog::{KINDS, Kind, Options},
    model::{
        Diagnostic, Origin, ServiceName,
        decode::{Entry, NodeValue, Table, refuse_unknown, suggest},
    },
};

/// The services of a file, as far as they could be read.
#[derive(Default)]
pub(super) struct Services {
    /// Those that could be read.
    pub(super) read: BTreeMap<ServiceName, Service>,
    /// Those that are there and could not: references to them are not judged.
    pub(super) broken: BTreeSet<ServiceName>,
}

/// The kind that nself itself puts in front of all others; `[gateway]` is where it is written.
pub(crate) const GATEWAY: &str = "gateway";

/// Returns the kinds that a person can choose.
pub(crate) fn choosable() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.name != GATEWAY)
}

impl Services {
    /// Reads the table `services`.
    pub(super) fn read(root: &Table, problems: &mut Vec<Diagnostic>) -> Self {
        let mut services = Self::default();
        let Some(tables) = root.get("services").and_then(|entry| entry.node.table(problems)) else {
            return services;
        };
        let mut keys = KnownKeys::default();
        for (text, entry) in tables {
            let name = name(text, &entry.key, problems);
            let service = service(text, entry, &mut keys, problems);
            match (name, service) {
                (Some(name), Some(service)) => _ = services.read.insert(name, service),
                (Some(name), None) => _ = services.broken.insert(name),
                (None, _) => {}
            }
        }
        services
    }
}

fn name(text: &str, key: &Origin, problems: &mut Vec<Diagnostic>) -> Option<ServiceName> {
    let mut bad = |message: String, help: &str| {
        let problem = Diagnostic::error("bad-name", message).at(key, "");
        problems.push(if help.is_empty() { problem } else { problem.help(help) });
        None
    };
    if RESERVED.contains(&text) {
        let message = format!("a service cannot be called `{text}`");
        return bad(message, &format!("`${{{text}.…}}` means something else"));
    }
    if text == GATEWAY {
        return bad(
            "the gateway is not a service of yours".to_owned(),
            "it comes by itself with the first `route`; its settings are in [gateway]",
        );
    }
    match ServiceName::new(text) {
        Ok(name) => Some(name),
        Err(error) => bad(error.to_string(), ""),
    }
}

/// The keys of each kind's services, gathered once a kind.
#[derive(Default)]
struct KnownKeys(BTreeMap<&'static str, Vec<&'static str>>);

impl KnownKeys {
    fn of(&mut self, kind: &'static Kind) -> &[&'static str] {
        self.0.entry(kind.name).or_insert_with(|| {
            let own = Options::keys(kind).into_iter().map(|key| key.name);
            own.chain(Settings::KEYS.iter().copied()).collect()
        })
    }
}

fn service(
    name: &str,
    entry: &Entry,
    keys: &mut KnownKeys,
    problems: &mut Vec<Diagnostic>,
) -> Option<Service> {
    let table = entry.node.table(problems)?;
    let settings = settings(table, &entry.key, problems);
    let kind = kind(name, table, problems)?;
    refuse_unknown(table, keys.of(kind), problems);
    let options = Options::decode_keys(kind, table, Some(&entry.key), problems);
    let service = Service { origin: entry.key.clone(), options: options?, settings: settings? };
    if kind.image.is_none() && !service.is_external() && !names_image(table) {
        problems.push(no_image(name, &service));
    }
    Some(service)
}

/// Returns whether the table says which image, or tries to: a misspelt key has been blamed already.
fn names_image(table: &Table) -> bool {
    table.keys().any(|key| suggest(key, ["image", "build"]).is_some())
}

fn no_image(name: &str, service: &Service) -> Diagnostic {
    let problem =
        Diagnostic::error("no-image", format!("`{name}` has neither `image` nor `build`"));
    let known = choosable().filter(|kind| kind.image.is_some()).map(|kind| kind.name);
    match (suggest(name, known), &service.settings.kind) {
        (Some(near), None) => {
            problem.at(&service.origin, "").help(format!("did you mean kind = \"{near}\"?"))
        }
        (Some(_) | None, _) => problem
            .at(&service.origin, format!("a {} of your own", service.kind().name))
            .help("say image = \"…\" or build = \"FOLDER\""),
    }
}

/// Reads the settings. When some are wrong, returns the others, so that these are judged, too.
fn settings(table: &Table, owner: &Origin, problems: &mut Vec<Diagnostic>) -> Option<Settings> {
    let read = |table: &Table, problems: &mut Vec<Diagnostic>| {
        Settings::decode_keys(table, Some(owner), problems)
    };
    read(table, problems).or_else(|| {
        let good = |(key, entry): (&String, &Entry)| {
            let alone = Table::from([(key.clone(), entry.clone())]);
            read(&alone, &mut Vec::new()).map(|_| (key.clone(), entry.clone()))
        };
        read(&table.iter().filter_map(good).collect(), &mut Vec::new())
    })
}

fn kind(name: &str, table: &Table, problems: &mut Vec<Diagnostic>) -> Option<&'static Kind> {
    let choose = |name: &str| choosable().find(|kind| kind.name == name);
    let Some(entry) = table.get("kind") else {
        return choose(name).or_else(|| choose("container"));
    };
    // Anything but a string has been refused with the settings.
    let NodeValue::String(text) = &entry.node.value else { return None };
    let kind = choose(text);
    if kind.is_none() {
        let all: Vec<_> = choosable().map(|kind| kind.name).collect();
        let note = suggest(text, all.iter().copied()).map_or_else(
            || format!("kinds: {}", all.join(", ")),
            |s| format!("did you mean `{s}`?"),
        );
        let message = format!("there is no kind `{text}`");
        problems.push(Diagnostic::error("unknown-kind", message).at(&entry.node.origin, note));
    }
    kind
}
