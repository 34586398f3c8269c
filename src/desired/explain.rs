//! Where effective values come from: the data behind `nself explain KEY`.
//!
//! A key is written as in `nself.toml` (`services.api.env.LOG_LEVEL`, or shorter `api.limits.memory`), or
//! is a resource as plans show it (`container/shop-api`). Secrets are never shown.

use super::{Desired, Field, Path, Resource, Rule, Value};
use crate::{
    model::{
        ByteSize, Cpus, Diagnostic, Millis, Origin, ResourceId, ServiceName, WatchMode,
        decode::suggest,
    },
    spec::{Service, Spec},
};

/// One effective value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What it is the value of, such as `container/shop-api env.LOG_LEVEL`.
    pub path: String,
    /// The value; of a secret only that it is one.
    pub value: String,
    /// Where it comes from, such as `nself.toml:31`.
    pub origin: String,
    /// Where the values stand whose place it took, the nearest first.
    pub overridden: Vec<String>,
}

/// Returns the effective values behind `key`, in the order of their paths.
///
/// # Errors
/// When there is nothing behind it, with what was probably meant.
pub fn explain(spec: &Spec, desired: &Desired, key: &str) -> Result<Vec<Explained>, Diagnostic> {
    if let Some(found) = project(spec, key) {
        return Ok(found);
    }
    if let Some(found) = policies(spec, desired, key) {
        return Ok(found);
    }
    if let Some(resource) =
        key.parse::<ResourceId>().ok().filter(|id| desired.resources.contains_key(id))
    {
        return Ok(of_resource(spec, desired, &resource, ""));
    }
    let rest = key.strip_prefix("services.").unwrap_or(key);
    let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let name: ServiceName = name.parse().map_err(|_| nothing(spec, key, name))?;
    let Some(service) = spec.services.get(&name) else {
        // The gateway is no service of the file, but its container can be asked for.
        let found = of_service(spec, desired, &name, rest);
        return if found.is_empty() { Err(nothing(spec, key, name.as_str())) } else { Ok(found) };
    };
    let mut all = own(spec, &name, service, rest);
    all.extend(of_service(spec, desired, &name, rest));
    if all.is_empty() {
        let words = Field::ALL.iter().map(|field| field.word());
        let near =
            suggest(rest, words.chain(OWN.iter().copied()).chain(RENAMED.iter().map(|r| r.0)));
        let problem = Diagnostic::error("unknown-path", format!("nothing is set at `{key}`"));
        return Err(match near.filter(|near| *near != rest) {
            Some(near) => problem.help(format!("did you mean `{name}.{near}`?")),
            None => problem.help(format!("see all of it: nself explain {name}")),
        });
    }
    Ok(all)
}

/// Keys of a service that are not fields of a resource.
const OWN: [&str; 6] = ["kind", "version", "port", "route", "replicas", "watch"];

/// Keys of a service and the fields they become, where the words differ.
const RENAMED: [(&str, &str); 24] = [
    ("build", "image"),
    ("version", "image"),
    ("publish", "ports"),
    ("volumes", "mounts"),
    ("binds", "mounts"),
    ("cap_add", "capabilities.add"),
    ("cap_drop", "capabilities.drop"),
    ("stop_signal", "stop.signal"),
    ("stop_grace", "stop.grace"),
    ("log_driver", "log.driver"),
    ("log_options", "log.options"),
    ("dns", "dns.servers"),
    ("dns_search", "dns.search"),
    ("dns_options", "dns.options"),
    ("ipc", "namespaces.ipc"),
    ("pid", "namespaces.pid"),
    ("uts", "namespaces.uts"),
    ("userns", "namespaces.users"),
    ("cgroup", "namespaces.cgroup"),
    ("container_name", "name"),
    ("networks", "networks"),
    ("health.command", "health.test"),
    ("extensions", "attribute"),
    ("settings", "command"),
];

fn project(spec: &Spec, key: &str) -> Option<Vec<Explained>> {
    let (gateway, watch) = (&spec.gateway, &spec.watch);
    let place = |origin: Option<&Origin>| origin.cloned().unwrap_or(Origin::Default);
    let all = [
        ("project.name", spec.name.value.to_string(), spec.name.origin.clone()),
        ("project.domain", spec.domain.value.to_string(), spec.domain.origin.clone()),
        (
            "gateway.http_port",
            spec.http_port().to_string(),
            place(gateway.http_port.as_ref().map(|port| &port.origin)),
        ),
        (
            "gateway.https_port",
            spec.https_port().to_string(),
            place(gateway.https_port.as_ref().map(|port| &port.origin)),
        ),
        (
            "gateway.bind",
            spec.gateway_address(),
            place(gateway.bind.as_ref().map(|bind| &bind.origin)),
        ),
        (
            "watch.mode",
            watch.mode.as_ref().map_or(WatchMode::Heal, |mode| mode.value).word().to_owned(),
            place(watch.mode.as_ref().map(|mode| &mode.origin)),
        ),
        (
            "watch.every",
            watch.every().to_string(),
            place(watch.every.as_ref().map(|every| &every.origin)),
        ),
        (
            "watch.poll",
            watch.poll().to_string(),
            place(watch.poll.as_ref().map(|poll| &poll.origin)),
        ),
    ];
    let found: Vec<_> = all
        .into_iter()
        .filter(|(path, ..)| is_below(path, key))
        .map(|(path, value, origin)| line(spec, path.to_owned(), value, &origin))
        .collect();
    (!found.is_empty()).then_some(found)
}

/// Returns the policies, or the one that is asked for.
fn policies(spec: &Spec, desired: &Desired, key: &str) -> Option<Vec<Explained>> {
    let is_meant = |rule: &&Rule| is_below(&format!("policy.{}", rule.name), key);
    let found: Vec<_> = desired
        .rules
        .iter()
        .filter(is_meant)
        .map(|rule| line(spec, format!("policy {}", rule.name), rule.to_string(), &rule.origin))
        .collect();
    (!key.is_empty() && !found.is_empty()).then_some(found)
}

fn own(spec: &Spec, name: &ServiceName, service: &Service, rest: &str) -> Vec<Explained> {
    let settings = &service.settings;
    let kind = service.kind();
    let of_kind = Origin::Kind(kind.name);
    let or = |written: Option<&Origin>, default: &Origin| written.unwrap_or(default).clone();
    let mut all = vec![
        (
            "kind",
            kind.name.to_owned(),
            or(settings.kind.as_ref().map(|k| &k.origin), &service.origin),
        ),
        (
            "replicas",
            service.replicas().to_string(),
            or(settings.replicas.as_ref().map(|r| &r.origin), &Origin::Default),
        ),
        (
            "watch",
            spec.watch_mode(name).word().to_owned(),
            or(
                settings.watch.as_ref().or(spec.watch.mode.as_ref()).map(|mode| &mode.origin),
                &Origin::Default,
            ),
        ),
    ];
    let version = spec.version(service);
    if !version.is_empty() {
        let origin = or(settings.version.as_ref().map(|v| &v.origin), &of_kind);
        all.push(("version", version.to_owned(), origin));
    }
    if let Some(port) = service.port() {
        let origin = or(settings.port.as_ref().map(|p| &p.origin), &of_kind);
        all.push(("port", port.to_string(), origin));
    }
    if let Some((host, origin)) = spec.route(service) {
        all.push(("route", host, origin));
    }
    all.into_iter()
        .filter(|(key, ..)| is_below(key, rest))
        .map(|(key, value, origin)| line(spec, format!("{name} {key}"), value, &origin))
        .collect()
}

/// Returns the values of all resources of a service. Of several containers the first stands for all.
fn of_service(spec: &Spec, desired: &Desired, name: &ServiceName, rest: &str) -> Vec<Explained> {
    let container = desired.containers().find(|c| c.service == *name && c.replica == 1);
    let container = container.map(|container| container.name.as_str());
    let is_of = |resource: &Resource| match resource {
        Resource::Container(one) => Some(one.name.as_str()) == container,
        Resource::Files(files) => Some(files.container.as_str()) == container,
        Resource::Inner(inner) => inner.id.service == *name,
        Resource::Image(_) | Resource::Network(_) | Resource::Volume(_) => false,
    };
    let ids = desired.resources.iter().filter(|(_, resource)| is_of(resource)).map(|(id, _)| id);
    ids.flat_map(|id| of_resource(spec, desired, id, &field_of(rest))).collect()
}

/// Returns the field behind a key of a service.
fn field_of(rest: &str) -> String {
    let renamed = RENAMED.iter().find(|(key, _)| is_below(rest, key));
    match renamed {
        // The key of a volume is what it holds, that of a mount where it is: all are shown. A network
        // is called otherwise on the engine.
        Some((
            "networks" | "volumes" | "build" | "version" | "publish" | "extensions" | "settings",
            field,
        )) => (*field).to_owned(),
        Some((key, field)) => format!("{field}{}", &rest[key.len()..]),
        None => rest.to_owned(),
    }
}

fn of_resource(spec: &Spec, desired: &Desired, id: &ResourceId, below: &str) -> Vec<Explained> {
    let Some(resource) = desired.resources.get(id) else { return Vec::new() };
    resource
        .fields()
        .0
        .into_iter()
        .filter(|(path, _)| is_below(&path.to_string(), below))
        .map(|(path, value)| {
            let key = (id.clone(), path);
            let origin = desired.origins.get(&key).unwrap_or(&Origin::Default);
            let path = &key.1;
            line(spec, format!("{id} {path}"), shown(path, &value), origin)
        })
        .collect()
}

fn line(spec: &Spec, path: String, value: String, origin: &Origin) -> Explained {
    let overridden = spec.overridden.by(origin).iter().map(Origin::brief).collect();
    Explained { path, value, origin: origin.brief(), overridden }
}

/// Returns a value as a person would write it.
fn shown(path: &Path, value: &Value) -> String {
    let text = match value {
        Value::Secret(_) => return "(secret)".to_owned(),
        Value::Plain(text) => text,
    };
    let number = text.parse::<u64>().ok();
    match (path.field, number) {
        (Field::Memory | Field::Swap | Field::Reservation | Field::Shm, Some(bytes)) => {
            ByteSize(bytes).to_string()
        }
        (Field::Swap, None) if text == "-1" => "no limit".to_owned(),
        (Field::Cpus, Some(nanos)) => Cpus(nanos).to_string(),
        (Field::HealthInterval | Field::HealthTimeout | Field::HealthStartPeriod, Some(millis)) => {
            Millis(millis).to_string()
        }
        (Field::StopGrace, Some(seconds)) => Millis(seconds * 1000).to_string(),
        _ => text.clone(),
    }
}

/// Returns whether `path` is `key` or something in it.
fn is_below(path: &str, key: &str) -> bool {
    match path.strip_prefix(key) {
        None => false,
        Some(rest) => key.is_empty() || rest.is_empty() || rest.starts_with('.'),
    }
}

fn nothing(spec: &Spec, key: &str, name: &str) -> Diagnostic {
    let problem = Diagnostic::error("unknown-service", format!("there is nothing at `{key}`"));
    match suggest(name, spec.services.keys().map(ServiceName::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("name a service, a key of one, or a resource of a plan"),
    }
}
