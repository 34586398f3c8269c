//! The half of a container's configuration that is about its host.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Object, list, sorted};
use crate::{
    desired::{Field, HostBinding},
    engine::docker::defaults::Defaults,
    observed::LiveFields,
};

/// Reads everything but mounts and networks, which were taken before.
pub(super) fn decode(mut host: Object, defaults: &Defaults, fields: &mut LiveFields) {
    limits(&mut host, defaults, fields);
    restart(&mut host, fields);
    ports(&mut host, fields);
    let privileged = security(&mut host, fields);
    for (key, field) in [("Sysctls", Field::Sysctl), ("Tmpfs", Field::Tmpfs)] {
        for (name, value) in host.map(key) {
            fields.insert(field.key(name), value);
        }
    }
    for ulimit in host.array("Ulimits") {
        let mut ulimit = Object::new(ulimit);
        let name = ulimit.text("Name").unwrap_or_default();
        let [soft, hard] = ["Soft", "Hard"].map(|key| ulimit.number(key).unwrap_or_default());
        fields.insert(Field::Ulimit.key(name), format!("{soft}:{hard}"));
    }
    for (key, field) in [
        ("Dns", Field::DnsServers),
        ("DnsSearch", Field::DnsSearch),
        ("DnsOptions", Field::DnsOptions),
    ] {
        let texts = host.texts(key);
        if !texts.is_empty() {
            fields.insert(field.path(), list(texts));
        }
    }
    for (key, field) in [("ExtraHosts", Field::ExtraHosts), ("GroupAdd", Field::Groups)] {
        let texts = host.texts(key);
        if !texts.is_empty() {
            fields.insert(field.path(), sorted(texts));
        }
    }
    let mut log = host.object("LogConfig");
    if let Some(driver) = log.text("Type") {
        fields.insert(Field::LogDriver.path(), driver);
    }
    for (option, value) in log.map("Config") {
        fields.insert(Field::LogOption.key(option), value);
    }
    namespaces(&mut host, fields);
    defaults.adapt(privileged, fields);
    for (key, value) in host.0 {
        if !defaults.is_default(&key, &value, privileged) {
            fields.insert(Field::Other.key(key), text(value));
        }
    }
}

/// Reads mounts: those asked for become fields; volumes without a name of their own are carried over by
/// whoever replaces the container.
pub(super) fn mounts(
    host: &mut Object,
    live: Vec<Json>,
    fields: &mut LiveFields,
    anonymous: &mut BTreeMap<String, String>,
) {
    let mut add = |target: String, kind: &str, source: &str, mode: &str| {
        if kind == "volume" && is_anonymous(source) {
            anonymous.insert(target, source.to_owned());
        } else {
            fields.insert(Field::Mount.key(target), format!("{kind}:{source}:{mode}"));
        }
    };
    for bind in host.texts("Binds") {
        let mut parts = bind.splitn(3, ':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else { continue };
        let kind = if source.starts_with('/') { "bind" } else { "volume" };
        add(target.to_owned(), kind, source, &bind_mode(parts.next().unwrap_or_default()));
    }
    let mut memory = Vec::new();
    for mount in host.array("Mounts") {
        let mut mount = Object::new(mount);
        let target = mount.text("Target").unwrap_or_default();
        let kind = mount.text("Type").unwrap_or_default();
        let source = mount.text("Source").unwrap_or_default();
        if kind == "tmpfs" {
            memory.push((target, tmpfs_options(mount.object("TmpfsOptions"))));
            continue;
        }
        let mut mode = if mount.flag("ReadOnly") { "ro" } else { "rw" }.to_owned();
        // Propagation, subpaths, drivers: nself sets none of them.
        mount.text("Consistency");
        for (key, value) in mount.0 {
            mode = format!("{mode} {key}={}", text(value));
        }
        // Without a source its name is the engine's; it is found below.
        add(target, &kind, &source, &mode);
    }
    for (target, options) in memory {
        fields.insert(Field::Tmpfs.key(target), options);
    }
    // What the engine made of it all: volumes that the image declares appear only here.
    for mount in live {
        let mut mount = Object::new(mount);
        let name = mount.text("Name").unwrap_or_default();
        let target = mount.text("Destination").unwrap_or_default();
        if is_anonymous(&name) {
            anonymous.insert(target, name);
        }
    }
}

/// There are two ways to ask for a memory file system; this is the words of the other.
fn tmpfs_options(mut options: Object) -> String {
    let size = options.number("SizeBytes").map(|bytes| format!("size={bytes}"));
    let mode = options.number("Mode").map(|mode| format!("mode={mode:o}"));
    size.into_iter().chain(mode).collect::<Vec<_>>().join(",")
}

fn limits(host: &mut Object, defaults: &Defaults, fields: &mut LiveFields) {
    let memory = host.number("Memory");
    if let Some(swap) = host.number("MemorySwap") {
        fields.insert(Field::Swap.path(), defaults.swap(memory.unwrap_or_default(), swap));
    }
    let others = [
        (memory, Field::Memory),
        (host.number("MemoryReservation"), Field::Reservation),
        (host.number("NanoCpus"), Field::Cpus),
        (host.number("CpuShares"), Field::CpuShares),
        // -1 is another word for no limit.
        (host.number("PidsLimit").filter(|limit| *limit > 0), Field::Pids),
    ];
    for (value, field) in others {
        if let Some(value) = value {
            fields.insert(field.path(), value);
        }
    }
    if let Some(cpuset) = host.text("CpusetCpus") {
        fields.insert(Field::Cpuset.path(), cpuset);
    }
}

fn restart(host: &mut Object, fields: &mut LiveFields) {
    let mut policy = host.object("RestartPolicy");
    let times = policy.number("MaximumRetryCount");
    match (policy.text("Name").as_deref(), times) {
        (None | Some("no"), _) => {}
        (Some("on-failure"), Some(times)) => {
            fields.insert(Field::Restart.path(), format!("on-failure:{times}"));
        }
        (Some(name), _) => fields.insert(Field::Restart.path(), name),
    }
}

/// The request, not what came of it: a stopped container has no bindings, and a port that the engine
/// chose differs from start to start.
fn ports(host: &mut Object, fields: &mut LiveFields) {
    for (port, bindings) in host.object("PortBindings").0 {
        let Json::Array(bindings) = bindings else { continue };
        let bindings = bindings.into_iter().map(|binding| {
            let mut binding = Object::new(binding);
            let address = binding.text("HostIp").unwrap_or_else(|| "0.0.0.0".into());
            let asked = binding.text("HostPort").unwrap_or_else(|| "0".into());
            match asked.parse() {
                Ok(port) => HostBinding { address, port }.to_string(),
                Err(_) => format!("{address}:{asked}"),
            }
        });
        fields.insert(Field::Port.key(port), sorted(bindings));
    }
}

fn security(host: &mut Object, fields: &mut LiveFields) -> bool {
    for (key, field) in
        [("CapAdd", Field::CapabilitiesAdded), ("CapDrop", Field::CapabilitiesDropped)]
    {
        let names = host.texts(key).into_iter().map(|name| {
            let name = name.to_ascii_uppercase();
            name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
        });
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            fields.insert(field.path(), sorted(names));
        }
    }
    let privileged = host.flag("Privileged");
    let shares = |key: &str| host.0.get(key).is_some_and(|mode| mode == "host");
    let unlabelled = privileged || shares("PidMode") || shares("IpcMode");
    let options = host.texts("SecurityOpt").into_iter();
    // The engine adds this by itself to containers that see the host's processes.
    let options: Vec<String> =
        options.filter(|option| !(unlabelled && option == "label=disable")).collect();
    if !options.is_empty() {
        fields.insert(Field::Security.path(), sorted(options));
    }
    let devices = host.array("Devices").into_iter().map(|device| {
        let mut device = Object::new(device);
        let mut part = |key| device.text(key).unwrap_or_default();
        let (from, to) = (part("PathOnHost"), part("PathInContainer"));
        format!("{from}:{to}:{}", part("CgroupPermissions"))
    });
    let devices: Vec<String> = devices.collect();
    if !devices.is_empty() {
        fields.insert(Field::Devices.path(), sorted(devices));
    }
    let flags = [
        (privileged, Field::Privileged),
        (host.flag("ReadonlyRootfs"), Field::ReadOnly),
        (host.flag("Init"), Field::Init),
    ];
    for (_, field) in flags.into_iter().filter(|(flag, _)| *flag) {
        fields.insert(field.path(), true);
    }
    privileged
}

fn namespaces(host: &mut Object, fields: &mut LiveFields) {
    for (key, field) in [
        ("IpcMode", Field::IpcNamespace),
        ("PidMode", Field::PidNamespace),
        ("UTSMode", Field::UtsNamespace),
        ("UsernsMode", Field::UserNamespace),
        ("CgroupnsMode", Field::CgroupNamespace),
    ] {
        if let Some(mode) = host.text(key) {
            fields.insert(field.path(), mode);
        }
    }
    if let Some(size) = host.number("ShmSize") {
        fields.insert(Field::Shm.path(), size);
    }
}

/// `rw`, `z` and `rprivate` are defaults of one kind of host or another.
fn bind_mode(options: &str) -> String {
    let mut others: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
    let read_only = others.contains(&"ro");
    others.retain(|option| !matches!(*option, "ro" | "rw" | "z" | "Z" | "rprivate"));
    let mode = if read_only { "ro" } else { "rw" };
    if others.is_empty() { mode.to_owned() } else { format!("{mode} {}", others.join(",")) }
}

/// The engine names volumes that nobody named by 64 hexadecimal digits.
fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text(json: Json) -> String {
    match json {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
