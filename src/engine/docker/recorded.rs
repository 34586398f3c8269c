//! A look at answers that were written down: what an engine said, without the engine.
//!
//! It decodes what a living engine says with the same functions, so that whatever an engine may say can be
//! tried. What is asked by other means than its lists and inspections is not in it: files, the inside of
//! services, the machine.

use std::collections::BTreeMap;

use bollard::models::{ContainerSummary, ImageSummary, Network as ApiNetwork, Volume as ApiVolume};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    decode::{self, Around},
    defaults::Defaults,
    dialect, observe, record, tool,
};
use crate::{
    desired::Fields,
    observed::{Observed, Request},
};

/// Why answers cannot be read. What stands there is not repeated, since there are secrets in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: this is not what an engine answers")]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1; 0 before the first.
    pub column: usize,
}

/// An engine's answers, in its own JSON. Whatever is absent is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answers {
    /// Whether it is Podman; else it is Docker.
    podman: bool,
    /// Whether the kernel has control groups 2.
    unified: bool,
    /// Whether the kernel can limit swap.
    limits_swap: bool,
    /// `/containers/json`
    containers: Json,
    /// `/containers/ID/json`, one each
    inspections: Vec<Json>,
    /// `/networks`
    networks: Vec<ApiNetwork>,
    /// `Volumes` of `/volumes`
    volumes: Vec<ApiVolume>,
    /// `/images/json`
    images: Vec<ImageSummary>,
    /// `/images/ID/json`, by id
    image_inspections: BTreeMap<String, Json>,
}

/// Reads a JSON object of answers as one look: `containers`, `inspections`, `networks`, `volumes`, `images`
/// and `image_inspections`, each as the engine writes it, and what it is: `podman`, `unified`,
/// `limits_swap`.
///
/// # Errors
/// The place of what an engine does not say.
pub fn recorded(text: &str, request: &Request) -> Result<Observed, Unreadable> {
    let unreadable =
        |error: serde_json::Error| Unreadable { line: error.line().max(1), column: error.column() };
    let answers: Answers = serde_json::from_str(text).map_err(unreadable)?;
    let Answers {
        podman,
        unified,
        limits_swap,
        containers,
        inspections,
        networks,
        volumes,
        images,
        image_inspections,
    } = answers;
    let (networks, volumes, images) = (&networks, &volumes, &images);
    let dialect = if podman { dialect::PODMAN } else { dialect::DOCKER };
    let containers: Option<Vec<ContainerSummary>> =
        serde_json::from_value(dialect.containers(containers)).map_err(unreadable)?;
    let containers = containers.unwrap_or_default();

    let names: BTreeMap<String, String> = networks
        .iter()
        .filter_map(|network| Some((network.id.clone()?, network.name.clone()?)))
        .collect();
    let ours = volumes.iter().filter(|volume| {
        let labels = volume.labels.clone().into_iter().collect();
        decode::owner(&labels, &request.project_id, request.instance.as_ref()).is_ours()
    });
    // Whoever plays answers back wants to see what there is; that of a newer nself is none.
    let memory = record::latest(ours).ok().flatten();
    let request = &request.with_adopted(memory.as_ref().map(|memory| &memory.record));
    let defaults = Defaults {
        log_driver: "json-file".into(),
        cgroup: if unified { "private" } else { "host" },
        runtime: if dialect.repeats { "runc" } else { "oci" }.into(),
        limits_swap,
        unified,
        shm: dialect.shm,
        ipc: dialect.ipc,
        learned: Fields::default(),
    };
    let lesson = memory.as_ref().and_then(|memory| memory.lesson.as_deref());
    let defaults = defaults.learning(lesson.unwrap_or_default());
    let around = Around {
        defaults: &defaults,
        networks: &names,
        project: &request.project_id,
        instance: request.instance.as_ref(),
    };
    let wanted = observe::named(image_inspections.values(), request);
    let declared = image_inspections.into_iter().map(|(id, json)| {
        let mut fields = defaults.fields();
        fields.0.extend(decode::image_fields(dialect.image(json)).0);
        (id, fields)
    });
    let image_defaults: BTreeMap<String, Fields> = declared.collect();
    let mut seen: Vec<_> = inspections
        .into_iter()
        .map(|json| decode::container(dialect.container(json, &defaults), &around))
        .collect();
    seen.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    for container in &mut seen {
        if !image_defaults.contains_key(&container.image_id) {
            defaults.strip(&mut container.fields);
        }
    }
    let seen_volumes = observe::seen_volumes(volumes, request, &around);
    let mut observed = Observed {
        networks: observe::seen_networks(networks, &containers, request, &around),
        images: wanted,
        image_defaults,
        record: memory.map(|memory| memory.record),
        ports: observe::foreign_ports(&containers, &around),
        tools: tool::tools(&containers, request, &seen_volumes),
        own_images: tool::own_images(images, &containers),
        volumes: seen_volumes,
        containers: seen,
        ..Observed::default()
    };
    dialect.name.clone_into(&mut observed.engine.name);
    observed.engine.updates_in_place = dialect.updates_in_place;
    observed.recognise();
    Ok(observed)
}
