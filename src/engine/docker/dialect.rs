//! Where engines that speak Docker's language mean something else by it, as data: one value an engine.
//!
//! Podman does not repeat what it was asked. It tells capabilities as differences from its own, puts
//! options of its own to each mount, knows no log options, and calls networks by name where Docker has
//! their ids. But nothing of a container changes there after it was made, save its limits, its state and
//! its networks. So what was asked is written into a label of the container, and read from it; the rest
//! is read from the engine, and brought to Docker's form. Of a container that somebody else made there
//! is only the latter.

use std::collections::BTreeMap;

use bollard::models::ContainerCreateBody;
use serde_json::{Map, Value as Json, json};

use super::{decode::Object, defaults::Defaults, observe::familiar};
use crate::{desired::Network, observed::label};

/// What an engine can do, and how it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// What the engine is called.
    pub(super) name: &'static str,
    /// Limits, restart policies and fixed addresses can be changed in place.
    pub(super) updates_in_place: bool,
    /// What was asked is told in the same words.
    pub(super) repeats: bool,
    /// Where images are described with all that they declare.
    pub(super) images: &'static str,
    /// What a container is called between the end of its process and the next start.
    pub(super) between_starts: &'static str,
    /// A look at a link shows the link, and not where it leads.
    pub(super) shows_links: bool,
    /// What containers get that ask for nothing.
    pub(super) shm: u64,
    /// Likewise.
    pub(super) ipc: &'static str,
}

pub(super) const DOCKER: Dialect = Dialect {
    name: "docker",
    updates_in_place: true,
    repeats: true,
    images: "/images",
    between_starts: "restarting",
    shows_links: true,
    shm: 64 << 20,
    ipc: "private",
};

pub(super) const PODMAN: Dialect = Dialect {
    name: "podman",
    updates_in_place: false,
    repeats: false,
    images: "/libpod/images",
    between_starts: EXITED,
    shows_links: false,
    shm: 65_536_000,
    ipc: "shareable",
};

/// What a container is called whose process ended.
pub(super) const EXITED: &str = "exited";
/// Limits that somebody could have changed since; told as they are.
const LIMITS: [&str; 6] =
    ["Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "CpusetCpus"];
/// Put into every container's environment, unless it has its own.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const INVENTED: [(&str, &str); 3] = [("TERM", "xterm"), ("container", "podman"), ("PATH", PATH)];
/// Likewise, from the account or the host name.
const DERIVED: [&str; 2] = ["HOME", "HOSTNAME"];
/// Seconds that a container has to stop, where nobody says.
const GRACE: i64 = 10;
/// Numbers of signals, which are told where names were given.
const SIGNALS: [(i64, &str); 8] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (12, "SIGUSR2"),
    (15, "SIGTERM"),
    (28, "SIGWINCH"),
];
const TERMINATE: &str = "SIGTERM";
/// The option that gives a mount to the container's user.
const OWNED: &str = "U";

impl Dialect {
    /// Returns what is written into the label of a container that is made; `None` where the engine
    /// repeats it. Environments are left out, since there are secrets in them.
    pub(super) fn asked<'a>(
        &self,
        body: &ContainerCreateBody,
        addresses: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Option<String> {
        if self.repeats {
            return None;
        }
        let mut host = serde_json::to_value(&body.host_config).unwrap_or_default();
        if let Json::Object(host) = &mut host {
            host.retain(|_, value| !super::defaults::is_nothing(value));
        }
        let names = body.env.iter().flatten().filter_map(|entry| entry.split_once('='));
        let names = names.map(|(name, _)| name).filter(|name| is_invented(name));
        let asked = json!({
            "Image": body.image,
            "StopSignal": body.stop_signal,
            "StopTimeout": body.stop_timeout,
            "WorkingDir": body.working_dir,
            // Podman takes its words apart at the blanks.
            "Healthcheck": body.healthcheck,
            "Env": names.collect::<Vec<_>>(),
            "Addresses": addresses.collect::<BTreeMap<_, _>>(),
            "HostConfig": host,
        });
        Some(asked.to_string())
    }

    /// Puts what is asked of a container into words that mean the same to this engine.
    pub(super) fn translate(&self, body: &mut ContainerCreateBody) {
        if self.repeats {
            return;
        }
        // It mounts `/run` anew below read-only images and narrows what the image has there, and the
        // runtime takes the mode of what is mounted over. This makes the container's user the owner.
        let tmpfs = body.host_config.as_mut().and_then(|host| host.tmpfs.as_mut());
        for options in tmpfs.into_iter().flat_map(|tmpfs| tmpfs.values_mut()) {
            if !options.is_empty() {
                options.push(',');
            }
            options.push_str(OWNED);
        }
    }

    /// Likewise of a network.
    pub(super) fn asked_of_network(&self, network: &Network) -> Option<String> {
        let Network { name: _, internal: _, options, subnet } = network;
        let asked = || json!({ "Subnet": subnet, "Options": options }).to_string();
        (!self.repeats).then(asked)
    }

    /// Brings what the engine says of a container to Docker's form.
    pub(super) fn container(&self, mut json: Json, defaults: &Defaults) -> Json {
        if self.repeats {
            return json;
        }
        let label = json.pointer("/Config/Labels").and_then(|labels| labels.get(label::ASKED));
        let asked = label.and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
        if let Some(Json::String(word)) = json.pointer_mut("/State/Status") {
            *word = state(word).to_owned();
        }
        if let Some(config) = json.get_mut("Config").and_then(Json::as_object_mut) {
            configuration(config, asked.as_ref());
        }
        let host = json.get_mut("HostConfig").map(Json::take).unwrap_or_default();
        json["HostConfig"] = match &asked {
            Some(asked) => self.asked_host(host, asked, defaults),
            None => told_host(host, defaults),
        };
        let places = json.pointer_mut("/NetworkSettings/Networks").and_then(Json::as_object_mut);
        for (network, place) in places.into_iter().flatten() {
            // It is the name, once more.
            place["NetworkID"] = Json::Null;
            let fixed = asked.as_ref().and_then(|asked| asked["Addresses"].get(network));
            if let Some(fixed) = fixed {
                let live = place["IPAddress"].as_str().filter(|address| !address.is_empty());
                let address = live.map_or_else(|| fixed.clone(), |live| json!(live));
                place["IPAMConfig"] = json!({ "IPv4Address": address });
            }
        }
        json
    }

    fn asked_host(&self, live: Json, asked: &Json, defaults: &Defaults) -> Json {
        let mut host = asked["HostConfig"].as_object().cloned().unwrap_or_default();
        for key in LIMITS.into_iter().chain(["RestartPolicy"]) {
            host.insert(key.to_owned(), live[key].clone());
        }
        if host.contains_key("PidsLimit") {
            host.insert("PidsLimit".into(), live["PidsLimit"].clone());
        }
        let mut unless_asked = |key: &str, default: Json| {
            host.entry(key).or_insert(default);
        };
        unless_asked("ShmSize", json!(self.shm));
        unless_asked("IpcMode", json!(self.ipc));
        unless_asked("CgroupnsMode", json!(defaults.cgroup));
        unless_asked("LogConfig", json!({}));
        if let Some(log) = host.get_mut("LogConfig").and_then(Json::as_object_mut) {
            log.entry("Type").or_insert_with(|| json!(defaults.log_driver));
        }
        host.insert("MaskedPaths".into(), defaults.masked());
        host.insert("ReadonlyPaths".into(), defaults.read_only());
        Json::Object(host)
    }

    /// Returns whether a place on a network that is taken now will be told with the address that was
    /// asked for; `labels` are the container's.
    pub(super) fn tells_address(
        &self,
        labels: &BTreeMap<String, String>,
        network: &str,
        address: &str,
    ) -> bool {
        let asked = || serde_json::from_str::<Json>(labels.get(label::ASKED)?).ok();
        self.repeats || asked().is_some_and(|asked| asked["Addresses"][network] == address)
    }

    /// Brings what the engine says of an image to the form in which it is said of containers.
    pub(super) fn image(&self, mut json: Json) -> Json {
        if self.repeats {
            return json;
        }
        // What an image says of health stands beside its configuration.
        let health = json.get_mut("Healthcheck").map(Json::take).unwrap_or_default();
        if let Some(config) = json.get_mut("Config").and_then(Json::as_object_mut) {
            strip(config, &[]);
            if health.is_object() {
                config.insert("Healthcheck".into(), health);
            }
        }
        json
    }

    /// Brings a list of containers to Docker's form.
    pub(super) fn containers(&self, mut json: Json) -> Json {
        if !self.repeats {
            for container in json.as_array_mut().into_iter().flatten() {
                if let Some(Json::String(word)) = container.get_mut("State") {
                    *word = state(word).to_owned();
                }
                // Of one that does not run it lists the ports that it would have.
                if !matches!(container["State"].as_str(), Some("running" | "paused")) {
                    container["Ports"] = json!([]);
                }
            }
        }
        json
    }
}

/// Podman has more words for what a container does.
fn state(word: &str) -> &str {
    match word {
        "configured" | "initialized" => "created",
        // Ended, and not yet tidied up after.
        "stopped" => EXITED,
        "stopping" => "running",
        other => other,
    }
}

fn configuration(config: &mut Map<String, Json>, asked: Option<&Json>) {
    let asked_names = asked.and_then(|asked| asked["Env"].as_array()).cloned().unwrap_or_default();
    let asked_names: Vec<&str> = asked_names.iter().filter_map(Json::as_str).collect();
    let signal = config.get("StopSignal").and_then(Json::as_str).and_then(|text| text.parse().ok());
    let named = SIGNALS.iter().find(|(number, _)| Some(*number) == signal);
    if let Some((_, name)) = named {
        config.insert("StopSignal".into(), json!(name));
    }
    if config.get("StopTimeout") == Some(&json!(GRACE)) {
        config.remove("StopTimeout");
    }
    strip(config, &asked_names);
    if let Some(Json::String(image)) = config.get_mut("Image") {
        *image = familiar(image).to_owned();
    }
    let Some(asked) = asked else { return };
    // It tells 0 where nothing was asked, which is a time like any other.
    config.remove("StopTimeout");
    for key in ["StopSignal", "StopTimeout", "WorkingDir", "Image", "Healthcheck"] {
        let is_same_image = key != "Image"
            || asked[key].as_str().map(familiar) == config.get(key).and_then(Json::as_str);
        if !asked[key].is_null() && is_same_image {
            config.insert(key.to_owned(), asked[key].clone());
        }
    }
}

/// Takes away what every container and image has.
fn strip(config: &mut Map<String, Json>, asked: &[&str]) {
    if let Some(env) = config.get_mut("Env").and_then(Json::as_array_mut) {
        env.retain(|entry| {
            let pair = entry.as_str().and_then(|entry| entry.split_once('='));
            pair.is_none_or(|pair| {
                asked.contains(&pair.0) || !(INVENTED.contains(&pair) || DERIVED.contains(&pair.0))
            })
        });
    }
    for (key, default) in [("WorkingDir", "/"), ("StopSignal", TERMINATE)] {
        if config.get(key) == Some(&json!(default)) {
            config.remove(key);
        }
    }
}

fn is_invented(name: &str) -> bool {
    DERIVED.contains(&name) || INVENTED.iter().any(|(invented, _)| *invented == name)
}

/// Reads the host configuration of a container that others made, as far as it goes.
fn told_host(host: Json, defaults: &Defaults) -> Json {
    let mut host = match host {
        Json::Object(host) => host,
        other => return other,
    };
    for key in ["MemorySwappiness", "PidsLimit"] {
        host.remove(key);
    }
    if host.get("NanoCpus").is_some_and(|cpus| *cpus != json!(0)) {
        host.remove("CpuPeriod");
        host.remove("CpuQuota");
    }
    for key in ["PidMode", "UTSMode"] {
        if host.get(key) == Some(&json!("private")) {
            host.remove(key);
        }
    }
    if host.get("CgroupnsMode").is_none_or(|mode| *mode == json!("")) {
        host.insert("CgroupnsMode".into(), json!(defaults.cgroup));
    }
    for ulimit in host.get_mut("Ulimits").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(name) = ulimit["Name"].as_str().and_then(|name| name.strip_prefix("RLIMIT_")) {
            ulimit["Name"] = json!(name.to_ascii_lowercase());
        }
    }
    let own = ["rprivate", "rbind", "nosuid", "nodev", "tmpcopyup"];
    let plain = |options: &str| {
        let kept = options.split(',').filter(|option| !own.contains(option));
        kept.collect::<Vec<_>>().join(",")
    };
    for bind in host.get_mut("Binds").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some((place, options)) = bind.as_str().and_then(|bind| bind.rsplit_once(':')) {
            *bind = json!(format!("{place}:{}", plain(options)));
        }
    }
    let tmpfs = host.get_mut("Tmpfs").and_then(Json::as_object_mut);
    for options in tmpfs.into_iter().flat_map(|tmpfs| tmpfs.values_mut()) {
        *options = json!(plain(options.as_str().unwrap_or_default()));
    }
    host.insert("MaskedPaths".into(), defaults.masked());
    host.insert("ReadonlyPaths".into(), defaults.read_only());
    Json::Object(host)
}

/// Returns what was asked of a network, where the engine was made to remember it.
pub(super) fn asked_network(label: Option<&String>) -> Option<Object> {
    serde_json::from_str(label?).ok().map(Object::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Fields;

    fn defaults() -> Defaults {
        Defaults {
            log_driver: "json-file".into(),
            cgroup: "host",
            runtime: "oci".into(),
            limits_swap: true,
            unified: false,
            shm: PODMAN.shm,
            ipc: PODMAN.ipc,
            learned: Fields::default(),
        }
    }

    #[test]
    fn what_was_asked_is_read_from_the_label_and_limits_from_the_engine() {
        let body = ContainerCreateBody {
            image: Some("debian:bookworm-slim".into()),
            env: Some(vec!["TERM=xterm".into(), "PASSWORD=hidden".into()]),
            host_config: Some(bollard::models::HostConfig {
                cap_drop: Some(vec!["ALL".into()]),
                memory: Some(64),
                ..Default::default()
            }),
            ..Default::default()
        };
        let (network, address) = ("net".to_owned(), "192.0.2.9".to_owned());
        let asked = PODMAN.asked(&body, [(&network, &address)].into_iter()).unwrap();
        assert!(!asked.contains("hidden"), "{asked}");
        assert_eq!(DOCKER.asked(&body, std::iter::empty()), None);
        let live = json!({
            "State": { "Status": "stopped" },
            "Config": {
                "Labels": { label::ASKED: asked },
                "Image": "localhost/debian:bookworm-slim",
                "Hostname": "h",
                "Env": ["TERM=xterm", "container=podman", "HOSTNAME=h", "PASSWORD=hidden"],
                "StopSignal": "15",
                "StopTimeout": 10,
                "WorkingDir": "/",
            },
            "HostConfig": {
                "CapDrop": ["CHOWN", "KILL"],
                "Memory": 128,
                "PidsLimit": 2048,
                "Runtime": "oci",
            },
            "NetworkSettings": { "Networks": { "net": { "NetworkID": "net", "IPAddress": "" } } },
        });
        let read = PODMAN.container(live, &defaults());
        assert_eq!(read["State"]["Status"], "exited");
        assert_eq!(read["Config"]["Image"], "debian:bookworm-slim");
        assert_eq!(read["Config"]["Env"], json!(["TERM=xterm", "PASSWORD=hidden"]));
        assert_eq!(read["Config"].get("StopSignal"), None);
        assert_eq!(read["HostConfig"]["CapDrop"], json!(["ALL"]));
        assert_eq!(read["HostConfig"]["Memory"], 128);
        assert_eq!(read["HostConfig"].get("PidsLimit"), None);
        let place = &read["NetworkSettings"]["Networks"]["net"];
        assert_eq!(place["IPAMConfig"]["IPv4Address"], "192.0.2.9");
        assert_eq!(place["NetworkID"], Json::Null);
    }

    #[test]
    fn containers_of_others_are_read_as_far_as_it_goes() {
        let live = json!({
            "Config": { "StopSignal": "2", "Image": "docker.io/library/redis:7", "Labels": null },
            "HostConfig": {
                "Binds": ["data:/data:rw,rprivate,nosuid,nodev,rbind"],
                "PidMode": "private",
                "Ulimits": [{ "Name": "RLIMIT_NOFILE", "Soft": 1, "Hard": 2 }],
            },
        });
        let read = PODMAN.container(live, &defaults());
        assert_eq!(read["Config"]["StopSignal"], "SIGINT");
        assert_eq!(read["Config"]["Image"], "redis:7");
        assert_eq!(read["HostConfig"]["Binds"], json!(["data:/data:rw"]));
        assert_eq!(read["HostConfig"]["Ulimits"][0]["Name"], "nofile");
        assert_eq!(read["HostConfig"].get("PidMode"), None);
        assert_eq!(PODMAN.containers(json!([{ "State": "stopped" }]))[0]["State"], "exited");
    }
}
