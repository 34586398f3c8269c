//! Making a container: what is desired of it, in the engine's words.
//!
//! The only place where secrets of a container's environment are revealed.

use std::collections::{BTreeMap, BTreeSet};

use bollard::{
    models::{
        ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig,
        HostConfig, HostConfigLogConfig, Mount as ApiMount, MountType, NetworkingConfig,
        PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder},
};

use super::{Docker, refusal};
use crate::{
    desired::{
        Attachment, Capabilities, Container, Dns, HealthCheck, Limits, Log, Mount, MountSource,
        Namespaces, Restart, Stop, Ulimit,
    },
    engine::{Error, Refusal},
    model::{Sensitive, Text},
    observed::label,
    plan::Target,
};

/// From this version on a container is created with all its networks.
const ALL_NETWORKS_AT_ONCE: (usize, usize) = (1, 44);
const NANOS_A_MILLI: u64 = 1_000_000;

impl Docker {
    pub(super) async fn create_container(
        &self,
        container: &Container,
        name: &str,
        labels: &BTreeMap<String, String>,
        anonymous: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let what = || format!("create container {name}");
        let ids = self.network_ids(container.networks.keys()).await?;
        let mut body = self.container_body(container, &ids, labels, anonymous)?;
        let fixed = container.networks.iter();
        let fixed = fixed.filter_map(|(network, place)| Some((network, place.ipv4.as_ref()?)));
        let dialect = self.server.dialect;
        let asked = dialect.asked(&body, fixed);
        dialect.translate(&mut body);
        body.labels.get_or_insert_default().extend(asked.map(|it| (label::ASKED.to_owned(), it)));
        let options = || Some(CreateContainerOptionsBuilder::new().name(name).build());
        let mut made = self.api.create_container(options(), body.clone()).await.map(drop);
        if let Err(error) = &made
            && refusal::status(error) == Some(409)
            && let Some(there) = self.container_labels(name).await?
        {
            if !is_ours(&there.labels, labels) {
                return Err(self.refused(what(), error));
            }
            if is_same(&there.labels, labels) {
                made = Ok(());
            } else {
                let force = RemoveContainerOptionsBuilder::new().force(true).build();
                let removed = self.api.remove_container(&there.id, Some(force)).await;
                refusal::found(removed).map_err(|error| self.refused(what(), &error))?;
                made = self.api.create_container(options(), body).await.map(drop);
            }
        }
        made.map_err(|error| self.refused(what(), &error))?;
        // A container kept from an apply that was cut off may lack some of its networks.
        let target = Target::Name(name.to_owned());
        for (network, attachment) in &container.networks {
            self.connect_network(&target, network, attachment).await?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one line a field, all in one place")]
    fn container_body(
        &self,
        container: &Container,
        network_ids: &BTreeMap<String, String>,
        given_labels: &BTreeMap<String, String>,
        anonymous: &BTreeMap<String, String>,
    ) -> Result<ContainerCreateBody, Error> {
        // Taken apart by name, so that a new field does not compile until it is encoded.
        let Container {
            name: _,    // given apart, since a replacement is made under another name
            service: _, // in the labels
            replica: _, // in the labels
            class: _,   // shows in the restart policy
            image,
            command,
            entrypoint,
            env,
            user,
            workdir,
            hostname,
            labels: _, // among the labels given
            mounts,
            tmpfs,
            ports,
            networks,
            limits,
            restart,
            health,
            capabilities,
            privileged,
            security,
            read_only,
            sysctls,
            ulimits,
            shm,
            dns,
            extra_hosts,
            groups,
            stop,
            log,
            devices,
            init,
            namespaces,
            phase: _,        // reached by starting and stopping
            probe: _,        // how nself looks at it
            ready_within: _, // likewise
        } = container;
        let Limits { memory, reservation, cpus, cpu_shares, cpuset, pids } = limits;
        let Capabilities { add, drop } = capabilities;
        let Dns { servers, search, options } = dns;
        let Stop { signal, grace } = stop;
        let Namespaces { ipc, pid, uts, users, cgroup } = namespaces;

        let mut revealed = Vec::with_capacity(env.len());
        for (key, value) in env {
            revealed.push(format!("{key}={}", self.reveal(value)?.expose()));
        }
        let carried = anonymous.iter().filter(|(path, _)| !mounts.contains_key(*path));
        let carried = carried.map(|(path, volume)| volume_mount(path, volume));
        let memory = memory.map(|size| signed(size.0));
        let host = HostConfig {
            mounts: Some(mounts.iter().map(|(path, m)| mount(path, m)).chain(carried).collect()),
            tmpfs: non_empty(tmpfs).map(owned),
            port_bindings: Some(
                ports
                    .iter()
                    .map(|(port, bindings)| {
                        let bindings = bindings.iter().map(|binding| PortBinding {
                            host_ip: Some(binding.address.clone()),
                            host_port: Some(binding.port.to_string()),
                        });
                        (port.to_string(), Some(bindings.collect()))
                    })
                    .collect(),
            ),
            // By name: a network made anew under its name can be joined again. The id stands beside
            // it in the endpoint, so that of two networks of one name the right one is meant.
            network_mode: Some(networks.keys().next().map_or("none", String::as_str).to_owned()),
            memory,
            memory_swap: memory.map(|bytes| bytes * 2),
            memory_reservation: reservation.map(|size| signed(size.0)),
            nano_cpus: cpus.map(|cpus| signed(cpus.0)),
            cpu_shares: cpu_shares.map(i64::from),
            cpuset_cpus: cpuset.clone(),
            pids_limit: pids.map(i64::from),
            restart_policy: Some(restart_policy(*restart)),
            cap_add: list(add),
            cap_drop: list(drop),
            privileged: Some(*privileged),
            security_opt: list(security),
            readonly_rootfs: Some(*read_only),
            sysctls: non_empty(sysctls).map(owned),
            ulimits: non_empty(ulimits).map(|ulimits| ulimits.iter().map(ulimit).collect()),
            shm_size: shm.map(|size| signed(size.0)),
            dns: list(servers),
            dns_search: list(search),
            dns_options: list(options),
            extra_hosts: list(extra_hosts),
            group_add: list(groups),
            log_config: log_config(log),
            devices: Some(devices.iter().map(|device| device_mapping(device)).collect()),
            init: init.then_some(true),
            ipc_mode: ipc.clone(),
            pid_mode: pid.clone(),
            uts_mode: uts.clone(),
            userns_mode: users.clone(),
            cgroupns_mode: match cgroup {
                None => None,
                Some(mode) => Some(self.cgroup_mode(mode)?),
            },
            ..HostConfig::default()
        };
        Ok(ContainerCreateBody {
            image: Some(image.to_string()),
            cmd: command.clone(),
            entrypoint: entrypoint.clone(),
            env: Some(revealed),
            user: user.clone(),
            working_dir: workdir.clone(),
            hostname: hostname.clone(),
            labels: Some(owned(given_labels)),
            healthcheck: health.as_ref().map(health_config),
            // The engine publishes no port that is not exposed as well, and says nothing of it.
            exposed_ports: Some(ports.keys().map(ToString::to_string).collect()),
            stop_signal: signal.clone(),
            stop_timeout: grace.map(|grace| signed(grace.0.div_ceil(1000))),
            host_config: Some(host),
            networking_config: Some(self.places(networks, network_ids, hostname.as_deref())),
            ..ContainerCreateBody::default()
        })
    }

    /// Before 1.44 the engine refuses a container with two places at once; the others follow before it
    /// is started.
    fn places(
        &self,
        networks: &BTreeMap<String, Attachment>,
        ids: &BTreeMap<String, String>,
        hostname: Option<&str>,
    ) -> NetworkingConfig {
        let at_once = if self.version() < ALL_NETWORKS_AT_ONCE { 1 } else { networks.len() };
        let places = networks.iter().take(at_once).map(|(network, attachment)| {
            (network.clone(), endpoint(attachment, hostname, ids.get(network).cloned()))
        });
        NetworkingConfig { endpoints_config: Some(places.collect()) }
    }

    pub(super) fn reveal(&self, text: &Text) -> Result<Sensitive, Error> {
        self.keyring().reveal(text).ok_or_else(|| {
            let missing = text.secrets().find(|name| self.keyring().get(name).is_none());
            Error::SecretMissing(missing.map(ToString::to_string).unwrap_or_default())
        })
    }

    fn cgroup_mode(
        &self,
        mode: &str,
    ) -> Result<bollard::models::HostConfigCgroupnsModeEnum, Error> {
        mode.parse().map_err(|_| {
            let why = format!("`{mode}` is not a mode of control group namespaces");
            self.refusal("create the container", Refusal::Invalid, why)
        })
    }
}

/// Returns how a place on a network is asked for. A container answers to its host name wherever it is.
pub(super) fn endpoint(
    attachment: &Attachment,
    hostname: Option<&str>,
    network_id: Option<String>,
) -> EndpointSettings {
    let Attachment { aliases, ipv4 } = attachment;
    let hostname = hostname.map(str::to_owned);
    let names: BTreeSet<&String> = aliases.iter().chain(&hostname).collect();
    EndpointSettings {
        aliases: list(names),
        ipam_config: ipv4.clone().map(|address| EndpointIpamConfig {
            ipv4_address: Some(address),
            ..EndpointIpamConfig::default()
        }),
        network_id,
        ..EndpointSettings::default()
    }
}

/// Returns a restart policy; "off" is a word, since an empty one means "as it was" in an update.
pub(super) fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, times) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure(times) => (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(times))),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: times }
}

/// Sizes beyond what the engine can count are as good as its largest.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns whether an object with these labels belongs to the project instance that is meant.
pub(super) fn is_ours(there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    let same = |key: &str| there.get(key) == wanted.get(key);
    wanted.contains_key(label::PROJECT) && same(label::PROJECT) && same(label::INSTANCE)
}

/// A container has its image's labels as well, some of which are ours when nself built the image.
fn is_same(there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| there.get(key) == Some(value))
}

fn mount(path: &str, mount: &Mount) -> ApiMount {
    let Mount { source, read_only } = mount;
    let (kind, source) = match source {
        MountSource::Volume(name) => (MountType::VOLUME, name),
        MountSource::Bind(path) => (MountType::BIND, path),
    };
    ApiMount {
        target: Some(path.to_owned()),
        source: Some(source.clone()),
        typ: Some(kind),
        read_only: Some(*read_only),
        ..ApiMount::default()
    }
}

fn volume_mount(path: &str, volume: &str) -> ApiMount {
    mount(path, &Mount { source: MountSource::Volume(volume.to_owned()), read_only: false })
}

fn ulimit((name, Ulimit { soft, hard }): (&String, &Ulimit)) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.clone()), soft: Some(*soft), hard: Some(*hard) }
}

fn log_config(log: &Log) -> Option<HostConfigLogConfig> {
    let Log { driver, options } = log;
    if driver.is_none() && options.is_empty() {
        return None;
    }
    Some(HostConfigLogConfig { typ: driver.clone(), config: Some(owned(options)) })
}

fn device_mapping(device: &str) -> DeviceMapping {
    let mut parts = device.splitn(3, ':');
    let host = parts.next().unwrap_or_default();
    let inside = parts.next().unwrap_or(host);
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
    }
}

fn health_config(health: &HealthCheck) -> HealthConfig {
    let HealthCheck { test, interval, timeout, retries, start_period } = health;
    let nanos = |millis: u64| Some(signed(millis.saturating_mul(NANOS_A_MILLI)));
    let mut argv = vec!["CMD".to_owned()];
    argv.extend(test.iter().cloned());
    HealthConfig {
        test: Some(argv),
        interval: nanos(interval.0),
        timeout: nanos(timeout.0),
        retries: Some(i64::from(*retries)),
        start_period: nanos(start_period.0),
        start_interval: None,
    }
}

fn list<'a>(items: impl IntoIterator<Item = &'a String>) -> Option<Vec<String>> {
    let items: Vec<String> = items.into_iter().cloned().collect();
    (!items.is_empty()).then_some(items)
}

fn non_empty<K, V>(map: &BTreeMap<K, V>) -> Option<&BTreeMap<K, V>> {
    (!map.is_empty()).then_some(map)
}

/// Returns the map as the client library wants it; the type is whatever the field is.
pub(super) fn owned<M: FromIterator<(String, String)>>(map: &BTreeMap<String, String>) -> M {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
