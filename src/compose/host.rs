//! What a service is to its host: rights, names, kernel parameters, devices, namespaces.

use super::{
    service::{Shared, pairs, text},
    sheet::Sheet,
    words,
    yaml::Node,
};

/// Writes what its processes may do.
pub(super) fn rights(sheet: &mut Sheet, node: &mut Node) {
    let mut texts = |key: &str| node.take(key).map(|(_, value)| value.texts()).unwrap_or_default();
    sheet.list_of_some("cap_add", texts("cap_add"));
    sheet.list_of_some("cap_drop", texts("cap_drop"));
    let groups = texts("group_add");
    let options = texts("security_opt");
    let privileged = node.take("privileged").is_some_and(|(_, value)| value.flag());
    // nself would forbid a process to gain rights; Compose does not.
    if !privileged || !options.is_empty() {
        sheet.list("security", options);
    }
    if privileged {
        sheet.set("privileged", true);
    }
    sheet.list_of_some("groups", groups);
    for key in ["read_only", "init"] {
        if node.take(key).is_some_and(|(_, value)| value.flag()) {
            sheet.set(key, true);
        }
    }
}

/// Writes everything else of its surroundings.
pub(super) fn system(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    for (from, to) in [("dns", "dns"), ("dns_search", "dns_search"), ("dns_opt", "dns_options")] {
        if let Some((_, value)) = node.take(from) {
            sheet.list_of_some(to, value.texts());
        }
    }
    if let Some((_, hosts)) = node.take("extra_hosts") {
        let trim = |text: &str| text.trim_matches(['[', ']']).to_owned();
        let hosts = hosts
            .entries()
            .iter()
            .map(|(key, value)| (key.text.clone(), trim(value.text().unwrap_or_default())));
        sheet.map("extra_hosts", &hosts.collect());
    }
    for key in ["sysctls", "labels"] {
        if let Some((_, value)) = node.take(key) {
            sheet.map(key, &pairs(&value));
        }
    }
    if let Some((_, limits)) = node.take("ulimits") {
        let read = limits.entries().iter().map(|(key, value)| {
            let part = |name: &str| value.get(name).and_then(Node::text).map(str::to_owned);
            let text = match value.text() {
                Some(both) => both.to_owned(),
                None => format!(
                    "{}:{}",
                    part("soft").unwrap_or_else(|| "-1".into()),
                    part("hard").unwrap_or_else(|| "-1".into())
                ),
            };
            (key.text.clone(), text)
        });
        sheet.map("ulimits", &read.collect());
    }
    if let Some((_, value)) = node.take("shm_size")
        && let Some(size) = value.text().and_then(words::size)
    {
        sheet.set("shm", size.to_string());
    }
    text(sheet, node, "stop_signal", "stop_signal");
    if let Some((_, value)) = node.take("stop_grace_period") {
        match value.text().and_then(words::duration) {
            Some(grace) => sheet.set("stop_grace", grace.to_string()),
            None => shared.lost(sheet, &value.at, "stop_grace_period", "it cannot be read"),
        }
    }
    if let Some((_, logging)) = node.take("logging") {
        if let Some(driver) = logging.get("driver").and_then(Node::text) {
            sheet.set("log_driver", driver);
        }
        let options = logging.get("options").map(pairs).unwrap_or_default();
        sheet.map("log_options", &options);
    }
    if let Some((_, devices)) = node.take("devices") {
        let read = devices.items().iter().filter_map(|device| {
            let part = |key: &str| device.get(key).and_then(Node::text);
            device.text().map(str::to_owned).or_else(|| {
                let source = part("source")?;
                let target = part("target").unwrap_or(source);
                Some(format!("{source}:{target}:{}", part("permissions").unwrap_or("rwm")))
            })
        });
        sheet.list_of_some("devices", read.collect());
    }
    for (from, to) in [
        ("ipc", "ipc"),
        ("pid", "pid"),
        ("uts", "uts"),
        ("userns_mode", "userns"),
        ("cgroup", "cgroup"),
    ] {
        let Some((_, value)) = node.take(from) else { continue };
        match value.text() {
            Some(mode) if mode.starts_with("service:") => {
                shared.lost(sheet, &value.at, from, "nself shares no namespaces between services");
            }
            Some(mode) => sheet.set(to, mode),
            None => {}
        }
    }
}
