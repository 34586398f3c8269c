//! One service of a compose file in the words of `nself.toml`.
//!
//! What Compose takes where nothing is said is written out where nself takes something else, so that a
//! container that runs already is what the file asks for.
#![expect(clippy::single_match_else, reason = "both ways of a value stand beside each other")]

use std::collections::{BTreeMap, BTreeSet};

use super::{
    guess, host, image,
    load::Loader,
    network, running,
    secret::Secrets,
    sheet::Sheet,
    volume::{self, Volumes},
    words,
    yaml::{Node, Value},
};
use crate::model::{Diagnostic, Origin, ServiceName};

/// What all services of a project share while they are read.
pub(super) struct Shared<'a, 'i> {
    pub(super) loader: &'a mut Loader<'i>,
    /// The name that Compose gives the project.
    pub(super) project: &'a str,
    /// Services by their names in the compose file.
    pub(super) names: &'a BTreeMap<String, ServiceName>,
    /// Services that others wait for to end.
    pub(super) jobs: &'a BTreeSet<String>,
    pub(super) secrets: &'a Secrets,
    pub(super) volumes: &'a mut Volumes,
    pub(super) findings: &'a mut Vec<Diagnostic>,
    /// What is not compared, since the file cannot say it: service, field, and why.
    pub(super) ignored: &'a mut Vec<(ServiceName, String, String)>,
}

/// Keys that nself has no word for, with the fields in which they show on the engine. Those are not
/// compared, so that nothing is made anew for their sake.
const UNSAYABLE: &[(&str, &[&str])] = &[
    ("annotations", &["engine.Annotations"]),
    (
        "blkio_config",
        &[
            "engine.BlkioWeight",
            "engine.BlkioWeightDevice",
            "engine.BlkioDeviceReadBps",
            "engine.BlkioDeviceWriteBps",
            "engine.BlkioDeviceReadIOps",
            "engine.BlkioDeviceWriteIOps",
        ],
    ),
    ("cgroup_parent", &["engine.CgroupParent"]),
    ("configs", &[]),
    ("cpu_count", &["engine.CpuCount"]),
    ("cpu_percent", &["engine.CpuPercent"]),
    ("cpu_period", &["engine.CpuPeriod"]),
    ("cpu_quota", &["engine.CpuQuota"]),
    ("cpu_rt_period", &["engine.CpuRealtimePeriod"]),
    ("cpu_rt_runtime", &["engine.CpuRealtimeRuntime"]),
    ("credential_spec", &[]),
    ("device_cgroup_rules", &["engine.DeviceCgroupRules"]),
    ("domainname", &["engine.Domainname"]),
    ("external_links", &["engine.Links"]),
    ("gpus", &["engine.DeviceRequests"]),
    ("isolation", &["engine.Isolation"]),
    ("label_file", &[]),
    ("mac_address", &["engine.MacAddress"]),
    ("mem_swappiness", &["engine.MemorySwappiness"]),
    ("memswap_limit", &["limits.swap"]),
    ("models", &[]),
    ("oom_kill_disable", &["engine.OomKillDisable"]),
    ("oom_score_adj", &["engine.OomScoreAdj"]),
    ("post_start", &[]),
    ("pre_stop", &[]),
    ("provider", &[]),
    ("runtime", &["engine.Runtime"]),
    ("stdin_open", &["engine.OpenStdin"]),
    ("storage_opt", &["engine.StorageOpt"]),
    ("tty", &["engine.Tty"]),
    ("use_api_socket", &[]),
    ("volumes_from", &["engine.VolumesFrom"]),
];

/// Keys that say nothing nself would have to do.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("attach", "it is about what `up` shows"),
    ("develop", "it is about `watch`"),
    ("expose", "services of one network reach all ports of each other"),
    ("platform", "the engine's own platform is taken"),
    ("pull_policy", "an image is pulled when it is not there"),
];

impl Shared<'_, '_> {
    /// Says that a key was not carried over.
    pub(super) fn lost(&mut self, sheet: &mut Sheet, at: &Origin, key: &str, why: &str) {
        let message = format!("`{key}` was not carried over: {why}");
        sheet.remark(&format!("{}: {message}", at.brief()));
        self.findings.push(Diagnostic::warning("not-carried", message).at(at, ""));
    }
}

/// Writes one service.
pub(super) fn write(shared: &mut Shared<'_, '_>, called: &str, mut node: Node) -> Sheet {
    let name = shared.names[called].clone();
    let mut sheet = Sheet::default();
    let is_job = shared.jobs.contains(called);
    let is_kind = crate::catalog::KINDS.iter().any(|kind| kind.name == name.as_str());
    match (is_job, is_kind) {
        (true, _) => {
            sheet.set("kind", "job");
            sheet.remark_on("kind", "others wait for it to end");
        }
        (false, true) => sheet.set("kind", "container"),
        (false, false) => {}
    }
    node.take("profiles");
    container_name(shared, &mut sheet, called, &mut node);
    image::image(shared, &mut sheet, called, &mut node);
    command(shared, &mut sheet, &mut node);
    for (from, to) in [("user", "user"), ("working_dir", "workdir"), ("hostname", "hostname")] {
        text(&mut sheet, &mut node, from, to);
    }
    networks(shared, &mut sheet, called, &mut node);
    publish(shared, &mut sheet, &mut node);
    needs(shared, &mut sheet, &mut node);
    volume::write(shared, &mut sheet, &name, &mut node);
    running::limits(shared, &mut sheet, &name, &mut node);
    running::restart(shared, &mut sheet, is_job, &mut node);
    running::health(shared, &mut sheet, &mut node);
    host::rights(&mut sheet, &mut node);
    host::system(shared, &mut sheet, &mut node);
    environment(shared, &mut sheet, &mut node);
    rest(shared, &mut sheet, &name, node);
    sheet
}

pub(super) fn text(sheet: &mut Sheet, node: &mut Node, from: &str, to: &str) {
    if let Some((_, value)) = node.take(from)
        && let Some(text) = value.text()
    {
        sheet.set(to, text);
    }
}

fn container_name(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, called: &str, node: &mut Node) {
    let own = node.take("container_name");
    let own = own.as_ref().and_then(|(_, value)| value.text());
    let name = own.map_or_else(|| format!("{}-{called}-1", shared.project), str::to_owned);
    sheet.set("container_name", name);
    let scale = node.take("scale");
    let deploy = node.get("deploy").and_then(|deploy| deploy.get("replicas"));
    let count = scale.as_ref().map(|(_, value)| value).or(deploy).and_then(Node::text);
    if let Some(count) = count.and_then(|count| count.parse::<i64>().ok()).filter(|n| *n > 1) {
        sheet.set("replicas", count);
    }
}

fn command(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    for key in ["entrypoint", "command"] {
        let Some((_, value)) = node.take(key) else { continue };
        let words = match &value.value {
            Value::List(_) => Some(value.texts()),
            _ => value.text().and_then(words::split),
        };
        let Some(words) = words else {
            shared.lost(sheet, &value.at, key, "a quote in it is not closed");
            continue;
        };
        if words.iter().any(|word| word.contains("${")) {
            let why =
                "nself.toml may read what stands in `${…}` as a reference; see whether it is right";
            shared.findings.push(Diagnostic::warning("look", why).at(&value.at, ""));
        }
        let telling = |pair: &[String]| guess::looks_secret(pair[0].trim_matches('-'), &pair[1]);
        let joined = |word: &String| {
            let (name, value) = word.split_once('=').unwrap_or(("", ""));
            guess::looks_secret(name.trim_matches('-'), value)
        };
        let known = |word: &String| guess::password_in_url(word).is_some();
        let requirepass = |pair: &[String]| pair[0].contains("requirepass");
        if words.windows(2).any(|pair| telling(pair) || requirepass(pair))
            || words.iter().any(|word| joined(word) || known(word))
        {
            let message = format!("`{key}` seems to hold a password, which now stands in the file");
            let help = "hand it over in `env`, as a secret, and let the command read it from there";
            let problem = Diagnostic::warning("secret-in-command", message).at(&value.at, "");
            shared.findings.push(problem.help(help));
        }
        sheet.list(key, words);
    }
}

fn networks(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, called: &str, node: &mut Node) {
    let mode = node.take("network_mode");
    if let Some((key, mode)) = &mode {
        let why = "nself puts containers on networks only; this one would be made anew";
        shared.lost(sheet, &key.at, "network_mode", why);
        let _ = mode;
    }
    let written = node.take("networks");
    let renamed = (shared.names[called].as_str() != called).then(|| called.to_owned());
    let links = node.take("links");
    if let Some((key, links)) = links {
        let aliased = links.texts().iter().any(|link| link.contains(':'));
        if aliased {
            let why = "a link's other name is not known to nself; give the service an alias";
            shared.lost(sheet, &key.at, "links", why);
        }
    }
    network::places(shared, sheet, written.as_ref().map(|(_, node)| node), renamed);
}

fn publish(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    let Some((_, ports)) = node.take("ports") else { return };
    let mut all = Vec::new();
    for port in ports.items() {
        let part = |key: &str| port.get(key).and_then(Node::text);
        let read = match port.text() {
            Some(text) => words::ports(text),
            None => words::published(
                part("host_ip").unwrap_or("0.0.0.0"),
                part("published").unwrap_or_default(),
                part("target").unwrap_or_default(),
                part("protocol").unwrap_or("tcp"),
            )
            .filter(|_| matches!(part("protocol"), None | Some("tcp" | "udp"))),
        };
        match read {
            Some(read) => all.extend(read),
            None => {
                let why = "nself publishes single ports of tcp and udp";
                shared.lost(sheet, &port.at, "ports", why);
            }
        }
    }
    sheet.list_of_some("publish", all);
}

fn needs(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    let Some((_, depends)) = node.take("depends_on") else { return };
    let mut needs = Vec::new();
    for (key, how) in depends.entries() {
        match shared.names.get(&key.text) {
            Some(name) => needs.push(name.to_string()),
            None => {
                let why = format!("`{}` is not among the services here", key.text);
                shared.lost(sheet, &key.at, "depends_on", &why);
            }
        }
        if how.get("restart").is_some_and(Node::flag) {
            let why = "nself restarts what depends on a service where that is needed";
            shared.lost(sheet, &key.at, "depends_on.restart", why);
        }
    }
    sheet.list_of_some("needs", needs);
}

/// Why most keys are not carried over.
pub(super) const UNKNOWN: &str =
    "nself.toml has no word for it; what runs keeps it until it is made anew";

impl Shared<'_, '_> {
    /// Leaves a field out of the comparison.
    pub(super) fn ignore(&mut self, name: &ServiceName, field: &str, key: &str) {
        let why = format!("`{key}` of the compose file, which this file cannot say");
        self.ignored.push((name.clone(), field.to_owned(), why));
    }
}

pub(super) fn pairs(node: &Node) -> BTreeMap<String, String> {
    let entries = node.entries().iter();
    let text = |node: &Node| node.text().unwrap_or_default().to_owned();
    entries.map(|(key, value)| (key.text.clone(), text(value))).collect()
}

/// Returns the variables of a service, those of its files first.
pub(super) fn variables(loader: &mut Loader<'_>, node: &Node) -> BTreeMap<String, String> {
    let files = node.get("env_file").map(|files| loader.env_files(files)).unwrap_or_default();
    let mut all: BTreeMap<String, String> =
        files.into_iter().map(|(name, value, _)| (name, value)).collect();
    for (key, value) in node.get("environment").map(Node::entries).unwrap_or_default() {
        match value.text() {
            Some(text) => _ = all.insert(key.text.clone(), text.to_owned()),
            // Without a value it is handed on from the shell, if it is there.
            None => match loader.variables.get(&key.text) {
                Some(value) => _ = all.insert(key.text.clone(), value),
                None => _ = all.remove(&key.text),
            },
        }
    }
    all
}

fn environment(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    let all = variables(shared.loader, node);
    node.take("env_file");
    node.take("environment");
    let written =
        all.iter().map(|(name, value)| (name.clone(), shared.secrets.template(name, value)));
    sheet.map("env", &written.collect());
}

/// Says of everything that is left that it is left.
fn rest(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, name: &ServiceName, mut node: Node) {
    if let Some((_, deploy)) = node.take("deploy") {
        for (key, value) in deploy.entries() {
            let known = matches!(key.text.as_str(), "resources" | "replicas" | "restart_policy");
            let is_default = matches!(
                (key.text.as_str(), value.text()),
                ("mode", Some("replicated")) | ("endpoint_mode", Some("vip"))
            );
            if !known && !is_default {
                let why = "it is for a swarm of engines";
                shared.lost(sheet, &key.at, &format!("deploy.{}", key.text), why);
            }
        }
    }
    let Value::Map(entries) = node.value else { return };
    for (key, value) in entries {
        let word = key.text.as_str();
        if word.starts_with("x-") || is_nothing(&value) {
            continue;
        }
        if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == word) {
            let message = format!("`{word}` was left out: {why}");
            shared.findings.push(Diagnostic::warning("left-out", message).at(&key.at, ""));
            continue;
        }
        let known = UNSAYABLE.iter().find(|(known, _)| *known == word);
        let why = if known.is_some() { UNKNOWN } else { "it is not known to nself" };
        shared.lost(sheet, &key.at, word, why);
        for field in known.map(|(_, fields)| *fields).unwrap_or_default() {
            shared.ignore(name, field, word);
        }
    }
}

/// `tty: false` asks for what holds anyway.
fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar { text, plain } => {
            text.is_empty() || (*plain && matches!(text.as_str(), "false" | "no" | "0"))
        }
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
    }
}
