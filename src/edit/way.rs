//! The way back: how each compared field is said in `nself.toml`.

use toml_edit::{Array, InlineTable, Value};

use crate::{
    desired::{Field, Path},
    model::{ByteSize, Cpus, Millis},
    observed::{Live, LiveFields},
};

/// How a live value is said.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// By this key below `[services.NAME]`; without a value, by the key not being there.
    Key(Vec<String>, Option<Value>),
    /// Not at all, and why.
    None(&'static str),
}

/// Returns how what is live at `path` is said. `all` is everything that is live of the container, since
/// some keys say several fields at once.
#[expect(clippy::too_many_lines, reason = "one line or two for each field")]
pub(super) fn way(path: &Path, all: &LiveFields) -> Way {
    let live = text(all, path);
    let live = live.as_deref();
    let plain = |key: &[&str]| Way::Key(keys(key), live.map(Value::from));
    let keyed =
        |table: &str| Way::Key(vec![table.to_owned(), path.key.clone()], live.map(Value::from));
    let list = |key: &str| Way::Key(keys(&[key]), live.map(|text| array(&items(text))));
    let flag = |key: &str| Way::Key(keys(&[key]), live.map(|text| Value::from(text == "true")));
    let size = |key: &[&str]| {
        let size = live.and_then(|text| text.parse().ok()).map(ByteSize);
        Way::Key(keys(key), size.map(|size| Value::from(size.to_string())))
    };
    let count = |key: &[&str]| {
        let count = live.and_then(|text| text.parse::<i64>().ok());
        Way::Key(keys(key), count.map(Value::from))
    };
    let time = |key: &[&str], factor: u64| {
        let number = live.and_then(|text| text.parse::<u64>().ok());
        let time = number.map(|number| Millis(number * factor).to_string());
        Way::Key(keys(key), time.map(Value::from))
    };
    match path.field {
        Field::Name => plain(&["container_name"]),
        Field::Image => Way::Key(keys(&["image"]), live.map(|name| Value::from(tagged(name)))),
        Field::Command => list("command"),
        Field::Entrypoint => list("entrypoint"),
        Field::Env => {
            let escaped = live.map(|text| Value::from(text.replace('$', "$$")));
            Way::Key(vec!["env".to_owned(), path.key.clone()], escaped)
        }
        Field::User => plain(&["user"]),
        Field::Workdir => plain(&["workdir"]),
        Field::Hostname => plain(&["hostname"]),
        Field::Label => keyed("labels"),
        Field::Mount => mount(path, live),
        Field::Tmpfs => keyed("tmpfs"),
        Field::Port => Way::Key(keys(&["publish"]), Some(ports(all))),
        Field::Network | Field::Alias | Field::Address => {
            Way::None("which networks it is on is said by name: `networks` and [networks]")
        }
        Field::NetworkMode => Way::None("it follows from the networks"),
        Field::Memory => size(&["limits", "memory"]),
        Field::Swap => Way::None("it follows from limits.memory"),
        Field::Reservation => size(&["limits", "reservation"]),
        Field::Cpus => {
            let cpus = live.and_then(|text| text.parse().ok()).map(Cpus);
            let number = cpus.and_then(|cpus| cpus.to_string().parse::<Value>().ok());
            Way::Key(keys(&["limits", "cpus"]), number)
        }
        Field::CpuShares => count(&["limits", "cpu_shares"]),
        Field::Cpuset => plain(&["limits", "cpuset"]),
        Field::Pids => count(&["limits", "pids"]),
        // Without a word it would be started again.
        Field::Restart => Way::Key(keys(&["restart"]), Some(live.unwrap_or("no").into())),
        Field::HealthTest => health(live),
        Field::HealthInterval => time(&["health", "interval"], 1),
        Field::HealthTimeout => time(&["health", "timeout"], 1),
        Field::HealthRetries => count(&["health", "retries"]),
        Field::HealthStartPeriod => time(&["health", "start_period"], 1),
        Field::CapabilitiesAdded => list("cap_add"),
        Field::CapabilitiesDropped => list("cap_drop"),
        Field::Privileged => flag("privileged"),
        // Without a word a process could gain no rights.
        Field::Security => {
            Way::Key(keys(&["security"]), Some(array(&live.map(items).unwrap_or_default())))
        }
        Field::ReadOnly => flag("read_only"),
        Field::Sysctl => keyed("sysctls"),
        Field::Ulimit => keyed("ulimits"),
        Field::Shm => size(&["shm"]),
        Field::DnsServers => list("dns"),
        Field::DnsSearch => list("dns_search"),
        Field::DnsOptions => list("dns_options"),
        Field::ExtraHosts => {
            let hosts = live.map(items).unwrap_or_default();
            let hosts = hosts.iter().filter_map(|host| host.split_once(':'));
            let table: InlineTable = hosts.collect();
            Way::Key(keys(&["extra_hosts"]), (!table.is_empty()).then(|| table.into()))
        }
        Field::Groups => list("groups"),
        Field::StopSignal => plain(&["stop_signal"]),
        Field::StopGrace => time(&["stop_grace"], 1000),
        Field::LogDriver => plain(&["log_driver"]),
        Field::LogOption => keyed("log_options"),
        Field::Devices => list("devices"),
        Field::Init => flag("init"),
        Field::IpcNamespace => plain(&["ipc"]),
        Field::PidNamespace => plain(&["pid"]),
        Field::UtsNamespace => plain(&["uts"]),
        Field::UserNamespace => plain(&["userns"]),
        Field::CgroupNamespace => plain(&["cgroup"]),
        Field::Other => {
            Way::None("the file has no word for it; leave it out of the comparison: [[ignore]]")
        }
        Field::State => Way::None("the file does not say what runs: nself stop, nself start"),
        Field::Driver | Field::DriverOption | Field::Internal | Field::Subnet => {
            Way::None("a network or volume is not changed, only made anew; write it under its name")
        }
        Field::BuiltFrom => Way::None("the image is built from what is in its folder"),
        Field::Content | Field::FileMode | Field::FileOwner | Field::Loaded => {
            Way::None("the file is written by nself from the settings of the service")
        }
        Field::Attribute => {
            Way::None("what is inside a service follows from its settings; change those")
        }
    }
}

fn keys(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// Returns what is live at a path, as text.
pub(super) fn text(all: &LiveFields, path: &Path) -> Option<String> {
    match all.get(path)? {
        Live::Text(text) => Some(text.expose().to_owned()),
        Live::Verifier(_) => None,
    }
}

/// Reads the canonical text of a list.
pub(super) fn items(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

fn array(items: &[String]) -> Value {
    items.iter().map(String::as_str).collect::<Array>().into()
}

/// An image without a tag is the one called `latest`.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

fn mount(path: &Path, live: Option<&str>) -> Way {
    let bind = || vec!["binds".to_owned(), path.key.clone()];
    let Some(live) = live else {
        return Way::None(
            "a mount that was taken away is taken out of the file by hand: its data stays",
        );
    };
    let Some((kind, rest)) = live.split_once(':') else { return Way::None("it cannot be read") };
    match (kind, rest.rsplit_once(':')) {
        ("bind", Some((from, "ro"))) => Way::Key(bind(), Some(format!("{from}:ro").into())),
        ("bind", Some((from, "rw"))) => Way::Key(bind(), Some(from.into())),
        ("volume", _) => {
            Way::None("another volume means other data; write it under `volumes` by hand")
        }
        _ => Way::None("the file has no word for a mount like this"),
    }
}

fn ports(all: &LiveFields) -> Value {
    let ports = all.0.keys().filter(|path| path.field == Field::Port);
    let published = ports.flat_map(|path| {
        let inside = path.key.strip_suffix("/tcp").unwrap_or(&path.key).to_owned();
        let bindings = text(all, path).map(|text| items(&text)).unwrap_or_default();
        bindings.into_iter().map(move |binding| format!("{binding}:{inside}"))
    });
    array(&published.collect::<Vec<_>>())
}

fn health(live: Option<&str>) -> Way {
    let command = keys(&["health", "command"]);
    let Some(live) = live else { return Way::Key(keys(&["health"]), None) };
    let words = items(live);
    match words.split_first() {
        Some((first, rest)) if first == "CMD" => Way::Key(command, Some(array(rest))),
        Some((first, [line])) if first == "CMD-SHELL" => {
            let words = ["/bin/sh", "-c", line].map(str::to_owned);
            Way::Key(command, Some(array(&words)))
        }
        _ => Way::None("the file cannot switch off the health check that an image declares"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: Path, live: Option<&str>) -> String {
        let mut all = LiveFields::default();
        if let Some(live) = live {
            all.insert(field.clone(), live);
        }
        match way(&field, &all) {
            Way::Key(key, Some(value)) => format!("{} = {value}", key.join(".")),
            Way::Key(key, None) => format!("without {}", key.join(".")),
            Way::None(why) => format!("no: {why}"),
        }
    }

    #[test]
    fn values_are_said_as_a_person_would() {
        for (field, live, wanted) in [
            (Field::Memory.path(), Some("1073741824"), "limits.memory = \"1G\""),
            (Field::Memory.path(), None, "without limits.memory"),
            (Field::Cpus.path(), Some("500000000"), "limits.cpus = 0.5"),
            (Field::Restart.path(), None, "restart = \"no\""),
            (Field::Env.key("A"), Some("x$y"), "env.A = \"x$$y\""),
            (Field::StopGrace.path(), Some("90"), "stop_grace = \"90s\""),
            (Field::HealthTest.path(), Some("[\"CMD\",\"a\"]"), "health.command = [\"a\"]"),
            (
                Field::Port.key("53/udp"),
                Some("[\"0.0.0.0:53\"]"),
                "publish = [\"0.0.0.0:53:53/udp\"]",
            ),
            (Field::Mount.key("/a"), Some("bind:/b:ro"), "binds./a = \"/b:ro\""),
            (Field::ExtraHosts.path(), Some("[\"a:::1\"]"), "extra_hosts = { a = \"::1\" }"),
            (Field::Security.path(), None, "security = []"),
        ] {
            assert_eq!(said(field, live), wanted);
        }
        assert!(said(Field::State.path(), Some("paused")).starts_with("no: "));
    }
}
