//! One service of a compose file in the words of `nself.toml`.
//!
//! What Compose takes where nothing is said is written out where nself takes something else, so that a
//! container that runs already is what the file asks for.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::Value as Toml;

use super::{
    guess,
    load::Loader,
    network,
    secret::Secrets,
    sheet::Sheet,
    volume::{self, Volumes},
    words,
    yaml::{Key, Node, Value},
};
use crate::model::{ByteSize, Diagnostic, Millis, Origin, ServiceName};

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
    fn lost(&mut self, sheet: &mut Sheet, at: &Origin, key: &str, why: &str) {
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
    image(shared, &mut sheet, called, &mut node);
    command(shared, &mut sheet, &mut node);
    for (from, to) in [("user", "user"), ("working_dir", "workdir"), ("hostname", "hostname")] {
        text(&mut sheet, &mut node, from, to);
    }
    networks(shared, &mut sheet, called, &mut node);
    publish(shared, &mut sheet, &mut node);
    needs(shared, &mut sheet, &mut node);
    volume::write(shared, &mut sheet, &name, &mut node);
    limits(shared, &mut sheet, &name, &mut node);
    restart(shared, &mut sheet, is_job, &mut node);
    health(shared, &mut sheet, &mut node);
    rights(&mut sheet, &mut node);
    system(shared, &mut sheet, &mut node);
    environment(shared, &mut sheet, called, &mut node);
    rest(shared, &mut sheet, &name, node);
    sheet
}

fn text(sheet: &mut Sheet, node: &mut Node, from: &str, to: &str) {
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

fn image(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, called: &str, node: &mut Node) {
    let image = node.take("image");
    let build = node.take("build");
    let own = image.as_ref().and_then(|(_, value)| value.text()).map(str::to_owned);
    let name = own.clone().unwrap_or_else(|| format!("{}-{called}", shared.project));
    sheet.set("image", whole_image(&name));
    if let Some(kind) = own.as_deref().and_then(guess::kind_of) {
        let text = format!(
            "nself has a kind that looks after this itself, in a container of its own: kind = \"{kind}\""
        );
        sheet.remark(&text);
    }
    if image.is_none() && build.is_none() {
        shared.lost(sheet, &node.at.clone(), "image", "the service has neither image nor build");
    }
    let Some((_, build)) = build else { return };
    let context = build.get("context").and_then(Node::text).unwrap_or(".");
    let folder = shared.loader.input.folder.clone();
    let context = std::path::Path::new(context);
    let context = context.strip_prefix(&folder).unwrap_or(context).to_string_lossy().into_owned();
    let context = if context.is_empty() { ".".to_owned() } else { context };
    let mut table = toml_edit::InlineTable::new();
    table.insert("context", context.clone().into());
    for (key, value) in build.entries() {
        match (key.text.as_str(), value.text()) {
            ("context", _) => {}
            ("dockerfile" | "target", Some(text)) => _ = table.insert(&key.text, text.into()),
            ("args", _) => {
                let args = value.entries().iter();
                let args = args.map(|(k, v)| (k.text.as_str(), v.text().unwrap_or_default()));
                table.insert("args", args.collect::<toml_edit::InlineTable>().into());
            }
            (other, _) => {
                let why = "nself builds from a folder, a Dockerfile, a target and arguments";
                shared.lost(sheet, &key.at, &format!("build.{other}"), why);
            }
        }
    }
    let build = if table.len() == 1 { format!("{:?}", context) } else { table.to_string() };
    let text = format!(
        "the image that Compose built. To let nself build it, take this line out and write:\n\
         build = {}",
        build.trim()
    );
    sheet.remark_on("image", &text);
    let message = format!("`{called}` runs the image that Compose built");
    shared.findings.push(
        Diagnostic::warning("built", message)
            .at(&build_place(node, &shared.names[called], image.as_ref()), "")
            .help("so nothing is made anew; nself.toml says how nself builds it from here on"),
    );
}

fn build_place(node: &Node, _: &ServiceName, image: Option<&(Key, Node)>) -> Origin {
    image.map_or_else(|| node.at.clone(), |(key, _)| key.at.clone())
}

/// An image without a tag is the one called `latest`.
fn whole_image(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match name.split_once('@') {
        // A digest says all that a tag could.
        Some((front, digest)) => {
            let tag = front.rsplit('/').next().unwrap_or(front).rfind(':');
            let bare = tag.map_or(front, |_| front.rsplit_once(':').map_or(front, |(f, _)| f));
            format!("{bare}@{digest}")
        }
        None if last.contains(':') => name.to_owned(),
        None => format!("{name}:latest"),
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

impl Shared<'_, '_> {
    /// Says of a part of a key that it was not carried over.
    pub(super) fn not_carried(&mut self, sheet: &mut Sheet, at: &Origin, key: &str, why: &str) {
        self.lost(sheet, at, key, why);
    }
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

fn limits(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, name: &ServiceName, node: &mut Node) {
    let deploy = node.get("deploy").and_then(|deploy| deploy.get("resources")).cloned();
    let of = |part: &str, key: &str| {
        let part = deploy.as_ref()?.get(part)?.get(key)?;
        Some(part.clone())
    };
    let mut pick = |own: &str, part: &str, key: &str| {
        let own = node.take(own).map(|(_, value)| value);
        own.or_else(|| of(part, key))
    };
    let memory = pick("mem_limit", "limits", "memory");
    let reservation = pick("mem_reservation", "reservations", "memory");
    let cpus = pick("cpus", "limits", "cpus");
    let pids = pick("pids_limit", "limits", "pids");
    let shares = pick("cpu_shares", "", "");
    let set = pick("cpuset", "", "");
    let mut values: Vec<(String, Toml)> = Vec::new();
    let mut wrong = Vec::new();
    let sizes = [("memory", memory.as_ref()), ("reservation", reservation.as_ref())];
    for (key, node) in sizes {
        let Some(node) = node else { continue };
        match node.text().and_then(words::size) {
            Some(ByteSize(0)) => {}
            Some(size) => values.push((key.to_owned(), size.to_string().into())),
            None => wrong.push((node.at.clone(), key)),
        }
    }
    if let Some(node) = cpus {
        match node.text().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if number > 0.0 => values.push(("cpus".to_owned(), number.into())),
            Some(_) => {}
            None => wrong.push((node.at.clone(), "cpus")),
        }
    }
    for (key, node) in [("cpu_shares", shares), ("pids", pids)] {
        let number = node.as_ref().and_then(Node::text).and_then(|text| text.parse::<i64>().ok());
        if let Some(number) = number.filter(|number| *number > 0) {
            values.push((key.to_owned(), number.into()));
        }
    }
    if let Some(text) = set.as_ref().and_then(Node::text) {
        values.push(("cpuset".to_owned(), text.into()));
    }
    for (at, key) in wrong {
        shared.lost(sheet, &at, key, "it cannot be read");
    }
    // Swap is limited to as much again by both, so that this much needs no word.
    let swap = node.get("memswap_limit").and_then(Node::text).and_then(words::size);
    let memory = memory.as_ref().and_then(Node::text).and_then(words::size);
    if swap.zip(memory).is_some_and(|(swap, memory)| swap.0 == memory.0 * 2) {
        node.take("memswap_limit");
    }
    let devices = deploy.as_ref().and_then(|d| d.get("reservations")?.get("devices"));
    if let Some(devices) = devices {
        let at = devices.at.clone();
        shared.lost(sheet, &at, "deploy.resources.reservations.devices", UNKNOWN);
        shared.ignore(name, "engine.DeviceRequests", "deploy.resources.reservations.devices");
    }
    sheet.values("limits", values);
}

const UNKNOWN: &str = "nself.toml has no word for it; what runs keeps it until it is made anew";

impl Shared<'_, '_> {
    fn ignore(&mut self, name: &ServiceName, field: &str, key: &str) {
        let why = format!("`{key}` of the compose file, which this file cannot say");
        self.ignored.push((name.clone(), field.to_owned(), why));
    }
}

fn restart(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, is_job: bool, node: &mut Node) {
    let own = node.take("restart");
    let own = own.as_ref().and_then(|(_, value)| value.text());
    let policy = node.get("deploy").and_then(|deploy| deploy.get("restart_policy"));
    let word = match (own, policy) {
        (Some(word), _) => word.to_owned(),
        (None, Some(policy)) => {
            let text = |key: &str| policy.get(key).and_then(Node::text);
            match (text("condition").unwrap_or("any"), text("max_attempts")) {
                ("none", _) => "no".to_owned(),
                ("on-failure", Some(times)) => format!("on-failure:{times}"),
                ("on-failure", None) => "on-failure".to_owned(),
                _ => "always".to_owned(),
            }
        }
        (None, None) => "no".to_owned(),
    };
    let (word, forever) = match word.as_str() {
        "false" => ("no".to_owned(), false),
        "always" | "unless-stopped" => (word, true),
        _ => (word, false),
    };
    if is_job && forever {
        let at = node.at.clone();
        shared.lost(sheet, &at, "restart", "what others wait for to end is not started again");
        return;
    }
    // Without a word, nself starts it again and Compose does not.
    if !(is_job && word == "no") {
        sheet.set("restart", word);
    }
}

fn health(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
    let Some((key, health)) = node.take("healthcheck") else { return };
    let disabled = health.get("disable").is_some_and(Node::flag);
    let words = health.get("test").map(|test| match &test.value {
        Value::List(_) => test.texts(),
        _ => vec!["CMD-SHELL".to_owned(), test.text().unwrap_or_default().to_owned()],
    });
    let words = words.unwrap_or_default();
    let mut values: Vec<(String, Toml)> = Vec::new();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["NONE", ..] => return disable(shared, sheet, &key.at),
        _ if disabled => return disable(shared, sheet, &key.at),
        ["CMD", rest @ ..] => {
            values.push((
                "command".to_owned(),
                toml_edit::Array::from_iter(rest.iter().copied()).into(),
            ));
        }
        ["CMD-SHELL", rest @ ..] => {
            let line = rest.join(" ");
            let words = ["/bin/sh", "-c", &line];
            values.push(("command".to_owned(), toml_edit::Array::from_iter(words).into()));
        }
        [] => {}
        _ => {
            shared.lost(
                sheet,
                &key.at,
                "healthcheck.test",
                "it begins with none of CMD and CMD-SHELL",
            );
            return;
        }
    }
    // Compose takes the engine's half minute where nothing is said, and nself does not.
    let own = !words.is_empty();
    for (from, default) in
        [("interval", Some(PAUSE)), ("timeout", Some(PAUSE)), ("start_period", None)]
    {
        let written = health.get(from).and_then(Node::text).and_then(words::duration);
        if let Some(time) = written.or(default.filter(|_| own)).filter(|time| time.0 > 0) {
            values.push((from.to_owned(), time.to_string().into()));
        }
    }
    let retries = health.get("retries").and_then(Node::text).and_then(|text| text.parse().ok());
    if let Some(retries) = retries.or(own.then_some(3_i64)) {
        values.push(("retries".to_owned(), retries.into()));
    }
    if let Some(interval) = health.get("start_interval") {
        let at = interval.at.clone();
        shared.lost(sheet, &at, "healthcheck.start_interval", UNKNOWN);
    }
    sheet.values("health", values);
}

const PAUSE: Millis = Millis(30_000);

fn disable(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, at: &Origin) {
    let why = "nself cannot switch off the health check that an image declares";
    shared.lost(sheet, at, "healthcheck.disable", why);
}

fn rights(sheet: &mut Sheet, node: &mut Node) {
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

fn system(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, node: &mut Node) {
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

fn pairs(node: &Node) -> BTreeMap<String, String> {
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

fn environment(shared: &mut Shared<'_, '_>, sheet: &mut Sheet, called: &str, node: &mut Node) {
    let all = variables(shared.loader, node);
    node.take("env_file");
    node.take("environment");
    let written =
        all.iter().map(|(name, value)| (name.clone(), shared.secrets.template(name, value)));
    sheet.map("env", &written.collect());
    let _ = called;
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
