//! Whatever somebody changes behind nself's back is found, named, and put right; in place where the
//! engine can, and then the container goes on running untouched.

use nself::{
    diff::{Action, Mover},
    model::ResourceId,
    plan::Plan,
};

use super::stage::{BASE, Stage, docker, gist, try_docker};

const FILE: &str = r#"
[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
env = { LEVEL = "info" }
volumes = { data = "/data" }
limits = { memory = "256M", cpus = 0.5, pids = 50 }

[services.other]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["web"]
"#;

/// What the repair does to the container.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Repair {
    /// Same container, never stopped.
    Untouched,
    /// Same container, started again.
    Started,
    /// Another container.
    Replaced,
}

struct Case {
    what: &'static str,
    tamper: fn(&Stage, &str),
    /// The resource and field that must be named.
    names: &'static str,
    repair: Repair,
}

const CASES: &[Case] = &[
    Case {
        what: "memory limit",
        tamper: |_, web| {
            docker(&["update", "--memory", "300m", "--memory-swap", "600m", web]);
        },
        names: "limits.memory",
        repair: Repair::Untouched,
    },
    Case {
        what: "swap limit alone",
        tamper: |_, web| {
            docker(&["update", "--memory-swap", "700m", web]);
        },
        names: "limits.swap",
        repair: Repair::Untouched,
    },
    Case {
        what: "processor limit",
        tamper: |_, web| {
            docker(&["update", "--cpus", "0.75", web]);
        },
        names: "limits.cpus",
        repair: Repair::Untouched,
    },
    Case {
        what: "process limit",
        tamper: |_, web| {
            docker(&["update", "--pids-limit", "99", web]);
        },
        names: "limits.pids",
        repair: Repair::Untouched,
    },
    Case {
        what: "a limit nobody asked for",
        tamper: |_, web| {
            docker(&["update", "--cpu-shares", "512", web]);
        },
        names: "limits.cpu_shares",
        // Taking it away is beyond an update: 0 means "leave" to the engine.
        repair: Repair::Replaced,
    },
    Case {
        what: "restart policy",
        tamper: |_, web| {
            docker(&["update", "--restart", "no", web]);
        },
        names: "restart",
        repair: Repair::Untouched,
    },
    Case {
        what: "name",
        tamper: |stage, web| {
            docker(&["rename", web, &format!("{}-elsewhere", stage.name)]);
        },
        names: "name",
        repair: Repair::Untouched,
    },
    Case {
        what: "one more network",
        tamper: |stage, web| {
            let extra = format!("{}-extra", stage.name);
            docker(&["network", "create", &extra]);
            docker(&["network", "connect", &extra, web]);
        },
        names: "networks.{name}-extra",
        repair: Repair::Untouched,
    },
    Case {
        what: "network detached",
        tamper: |stage, web| {
            docker(&["network", "disconnect", &stage.name, web]);
        },
        names: "networks.{name}",
        repair: Repair::Untouched,
    },
    Case {
        what: "alias lost",
        tamper: |stage, web| {
            docker(&["network", "disconnect", &stage.name, web]);
            docker(&["network", "connect", &stage.name, web]);
        },
        names: "aliases.{name}",
        repair: Repair::Untouched,
    },
    Case {
        what: "stopped",
        tamper: |_, web| {
            docker(&["stop", "-t", "1", web]);
        },
        names: "state",
        repair: Repair::Started,
    },
    Case {
        what: "killed",
        tamper: |_, web| {
            docker(&["kill", web]);
        },
        names: "state",
        repair: Repair::Started,
    },
    Case {
        what: "paused",
        tamper: |_, web| {
            docker(&["pause", web]);
        },
        names: "state",
        repair: Repair::Untouched,
    },
    Case {
        what: "removed",
        tamper: |_, web| {
            docker(&["rm", "-f", web]);
        },
        names: "",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with another environment",
        tamper: |stage, web| by_hand(stage, web, &["--env", "LEVEL=debug"]),
        names: "env.LEVEL",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with one variable more",
        tamper: |stage, web| by_hand(stage, web, &["--env", "LEVEL=info", "--env", "EXTRA=1"]),
        names: "env.EXTRA",
        repair: Repair::Replaced,
    },
    Case {
        what: "each other's name",
        tamper: |stage, web| {
            let [other, aside] = [stage.container("other"), format!("{web}-x")];
            docker(&["rename", web, &aside]);
            docker(&["rename", &other, web]);
            docker(&["rename", &aside, &other]);
        },
        names: "name",
        repair: Repair::Untouched,
    },
    Case {
        what: "recreated with a volume without a name",
        tamper: |stage, web| {
            by_hand(stage, web, &["--volume", "/var/lib/extra"]);
            stage.own_nameless_volumes(web);
        },
        names: "mounts./var/lib/extra",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with another volume",
        tamper: |stage, web| {
            by_hand(stage, web, &["--volume", &format!("{}-swapped:/data", stage.name)]);
        },
        names: "mounts./data",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with a port published",
        tamper: |stage, web| by_hand(stage, web, &["--publish", "127.0.0.1::81"]),
        names: "ports.81/tcp",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated as another user",
        tamper: |stage, web| by_hand(stage, web, &["--user", "1000:1000"]),
        names: "user",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with a capability more",
        tamper: |stage, web| by_hand(stage, web, &["--cap-add", "NET_ADMIN"]),
        names: "capabilities.add",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated privileged",
        tamper: |stage, web| by_hand(stage, web, &["--privileged"]),
        names: "privileged",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with a bind of the host",
        tamper: |stage, web| by_hand(stage, web, &["--volume", "/tmp:/host"]),
        names: "mounts./host",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with the host's processes in sight",
        tamper: |stage, web| by_hand(stage, web, &["--pid", "host"]),
        names: "namespaces.pid",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with other name servers",
        tamper: |stage, web| by_hand(stage, web, &["--dns", "127.0.0.53"]),
        names: "dns.servers",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with a line in the hosts file",
        tamper: |stage, web| by_hand(stage, web, &["--add-host", "bank:127.0.0.1"]),
        names: "extra_hosts",
        repair: Repair::Replaced,
    },
    Case {
        what: "recreated with another command",
        tamper: |stage, web| by_hand(stage, web, &["{command}", "sleep", "1000000"]),
        names: "command",
        repair: Repair::Replaced,
    },
    Case {
        what: "network removed",
        tamper: |stage, web| {
            docker(&["network", "disconnect", &stage.name, web]);
            docker(&["network", "disconnect", &stage.name, &stage.container("other")]);
            docker(&["network", "rm", &stage.name]);
        },
        names: "networks.{name}",
        repair: Repair::Untouched,
    },
    Case {
        what: "another container claims to be it",
        tamper: |stage, web| {
            let labels = labels(web);
            let labels: Vec<&str> = labels.iter().flat_map(|l| ["--label", l.as_str()]).collect();
            let name = format!("{}-impostor", stage.name);
            let mut words = vec!["run", "-d", "--name", &name];
            words.extend(labels);
            words.extend([BASE, "sleep", "infinity"]);
            docker(&words);
        },
        names: "",
        repair: Repair::Untouched,
    },
    Case {
        what: "a container with our labels that nobody wants",
        tamper: |stage, _| {
            let name = format!("{}-orphan", stage.name);
            let project = format!("dev.nself.project={}", stage.name);
            let resource = format!("dev.nself.resource=container/{name}");
            let words = ["--label", &project, "--label", &resource, BASE, "sleep", "infinity"];
            docker(&[&["run", "-d", "--name", &name], &words[..]].concat());
        },
        names: "",
        repair: Repair::Untouched,
    },
];

#[test]
fn what_is_moved_is_named_and_put_right() {
    let stage = Stage::new("tamper");
    stage.write(FILE);
    stage.converge();
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(why) = try_case(&stage, case) {
            wrong.push(format!("{}: {why}", case.what));
            // The next case starts from a good state all the same.
            stage.apply();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

fn try_case(stage: &Stage, case: &Case) -> Result<(), String> {
    let web = stage.container("web");
    let life = stage.life("web");
    (case.tamper)(stage, &web);
    let drift = stage.drift();
    let moved = drift.changes.changes.iter().any(nself::diff::Change::is_drift);
    let names = case.names.replace("{name}", &stage.name);
    let named = names.is_empty() || paths(&drift).contains(&names);
    if !moved || !named {
        return Err(format!("not named as {names:?}: {}", gist(&drift)));
    }
    let report = stage.apply();
    if !report.rest.is_empty() {
        return Err(format!("left after the repair: {}", gist(&report.rest)));
    }
    let plan = stage.plan();
    if !plan.is_empty() {
        return Err(format!("not put right: {}", gist(&plan)));
    }
    let now = stage.life("web");
    let id = |life: &str| life.split(' ').next().unwrap_or_default().to_owned();
    let repair = match (id(&life) == id(&now), life == now) {
        (true, true) => Repair::Untouched,
        (true, false) => Repair::Started,
        (false, _) => Repair::Replaced,
    };
    if repair == case.repair {
        Ok(())
    } else {
        Err(format!("the container was {repair:?}, not {:?}: {}", case.repair, gist(&drift)))
    }
}

fn paths(plan: &Plan) -> Vec<String> {
    let fields = plan.changes.changes.iter().flat_map(|change| &change.fields);
    fields.map(|field| field.path.to_string()).collect()
}

/// Returns a container's labels, as `name=value`.
fn labels(container: &str) -> Vec<String> {
    let all = docker(&["inspect", "--format", "{{json .Config.Labels}}", container]);
    let all: std::collections::BTreeMap<String, String> = serde_json::from_str(&all).unwrap();
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Replaces `web` by a container of the same name and labels that somebody made by hand. Words behind
/// `{command}` are the command.
fn by_hand(stage: &Stage, web: &str, words: &[&str]) {
    let labels = labels(web);
    docker(&["rm", "-f", web]);
    let (options, command) = match words.iter().position(|word| *word == "{command}") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, &["sleep", "infinity"][..]),
    };
    let volume = format!("{}-data:/data", stage.name.clone() + "-web");
    let mut all = vec!["create", "--name", web, "--init", "--network", &stage.name];
    all.extend(["--network-alias", "web", "--restart", "unless-stopped", "--cpus", "0.5"]);
    all.extend(["--memory", "256m", "--memory-swap", "512m", "--pids-limit", "50"]);
    if !options.contains(&"--env") {
        all.extend(["--env", "LEVEL=info"]);
    }
    if !options.iter().any(|option| option.ends_with(":/data")) {
        all.extend(["--volume", &volume]);
    }
    for label in &labels {
        all.extend(["--label", label]);
    }
    all.extend(options);
    all.push(BASE);
    all.extend(command);
    docker(&all);
    // An engine that may not do it all itself, as in a container, refuses to start a privileged one.
    let _ = try_docker(&["start", web]);
}

#[test]
fn a_container_without_our_labels_is_a_conflict_until_it_is_named() {
    let stage = Stage::new("conflict");
    stage.write(FILE);
    stage.converge();
    let web = stage.container("web");
    docker(&["rm", "-f", &web]);
    let foreign = docker(&["run", "-d", "--name", &web, BASE, "sleep", "infinity"]);

    let drift = stage.drift();
    let id = ResourceId::Container(web.clone());
    assert_eq!(drift.changes.get(&id).unwrap().action, Action::Conflict);
    let report = stage.apply();
    assert_eq!(report.rest.held.len(), 1, "{}", gist(&report.rest));
    assert_eq!(Stage::inspect(&web, "{{.Id}}"), foreign, "it was touched without being named");

    let report = stage.apply_allowing(&[&format!("replace:container/{web}")]);
    assert!(report.rest.is_empty(), "{}", gist(&report.rest));
    assert_ne!(Stage::inspect(&web, "{{.Id}}"), foreign);
    assert!(stage.plan().is_empty());
}

#[test]
fn an_in_place_change_put_back_by_hand_is_drift_and_not_the_file() {
    let stage = Stage::new("putback");
    stage.write(FILE);
    stage.converge();
    stage.write(&FILE.replace("256M", "200M"));
    let life = stage.life("web");
    stage.converge();
    assert_eq!(stage.life("web"), life, "memory is changed in place");
    let web = stage.container("web");
    docker(&["update", "--memory", "256m", "--memory-swap", "512m", &web]);
    let drift = stage.drift();
    let change = drift.changes.get(&ResourceId::Container(web)).unwrap();
    for field in &change.fields {
        assert_eq!(field.mover, Mover::Drift, "{}", field.path);
    }
    stage.converge();
    assert_eq!(stage.life("web"), life);
}

#[test]
fn a_tag_that_moved_to_another_image_is_found() {
    let stage = Stage::new("tag");
    let tag = format!("{}:1", stage.name);
    docker(&["tag", BASE, &tag]);
    stage.write(&FILE.replacen(BASE, &tag, 1));
    stage.converge();
    let web = stage.container("web");
    let other = docker(&["commit", "--change", "LABEL moved=yes", &web]);
    docker(&["tag", &other, &tag]);
    let drift = stage.drift();
    assert!(paths(&drift).contains(&"image".to_owned()), "{}", gist(&drift));
    stage.converge();
    assert_eq!(Stage::inspect(&web, "{{.Image}}"), other);
    drop(stage);
    docker(&["rmi", "-f", &tag, &other]);
}
