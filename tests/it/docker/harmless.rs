//! What is nobody's business changes nothing: no false drift.

use super::stage::{BASE, Stage, docker, gist};

const FILE: &str = r#"
[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }
limits = { memory = "256M", cpus = 0.5 }
"#;

type Event = (&'static str, fn(&Stage, &str));

const EVENTS: &[Event] = &[
    ("nothing at all", |_, _| {}),
    ("a restart by hand", |_, web| {
        docker(&["restart", "-t", "1", web]);
    }),
    ("a pause that was taken back", |_, web| {
        docker(&["pause", web]);
        docker(&["unpause", web]);
    }),
    ("the image under a further tag", |stage, _| {
        let tag = format!("{}-elsewhere:1", stage.name);
        docker(&["tag", BASE, &tag]);
        docker(&["rmi", &tag]);
    }),
    ("somebody else's container", |stage, _| {
        let name = format!("{}x-foreign", stage.name);
        docker(&["run", "-d", "--name", &name, BASE, "sleep", "infinity"]);
    }),
    ("somebody else's network", |stage, _| {
        docker(&["network", "create", &format!("{}x-foreign", stage.name)]);
    }),
    ("somebody else's volume", |stage, _| {
        docker(&["volume", "create", &format!("{}x-foreign", stage.name)]);
    }),
    ("somebody else on a network of theirs with our alias", |stage, _| {
        let network = format!("{}x-foreign", stage.name);
        let name = format!("{}x-foreign", stage.name);
        docker(&["network", "connect", "--alias", "web", &network, &name]);
    }),
    ("a container of another project of ours", |stage, _| {
        let name = format!("{}x-sibling", stage.name);
        docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            "dev.nself.project=other",
            BASE,
            "sleep",
            "9",
        ]);
        docker(&["rm", "-f", &name]);
    }),
    ("a container of another instance", |stage, _| {
        let name = format!("{}x-preview", stage.name);
        let project = format!("dev.nself.project={}", stage.name);
        let words =
            ["--label", &project, "--label", "dev.nself.instance=preview", BASE, "sleep", "9"];
        docker(&[&["run", "-d", "--name", &name], &words[..]].concat());
        docker(&["rm", "-f", &name]);
    }),
    ("log lines", |_, web| {
        docker(&["exec", web, "sh", "-c", "for i in 1 2 3; do echo line > /proc/1/fd/1; done"]);
    }),
    ("a command run inside", |_, web| {
        docker(&["exec", web, "true"]);
    }),
    ("a file written in the container", |_, web| {
        docker(&["exec", web, "touch", "/tmp/x"]);
    }),
    ("data written to the volume", |_, web| {
        docker(&["exec", web, "sh", "-c", "echo x > /data/x"]);
    }),
    ("somebody reading from the container", |_, web| {
        docker(&["cp", &format!("{web}:/etc/hostname"), "-"]);
    }),
    ("somebody copying into the container", |_, web| {
        docker(&["cp", "/etc/hostname", &format!("{web}:/tmp/hostname")]);
    }),
    ("a snapshot of the container", |_, web| {
        let image = docker(&["commit", web]);
        docker(&["rmi", &image]);
    }),
    ("an update to the values it has", |_, web| {
        docker(&["update", "--memory", "256m", "--memory-swap", "512m", web]);
    }),
    ("a rename that was taken back", |stage, web| {
        let other = format!("{}-other", stage.name);
        docker(&["rename", web, &other]);
        docker(&["rename", &other, web]);
    }),
    ("a network that came and went", |stage, web| {
        let network = format!("{}-passing", stage.name);
        docker(&["network", "create", &network]);
        docker(&["network", "connect", &network, web]);
        docker(&["network", "disconnect", &network, web]);
        docker(&["network", "rm", &network]);
    }),
    ("a second container on our network", |stage, _| {
        let name = format!("{}x-guest", stage.name);
        docker(&["run", "-d", "--name", &name, "--network", &stage.name, BASE, "sleep", "9"]);
        docker(&["rm", "-f", &name]);
    }),
    ("the same apply once more", |stage, _| {
        stage.apply();
    }),
];

#[test]
fn harmless_things_change_nothing() {
    let stage = Stage::new("harmless");
    stage.write(FILE);
    stage.converge();
    let web = stage.container("web");
    let mut wrong = Vec::new();
    for (what, event) in EVENTS {
        event(&stage, &web);
        let drift = stage.drift();
        if !drift.is_empty() {
            wrong.push(format!("{what}: {}", gist(&drift)));
            stage.apply();
        }
    }
    let foreign = format!("{}x-foreign", stage.name);
    docker(&["rm", "-f", &foreign]);
    docker(&["network", "rm", &foreign]);
    docker(&["volume", "rm", &foreign]);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), EVENTS.len(), wrong.join("\n"));
}
