//! Ports that somebody else has, on the engine of this machine: there is no other way to share ports
//! with programs of this machine.

use std::net::TcpListener;

use super::Scene;
use crate::docker::stage::{BASE, docker, try_docker};

const ENGINE: &str = "unix:///var/run/docker.sock";

/// Takes away what a test made, whatever became of it.
pub(super) struct Gone(pub(super) String);

impl Drop for Gone {
    fn drop(&mut self) {
        let name = format!("name=^/{}", self.0);
        let ids = try_docker(&["ps", "-aq", "--filter", &name]).unwrap_or_default();
        for id in ids.split_whitespace() {
            let _ = try_docker(&["rm", "-f", id]);
        }
        for class in ["network", "volume"] {
            let label = format!("label=dev.nself.project={}", self.0);
            let ids = try_docker(&[class, "ls", "-q", "--filter", &label]).unwrap_or_default();
            for id in ids.split_whitespace() {
                let _ = try_docker(&[class, "rm", id]);
            }
        }
    }
}

/// Returns a project whose service publishes a port.
fn project(purpose: &str, port: u16) -> (Gone, Scene, String) {
    let name = format!("t{}-{purpose}", std::process::id());
    let text = format!(
        "[project]\nname = \"{name}\"\n[services.web]\nimage = \"{BASE}\"\ninit = true\n\
         command = [\"sleep\", \"inf\"]\npublish = [\"{port}:80\"]\n"
    );
    (Gone(name.clone()), Scene::on(ENGINE, &text), name)
}

#[test]
fn a_port_of_a_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_gone, scene, name) = project("program", port);
    // It ran before, without the port.
    let text = std::fs::read_to_string(scene.path("nself.toml")).unwrap();
    scene.write(
        text.lines()
            .filter(|line| !line.starts_with("publish"))
            .collect::<Vec<_>>()
            .join("\n")
            .as_str(),
    );
    scene.converge();
    scene.write(&text);
    let life = docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", &format!("{name}-web")]);
    // Threads have names of their own; the program's is in the table of processes.
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    let by = format!("{} (process {})", comm.trim(), std::process::id());
    let blocked = format!("blocked: port {port} of 127.0.0.1 is taken by {by}: free it");
    let planned = scene.run("plan");
    assert!(planned.out.contains(&blocked), "{}", planned.whole());
    let json: serde_json::Value = serde_json::from_str(&scene.run("plan --json").out).unwrap();
    let capacity = &json["nself"]["capacity"];
    for key in ["memory_free", "disk_free", "disk_floor", "networks_left"] {
        assert!(capacity[key].as_u64().is_some_and(|number| number > 0), "{key}: {capacity}");
    }
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 4, "{}", ended.whole());
    assert!(ended.out.contains(&blocked), "{}", ended.whole());
    let found = scene.run("doctor");
    assert!(found.out.contains(&format!("port {port} of 127.0.0.1 is taken by {by}")));
    let now = docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", &format!("{name}-web")]);
    assert_eq!(now, life, "what ran was not touched");
    drop(listener);
    scene.converge();
}

#[test]
fn a_port_of_a_container() {
    let port = crate::port::free();
    let (_gone, scene, name) = project("container", port);
    let other = format!("{name}-foreign");
    let publish = format!("127.0.0.1:{port}:80");
    docker(&["run", "-d", "--init", "--name", &other, "-p", &publish, BASE, "sleep", "inf"]);
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 4, "{}", ended.whole());
    let end = format!(
        "! container/{name}-web   blocked: port {port} of 127.0.0.1 is taken by the container {other}, \
         which is not ours: free it, or publish on another one\n1 step done; 1 blocked. Exit 4.\n"
    );
    assert!(ended.out.ends_with(&end), "{}", ended.whole());
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &other]), "true");
    docker(&["rm", "-f", &other]);
    scene.converge();
}
