//! A container's places on networks.

use std::collections::BTreeMap;

use super::{Object, config::SHORT, sorted};
use crate::{desired::Field, observed::LiveFields};

/// What is needed to tell one network from another.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// The container's id.
    pub(super) id: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Names of the networks that exist, by id.
    pub(super) networks: &'a BTreeMap<String, String>,
}

/// What the engine calls being on no network; it is no place.
const NOWHERE: &str = "none";

/// Reads the places and returns the addresses there.
pub(super) fn decode(
    settings: &mut Object,
    places: &Places<'_>,
    fields: &mut LiveFields,
) -> BTreeMap<String, String> {
    let mut addresses = BTreeMap::new();
    for (key, endpoint) in settings.object("Networks").0 {
        let mut endpoint = Object::new(endpoint);
        let Some(name) = network(&key, endpoint.text("NetworkID"), places) else { continue };
        if name == NOWHERE {
            continue;
        }
        fields.insert(Field::Network.key(&name), "attached");
        // A running container answers to its short id as well, and to its name whoever asks for that;
        // both are the engine's own doing.
        let short = places.id.get(..SHORT).unwrap_or(places.id);
        let aliases = endpoint.texts("Aliases").into_iter();
        let aliases = aliases.filter(|alias| alias != short && alias != places.name);
        let aliases: Vec<String> = aliases.collect();
        if !aliases.is_empty() {
            fields.insert(Field::Alias.key(&name), sorted(aliases));
        }
        let mut wanted = endpoint.object("IPAMConfig");
        if let Some(address) = wanted.text("IPv4Address") {
            fields.insert(Field::Address.key(&name), address);
        }
        if let Some(address) = wanted.text("IPv6Address") {
            fields.insert(Field::Other.key(format!("IPv6Address {name}")), address);
        }
        let links = endpoint.texts("Links");
        if !links.is_empty() {
            fields.insert(Field::Other.key(format!("Links {name}")), sorted(links));
        }
        for (option, value) in endpoint.map("DriverOpts") {
            fields.insert(Field::Other.key(format!("DriverOpts {name} {option}")), value);
        }
        if let Some(address) = endpoint.text("IPAddress") {
            addresses.insert(name, address);
        }
    }
    addresses
}

/// Returns the network a container was created with; `None` when that is none at all.
pub(super) fn mode(mode: &str, places: &Places<'_>) -> Option<String> {
    match mode {
        "" | NOWHERE => None,
        // Created by id: people know it by its name.
        other => Some(places.networks.get(other).cloned().unwrap_or_else(|| other.to_owned())),
    }
}

/// Returns the network's name, unless the container was on a network that is gone: the engine keeps the
/// place in the books of a stopped container, and the next start fails over it. A container that never
/// ran may have a place without an id; then the name counts.
fn network(key: &str, id: Option<String>, places: &Places<'_>) -> Option<String> {
    match id {
        Some(id) => places.networks.get(&id).cloned(),
        None => places.networks.values().find(|name| *name == key).cloned(),
    }
}
