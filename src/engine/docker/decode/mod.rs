//! What the engine says of a container, in the texts that are compared.
//!
//! Reads the engine's JSON itself: whatever of a host configuration is neither understood nor at its
//! default becomes [`Field::Other`], so that what a later engine adds is seen rather than lost. Image
//! defaults are not subtracted here.

mod config;
mod endpoints;
mod host;
mod json;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

pub(super) use config::image_fields;
pub(super) use json::Object;

use super::defaults::Defaults;
use crate::{
    desired::Field,
    model::Instance,
    observed::{Applied, Health, LiveFields, Owner, SeenContainer, State, label},
};

/// What is needed to read a container besides what it says itself.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// The engine's defaults.
    pub(super) defaults: &'a Defaults,
    /// Names of the networks that exist, by id.
    pub(super) networks: &'a BTreeMap<String, String>,
    /// Whose objects are ours.
    pub(super) project: &'a str,
    /// Likewise.
    pub(super) instance: Option<&'a Instance>,
}

/// Reads a container.
pub(super) fn container(json: Json, around: &Around<'_>) -> SeenContainer {
    let mut root = Object::new(json);
    let id = root.text("Id").unwrap_or_default();
    let name = root.text("Name").unwrap_or_default().trim_start_matches('/').to_owned();
    let mut config = root.object("Config");
    let mut host = root.object("HostConfig");
    let mut settings = root.object("NetworkSettings");
    let mut status = root.object("State");
    let labels = config.map("Labels");

    let mut fields = LiveFields::default();
    fields.insert(Field::Name.path(), &name);
    config::container_fields(&mut config, &labels, &id, &mut fields);
    let places = endpoints::Places { id: &id, name: &name, networks: around.networks };
    let addresses = endpoints::decode(&mut settings, &places, &mut fields);
    let mode = host.text("NetworkMode").unwrap_or_default();
    if let Some(mode) = endpoints::mode(&mode, &places) {
        fields.insert(Field::NetworkMode.path(), mode);
    }
    let mut anonymous = BTreeMap::new();
    host::mounts(&mut host, root.array("Mounts"), &mut fields, &mut anonymous);
    host::decode(host, around.defaults, &mut fields);

    let owner = owner(&labels, around.project, around.instance);
    if let (Owner::Foreign, Some(project)) = (&owner, labels.get(label::PROJECT)) {
        // Another project of nself would miss it.
        fields.insert(Field::Other.key(label::PROJECT), project);
    }
    let health = status.object("Health").text("Status").and_then(|word| health(&word));
    let state = state(&mut status);
    fields.insert(Field::State.path(), state);
    SeenContainer {
        owner,
        image_id: root.text("Image").unwrap_or_default(),
        created: root.text("Created").unwrap_or_default(),
        restarts: root.number("RestartCount").and_then(|n| n.try_into().ok()).unwrap_or_default(),
        started: started(&mut status),
        addresses: if state == State::Running { addresses } else { BTreeMap::new() },
        id,
        name,
        fields,
        state,
        health,
        anonymous,
    }
}

/// Reads a host configuration alone.
pub(super) fn host_fields(json: Json, defaults: &Defaults) -> LiveFields {
    let mut fields = LiveFields::default();
    host::decode(Object::new(json), defaults, &mut fields);
    fields
}

/// Returns what a container is doing.
pub(super) fn state(status: &mut Object) -> State {
    let code = status.number("ExitCode").unwrap_or_default();
    let oom = status.flag("OOMKilled");
    match status.text("Status").as_deref() {
        Some("running") => State::Running,
        Some("paused") => State::Paused,
        Some("restarting") => State::Restarting { code },
        Some("exited") => State::Exited { code, oom },
        Some("created") => State::Created,
        // `removing`, `dead`, and whatever else can neither run nor be started.
        _ => State::Dead,
    }
}

/// Returns what the engine's health check says; `None` when there is none.
pub(super) fn health(word: &str) -> Option<Health> {
    match word {
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        "starting" => Some(Health::Starting),
        _ => None,
    }
}

/// Returns whose an object with these labels is.
pub(super) fn owner(
    labels: &BTreeMap<String, String>,
    project: &str,
    instance: Option<&Instance>,
) -> Owner {
    let is_ours = labels.get(label::PROJECT).is_some_and(|id| id == project)
        && labels.get(label::INSTANCE).map(String::as_str) == instance.map(Instance::as_str);
    if !is_ours {
        return Owner::Foreign;
    }
    Owner::Ours {
        resource: labels.get(label::RESOURCE).and_then(|text| text.parse().ok()),
        applied: labels.get(label::APPLIED).and_then(|text| Applied::parse(text)),
    }
}

/// The engine writes the year 1 for "never".
pub(super) fn started(status: &mut Object) -> String {
    status.text("StartedAt").filter(|at| !at.starts_with("0001-")).unwrap_or_default()
}

fn sorted(items: impl IntoIterator<Item = String>) -> String {
    list(items.into_iter().collect::<BTreeSet<_>>())
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    Json::Array(items.into_iter().map(Json::String).collect()).to_string()
}

#[cfg(test)]
mod tests;
