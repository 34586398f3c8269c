//! One look: what exists, in the texts that are compared.
//!
//! Three lists, then one inspection a container that matters, all in flight together. Everything is
//! found by its exact name in a list, never by asking for a name, which the engine would also take for
//! the beginning of an id.

mod pictures;

use std::collections::{BTreeMap, BTreeSet};

use bollard::{
    models::{
        ContainerSummary, Network as ApiNetwork, SystemInfoCgroupVersionEnum, Volume as ApiVolume,
    },
    query_parameters::ListVolumesOptions,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::body::Bytes;

use self::pictures::Pictures;
pub(super) use self::pictures::{familiar, named};
use super::{
    Docker, EngineInfo,
    decode::{self, Around},
    defaults::Defaults,
    dialect,
    host::Machine,
    record, refusal, tool,
};
use crate::{
    desired::{Field, Fields},
    engine::{Error, Observe},
    model::ResourceId,
    observed::{
        EngineFacts, LiveFields, Observed, PortHolder, PortUser, Record, Request, SeenNetwork,
        SeenVolume, label,
    },
};

impl Observe for Docker {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        // On the heap: it is too large a future for every caller to carry around.
        Box::pin(self.look_at(request)).await
    }
}

impl Docker {
    async fn look_at(&self, request: &Request) -> Result<Observed, Error> {
        let refused =
            |what: &'static str| move |error: bollard::errors::Error| self.refused(what, &error);
        let (here, networks, built, info) = tokio::try_join!(
            self.look_around(request),
            async { self.api.list_networks(None).await.map_err(refused("list networks")) },
            self.built_images(request.built_images),
            self.info(),
        )?;
        let Surroundings { request, containers, volumes, memory, inspections, mut pictures } = here;
        let request = &request;
        let names: BTreeMap<String, String> = networks
            .iter()
            .filter_map(|network| Some((network.id.clone()?, network.name.clone()?)))
            .collect();
        let lesson = memory.as_ref().and_then(|memory| memory.lesson.as_deref());
        let defaults = info.defaults.learning(lesson.unwrap_or_default());
        let around = Around {
            defaults: &defaults,
            networks: &names,
            project: &request.project_id,
            instance: request.instance.as_ref(),
        };

        let mut seen = Vec::with_capacity(inspections.len());
        for text in inspections {
            let json = serde_json::from_slice(&text);
            let json = json.map_err(|error| self.refused("inspect a container", &error.into()))?;
            let json = self.server.dialect.container(json, &defaults);
            seen.push(decode::container(json, &around));
        }
        seen.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let image_defaults = pictures.defaults(&seen, &defaults);
        for container in &mut seen {
            if !image_defaults.contains_key(&container.image_id) {
                defaults.strip(&mut container.fields);
            }
        }
        let (machine, published) = (info.machine.clone(), published_ports(&containers));
        let (listed, wanted) = (networks.clone(), request.ports.clone());
        let spare = tokio::task::spawn_blocking(move || machine.look(&listed, &wanted, &published));
        let (files, inner, spare) = tokio::join!(
            self.look_at_files(request, &seen),
            self.look_inside(request, &seen),
            spare
        );
        // What the machine does not tell is not known.
        let (host, programs) = spare.unwrap_or_default();
        let mut ports = foreign_ports(&containers, &around);
        ports.extend(programs);
        ports.sort();
        let seen_volumes = seen_volumes(&volumes, request, &around);
        let mut observed = Observed {
            at: now(),
            engine: info.facts.clone(),
            networks: seen_networks(&networks, &containers, request, &around),
            images: pictures.wanted,
            image_defaults,
            files: files?,
            inner,
            has_older_record: memory.as_ref().is_some_and(|memory| memory.has_older),
            record: memory.map(|memory| memory.record),
            ports,
            host,
            tools: tool::tools(&containers, request, &seen_volumes),
            volumes: seen_volumes,
            own_images: tool::own_images(&built, &containers),
            containers: seen,
        };
        observed.recognise();
        Ok(observed)
    }
}

impl Docker {
    pub(super) async fn info(&self) -> Result<EngineInfo, Error> {
        let ask = || async {
            let info = self.api.info().await;
            let info = info.map_err(|error| self.refused("describe itself", &error))?;
            let dialect = self.server.dialect;
            let machine = Machine::of(&self.address, &info, dialect == dialect::PODMAN).await;
            let facts = EngineFacts {
                name: self.server.name(),
                api: self.api.client_version().to_string(),
                address: self.address.clone(),
                id: info.id.unwrap_or_default(),
                memory: info.mem_total.and_then(|n| n.try_into().ok()).unwrap_or_default(),
                cpus: info.ncpu.and_then(|n| n.try_into().ok()).unwrap_or_default(),
                updates_in_place: dialect.updates_in_place,
            };
            let unified = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_2);
            let defaults = Defaults {
                log_driver: info
                    .logging_driver
                    .filter(|driver| !driver.is_empty())
                    .unwrap_or_else(|| "json-file".into()),
                cgroup: if unified { "private" } else { "host" },
                runtime: if dialect.repeats {
                    info.default_runtime.unwrap_or_else(|| "runc".into())
                } else {
                    "oci".into()
                },
                limits_swap: info.swap_limit.unwrap_or(true),
                unified,
                shm: dialect.shm,
                ipc: dialect.ipc,
                learned: Fields::default(),
            };
            Ok(EngineInfo { facts, defaults, machine })
        };
        self.engine.get_or_try_init(ask).await.cloned()
    }

    /// Returns the containers; `query` says which.
    pub(super) async fn containers(
        &self,
        query: &str,
        what: &str,
    ) -> Result<Vec<ContainerSummary>, Error> {
        let listed = self.wire.json(&format!("/containers/json?{query}")).await;
        let listed = listed.map_err(|error| self.refused(what, &error))?;
        let listed = serde_json::from_value(self.server.dialect.containers(listed));
        listed.map_err(|error| self.refused(what, &error.into()))
    }

    /// Looks at what does not need to be understood to know what else to look at.
    async fn look_around(&self, request: &Request) -> Result<Surroundings, Error> {
        let (containers, volumes, mut pictures) = tokio::try_join!(
            self.containers("all=true", "list containers"),
            async {
                let volumes = self.api.list_volumes(None::<ListVolumesOptions>).await;
                volumes.map_err(|error| self.refused("list volumes", &error))
            },
            self.wanted_images(request),
        )?;
        let volumes = volumes.volumes.unwrap_or_default();
        let ours = volumes.iter().filter(|volume| {
            let labels = sorted_map(&volume.labels);
            decode::owner(&labels, &request.project_id, request.instance.as_ref()).is_ours()
        });
        let memory = record::latest(ours)?;
        let record = memory.as_ref().map(|memory| &memory.record);
        let request = request.with_adopted(record);
        let matter: Vec<_> =
            containers.iter().filter(|container| matters(container, &request, record)).collect();
        let (inspections, ()) =
            tokio::try_join!(self.inspect_all(&matter), self.images_of(&matter, &mut pictures),)?;
        Ok(Surroundings { request, containers, volumes, memory, inspections, pictures })
    }

    /// Returns what the engine says of each container. One that went since the list was made is not there.
    async fn inspect_all(&self, all: &[&ContainerSummary]) -> Result<Vec<Bytes>, Error> {
        let ids = all.iter().filter_map(|container| container.id.as_deref());
        // Collected, since a closure that borrows cannot be held across the waiting.
        let inspections: Vec<_> = ids
            .map(async |id| {
                let document = refusal::found(self.inspection_text(id).await);
                document.map_err(|error| self.refused("inspect a container", &error))
            })
            .collect();
        let found: Vec<_> =
            stream::iter(inspections).buffer_unordered(self.wire.at_once()).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// What a look begins with.
struct Surroundings {
    /// The question, with what the record adds to it.
    request: Request,
    containers: Vec<ContainerSummary>,
    volumes: Vec<ApiVolume>,
    memory: Option<record::Memory>,
    /// The containers that matter, in the engine's words.
    inspections: Vec<Bytes>,
    pictures: Pictures,
}

/// Returns whether a container is looked at closely.
fn matters(container: &ContainerSummary, request: &Request, record: Option<&Record>) -> bool {
    let labels = sorted_map(container.labels.iter().flatten());
    // Helpers and locks are tools of an apply, not resources.
    !labels.contains_key(label::HELPER)
        && (decode::owner(&labels, &request.project_id, request.instance.as_ref()).is_ours()
            || Request::is_adopted(record, container.id.as_deref().unwrap_or_default())
            || names_of(container)
                .any(|name| request.names.contains(&ResourceId::Container(name.to_owned()))))
}

pub(super) fn seen_networks(
    all: &[ApiNetwork],
    containers: &[ContainerSummary],
    request: &Request,
    around: &Around<'_>,
) -> Vec<SeenNetwork> {
    let wanted = all.iter().filter_map(|network| {
        let name = network.name.clone()?;
        let id = network.id.clone()?;
        let labels = sorted_map(network.labels.iter().flatten());
        let owner = decode::owner(&labels, around.project, around.instance);
        let is_named = request.names.contains(&ResourceId::Network(name.clone()));
        if !owner.is_ours() && !is_named {
            return None;
        }
        let members = containers.iter().filter(|container| {
            let settings = container.network_settings.as_ref();
            let places = settings.and_then(|settings| settings.networks.as_ref());
            // Podman has the name for the id.
            let is_it = |at: &String| [&id, &name].contains(&at);
            let mut places = places.into_iter().flatten();
            places.any(|(_, place)| place.network_id.as_ref().is_some_and(is_it))
        });
        Some(SeenNetwork {
            members: members.filter_map(|it| names_of(it).next().map(str::to_owned)).collect(),
            created: network.created.clone().unwrap_or_default(),
            fields: network_fields(network),
            owner,
            id,
            name,
        })
    });
    let mut seen: Vec<SeenNetwork> = wanted.collect();
    seen.sort_by(|a, b| (&a.name, &a.created, &a.id).cmp(&(&b.name, &b.created, &b.id)));
    seen
}

fn network_fields(network: &ApiNetwork) -> LiveFields {
    let mut fields = LiveFields::default();
    fields.insert(Field::Driver.path(), network.driver.clone().unwrap_or_default());
    if network.internal == Some(true) {
        fields.insert(Field::Internal.path(), true);
    }
    let labels = network.labels.as_ref();
    let asked = dialect::asked_network(labels.and_then(|labels| labels.get(label::ASKED)));
    let repeats = asked.is_none();
    let mut asked = asked.unwrap_or_default();
    let options =
        if repeats { sorted_map(network.options.iter().flatten()) } else { asked.map("Options") };
    for (option, value) in options {
        // Written by engines from 28 on into every bridge.
        let is_default = matches!(
            (option.as_str(), value.as_str()),
            ("com.docker.network.enable_ipv4", "true")
                | ("com.docker.network.enable_ipv6", "false")
        );
        if !is_default {
            fields.insert(Field::DriverOption.key(option), value);
        }
    }
    let ipam = network.ipam.as_ref();
    let configs: Vec<_> =
        ipam.and_then(|ipam| ipam.config.as_ref()).into_iter().flatten().collect();
    // Whoever asks for a subnet names no gateway; the engine names one with each subnet it chooses.
    let fixed = configs.iter().filter(|config| config.gateway.is_none());
    let mut subnets: BTreeSet<String> = fixed.filter_map(|config| config.subnet.clone()).collect();
    // An engine that names a gateway in any case was made to remember.
    subnets.extend(asked.text("Subnet"));
    if !subnets.is_empty() {
        fields.insert(Field::Subnet.path(), serde_json::json!(subnets));
    }
    for config in configs {
        if let Some(range) = config.ip_range.as_ref().filter(|range| !range.is_empty()) {
            fields.insert(Field::Other.key("IPRange"), range);
        }
    }
    for (is_set, name) in [
        (network.enable_ipv6, "EnableIPv6"),
        (network.attachable, "Attachable"),
        (network.ingress, "Ingress"),
        (network.config_only, "ConfigOnly"),
    ] {
        if is_set == Some(true) {
            fields.insert(Field::Other.key(name), true);
        }
    }
    let driver = ipam.and_then(|ipam| ipam.driver.as_deref()).unwrap_or_default();
    if !matches!(driver, "" | "default") {
        fields.insert(Field::Other.key("IPAM driver"), driver);
    }
    fields
}

pub(super) fn seen_volumes(
    all: &[ApiVolume],
    request: &Request,
    around: &Around<'_>,
) -> Vec<SeenVolume> {
    let wanted = all.iter().filter_map(|volume| {
        let owner = volume_owner(volume, around);
        let is_named = request.names.contains(&ResourceId::Volume(volume.name.clone()));
        if volume.labels.contains_key(label::RECORD) || !(owner.is_ours() || is_named) {
            return None;
        }
        let mut fields = LiveFields::default();
        fields.insert(Field::Driver.path(), &volume.driver);
        for (option, value) in sorted_map(&volume.options) {
            fields.insert(Field::DriverOption.key(option), value);
        }
        let disposable = volume.labels.contains_key(label::DISPOSABLE);
        Some(SeenVolume { name: volume.name.clone(), owner, fields, disposable })
    });
    let mut seen: Vec<SeenVolume> = wanted.collect();
    seen.sort_by(|a, b| a.name.cmp(&b.name));
    seen
}

pub(super) fn foreign_ports(all: &[ContainerSummary], around: &Around<'_>) -> Vec<PortHolder> {
    let mut holders = BTreeSet::new();
    for container in all {
        let labels = sorted_map(container.labels.iter().flatten());
        if decode::owner(&labels, around.project, around.instance).is_ours() {
            continue;
        }
        let name = names_of(container).next().unwrap_or_default();
        for port in container.ports.iter().flatten() {
            let Some(public) = port.public_port else { continue };
            let address = match port.ip.as_deref() {
                // A port published everywhere is listed once for each family of addresses.
                None | Some("" | "::") => "0.0.0.0",
                Some(address) => address,
            };
            let address = address.to_owned();
            let protocol = port.typ.map_or_else(|| "tcp".to_owned(), |typ| typ.to_string());
            let by = PortUser::Container(name.to_owned());
            holders.insert(PortHolder { address, port: public, protocol, by });
        }
    }
    holders.into_iter().collect()
}

/// Returns the ports of the host that any container has.
fn published_ports(all: &[ContainerSummary]) -> BTreeSet<u16> {
    let ports = all.iter().flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(|port| port.public_port).collect()
}

fn volume_owner(volume: &ApiVolume, around: &Around<'_>) -> crate::observed::Owner {
    decode::owner(&sorted_map(&volume.labels), around.project, around.instance)
}

/// A container has further names, with a slash in the middle, when others link to it.
pub(super) fn names_of(container: &ContainerSummary) -> impl Iterator<Item = &str> {
    let names = container.names.iter().flatten();
    names.map(|name| name.trim_start_matches('/')).filter(|name| !name.contains('/'))
}

fn sorted_map<'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> BTreeMap<String, String> {
    entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A look is dated by the clock of whoever looks.
fn now() -> u64 {
    jiff::Timestamp::now().as_millisecond().try_into().unwrap_or_default()
}
