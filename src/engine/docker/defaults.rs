//! What an engine fills in where nobody says anything, in one table.
//!
//! Two kinds. Where a default can also be asked for in so many words (`/dev/shm` of 64 MiB), the live value
//! is kept and the default joins what the image declares, so that asking and not asking compare alike.
//! Everything else that the engine invents is recognised here and left out.

use serde_json::Value as Json;

use crate::{
    desired::{Field, Fields, Path, Value},
    observed::{Live, LiveFields},
};

/// The defaults of one engine.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    /// Where output goes.
    pub(super) log_driver: String,
    /// The mode of control group namespaces: `host` with control groups 1, else `private`.
    pub(super) cgroup: &'static str,
    /// What runs containers.
    pub(super) runtime: String,
    /// Whether the kernel can limit swap. Where it cannot, the engine notes -1 for any limit.
    pub(super) limits_swap: bool,
    /// Whether the kernel has control groups 2, where privileged containers are like others.
    pub(super) unified: bool,
    /// The size of `/dev/shm`.
    pub(super) shm: u64,
    /// The mode of namespaces of shared memory.
    pub(super) ipc: &'static str,
    /// What this engine was set to write into containers that say nothing of it.
    pub(super) learned: Fields,
}

/// What an engine's own configuration can give to every container: `log-opts`, `default-shm-size`,
/// `default-ulimits` and their like. No call names them, so they are learned from a container for which
/// nothing was asked.
const CONFIGURED: [&str; 7] =
    ["CgroupnsMode", "IpcMode", "LogConfig", "OomScoreAdj", "Runtime", "ShmSize", "Ulimits"];

/// Returns what can be learned from the host configuration of a container for which nothing was asked.
pub(super) fn lesson(host: super::decode::Object) -> Json {
    let configured = host.entries().filter(|(key, _)| CONFIGURED.contains(&key.as_str()));
    Json::Object(configured.collect())
}

/// Hidden from containers by every engine from 20.10 on.
const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];
/// Hidden by some versions; 20.10 has the first two, 25 and later the others.
const MASKED_BY_SOME: [&str; 5] = [
    "/proc/sched_debug",
    "/proc/timer_stats",
    "/proc/interrupts",
    "/sys/devices/virtual/powercap",
    "/sys/devices/system/cpu",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

impl Defaults {
    /// Returns the defaults that can also be asked for.
    pub(super) fn fields(&self) -> Fields {
        let mut all = Fields::default();
        all.set(Field::Shm, self.shm);
        all.set(Field::IpcNamespace, self.ipc);
        all.set(Field::CgroupNamespace, self.cgroup);
        all.set(Field::LogDriver, &self.log_driver);
        all.0.extend(self.learned.0.clone());
        all
    }

    /// Returns these defaults with a [`lesson`] that was written down in the record.
    pub(super) fn learning(&self, lesson: &str) -> Self {
        // What cannot be read teaches nothing: the table holds.
        let lesson: Json = serde_json::from_str(lesson).unwrap_or_default();
        let mut learned = Fields::default();
        for (path, live) in super::decode::host_fields(lesson, self).0 {
            if let Live::Text(text) = live {
                learned.insert(path, Value::Plain(text.expose().to_owned()));
            }
        }
        Self { learned, ..self.clone() }
    }

    /// Brings what a container has to one form with what holds where nothing is asked, where the engine
    /// makes a default depend on the container.
    pub(super) fn adapt(&self, privileged: bool, fields: &mut LiveFields) {
        let all = self.fields();
        let default = |path: &Path| match all.get(path) {
            Some(Value::Plain(text)) => Some(Live::text(text)),
            _ => None,
        };
        // Options go with their driver; another one has none of them.
        let driver = Field::LogDriver.path();
        if fields.get(&driver) != default(&driver).as_ref() {
            for path in all.0.keys().filter(|path| path.field == Field::LogOption) {
                if let (None, Some(text)) = (fields.get(path), default(path)) {
                    fields.0.insert(path.clone(), text);
                }
            }
        }
        // With control groups 1 a privileged container is on the host's side whatever is configured.
        let cgroup = Field::CgroupNamespace.path();
        if privileged
            && !self.unified
            && fields.get(&cgroup) == Some(&Live::text("host"))
            && let Some(text) = default(&cgroup)
        {
            fields.0.insert(cgroup, text);
        }
    }

    /// Returns whether `value` is what this engine has by itself under `key` of a host configuration.
    /// Of unknown keys, and new engines bring some, nothing and zero are taken for the default.
    pub(super) fn is_default(&self, key: &str, value: &Json, privileged: bool) -> bool {
        if is_nothing(value) {
            // Paths are hidden unless somebody opened them, so here nothing is not the default.
            return privileged || !matches!(key, "MaskedPaths" | "ReadonlyPaths");
        }
        match key {
            "Runtime" => value == self.runtime.as_str(),
            // -1 is what some clients send for "not set".
            "MemorySwappiness" => value == -1,
            "ConsoleSize" => value.as_array().is_some_and(|size| size.iter().all(is_nothing)),
            "Isolation" => value == "default",
            "MaskedPaths" => paths_are(value, &MASKED, &MASKED_BY_SOME),
            "ReadonlyPaths" => paths_are(value, &READ_ONLY, &[]),
            // A trace of the client that created the container, without effect.
            "ContainerIDFile" => true,
            _ => false,
        }
    }

    /// Returns the paths that are hidden from containers.
    #[expect(clippy::unused_self, reason = "one table for all engines so far")]
    pub(super) fn masked(&self) -> Json {
        serde_json::json!(MASKED)
    }

    /// Returns the paths that containers cannot write to.
    #[expect(clippy::unused_self, reason = "one table for all engines so far")]
    pub(super) fn read_only(&self) -> Json {
        serde_json::json!(READ_ONLY)
    }

    /// Returns what the engine would have made of a limit on memory and swap together.
    pub(super) fn swap(&self, memory: i64, swap: i64) -> i64 {
        let unlimited = !self.limits_swap && swap == -1 && memory > 0;
        if unlimited { memory.saturating_mul(2) } else { swap }
    }

    /// Removes from `fields` the defaults that can also be asked for. For containers whose image is
    /// gone: nothing joins their values.
    pub(super) fn strip(&self, fields: &mut LiveFields) {
        for (path, value) in self.fields().0 {
            let Value::Plain(default) = value else { continue };
            if fields.get(&path) == Some(&Live::text(default)) {
                fields.0.remove(&path);
            }
        }
    }
}

/// Returns whether a value says nothing: null, false, 0, and empty texts, lists and maps.
pub(super) fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(value) => value.as_f64() == Some(0.0),
        Json::String(value) => value.is_empty(),
        Json::Array(values) => values.is_empty(),
        Json::Object(values) => values.is_empty(),
    }
}

fn paths_are(value: &Json, all_of: &[&str], any_of: &[&str]) -> bool {
    let paths: Vec<&str> =
        value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let thermal = |path: &str| path.starts_with("/sys/devices/system/cpu/");
    all_of.iter().all(|path| paths.contains(path))
        && paths.iter().all(|path| all_of.contains(path) || any_of.contains(path) || thermal(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            log_driver: "json-file".into(),
            cgroup: "host",
            runtime: "runc".into(),
            limits_swap: true,
            unified: false,
            shm: 64 << 20,
            ipc: "private",
            learned: Fields::default(),
        }
    }

    /// What an engine of 20.10 with `log-opts`, `default-shm-size` and so on wrote into an idle container.
    const INSPECTED: &str = r#"{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"json-file",
        "Config":{"max-size":"10m"}},"NetworkMode":"none","PortBindings":{},"RestartPolicy":{"Name":
        "no","MaximumRetryCount":0},"CgroupnsMode":"private","Dns":[],"IpcMode":"shareable",
        "OomScoreAdj":0,"Privileged":false,"ShmSize":134217728,"Runtime":"runc","Ulimits":[{"Name":
        "nofile","Hard":2000,"Soft":1000}],"MaskedPaths":["/proc/asound"]}"#;

    fn taught() -> Defaults {
        let inspected = super::super::decode::Object::new(serde_json::from_str(INSPECTED).unwrap());
        defaults().learning(&lesson(inspected).to_string())
    }

    #[test]
    fn what_an_engine_was_set_to_is_learned() {
        let learned: Vec<String> = taught().learned.0.keys().map(ToString::to_string).collect();
        let expected = [
            "ulimits.nofile",
            "shm",
            "log.driver",
            "log.options.max-size",
            "namespaces.ipc",
            "namespaces.cgroup",
        ];
        assert_eq!(learned, expected);
        // Nothing asked, everything as learned: nothing is left to compare.
        let inspected: Json = serde_json::from_str(INSPECTED).unwrap();
        let mut live = super::super::decode::host_fields(lesson_of(&inspected), &taught());
        taught().strip(&mut live);
        assert!(live.0.is_empty(), "{live:?}");
        for nothing in ["", "[]", "{}"] {
            assert!(defaults().learning(nothing).learned.0.is_empty());
        }
    }

    fn lesson_of(inspected: &Json) -> Json {
        lesson(super::super::decode::Object::new(inspected.clone()))
    }

    #[test]
    fn defaults_that_depend_on_the_container_compare_alike() {
        let read = |json| super::super::decode::host_fields(json, &taught());
        let other = read(json!({"LogConfig": {"Type": "syslog", "Config": {}}}));
        let size = Field::LogOption.key("max-size");
        assert_eq!(other.get(&size), Some(&Live::text("10m")));
        let own = read(json!({"LogConfig": {"Type": "json-file", "Config": {}}}));
        assert_eq!(own.get(&size), None);
        let mode = |privileged: bool| {
            let host = read(json!({"CgroupnsMode": "host", "Privileged": privileged}));
            host.get(&Field::CgroupNamespace.path()).cloned()
        };
        assert_eq!(mode(true), Some(Live::text("private")));
        assert_eq!(mode(false), Some(Live::text("host")));
    }

    #[test]
    fn a_limit_of_all_there_is_has_no_double() {
        let defaults = Defaults { limits_swap: false, ..defaults() };
        assert_eq!(defaults.swap(64, -1), 128);
        assert_eq!(defaults.swap(i64::MAX, -1), i64::MAX);
    }

    #[test]
    fn defaults_are_known_and_tampering_is_seen() {
        let masked: Vec<&str> = MASKED.into_iter().chain(MASKED_BY_SOME).collect();
        for (key, default, tampered) in [
            ("Runtime", json!("runc"), json!("nvidia")),
            ("OomScoreAdj", json!(0), json!(-500)),
            ("OomKillDisable", json!(false), json!(true)),
            ("MemorySwappiness", json!(-1), json!(60)),
            ("MaskedPaths", json!(masked), json!(["/proc/kcore"])),
            ("ReadonlyPaths", json!(READ_ONLY), json!([])),
            ("SomethingNew", json!(null), json!({"a": 1})),
        ] {
            assert!(defaults().is_default(key, &default, false), "{key}");
            assert!(!defaults().is_default(key, &tampered, false), "{key}");
        }
        assert!(defaults().is_default("MaskedPaths", &json!(null), true));
    }
}
