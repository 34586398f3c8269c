//! What an engine fills in where nobody says anything, in one table.
//!
//! Two kinds. Where a default can also be asked for in so many words (`/dev/shm` of 64 MiB), the live value
//! is kept and the default joins what the image declares, so that asking and not asking compare alike.
//! Everything else that the engine invents is recognised here and left out.

use serde_json::Value as Json;

use crate::desired::{Field, Fields, Value};

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
}

const SHM: u64 = 64 << 20;
const IPC: &str = "private";

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
        all.set(Field::Shm, SHM);
        all.set(Field::IpcNamespace, IPC);
        all.set(Field::CgroupNamespace, self.cgroup);
        all.set(Field::LogDriver, &self.log_driver);
        all
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

    /// Returns what the engine would have made of a limit on memory and swap together.
    pub(super) fn swap(&self, memory: i64, swap: i64) -> i64 {
        if !self.limits_swap && swap == -1 && memory > 0 { memory * 2 } else { swap }
    }

    /// Removes from `fields` the defaults that can also be asked for. For containers whose image is
    /// gone: nothing joins their values.
    pub(super) fn strip(&self, fields: &mut crate::observed::LiveFields) {
        for (path, value) in self.fields().0 {
            let Value::Plain(default) = value else { continue };
            if fields.get(&path) == Some(&crate::observed::Live::text(default)) {
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
        }
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
