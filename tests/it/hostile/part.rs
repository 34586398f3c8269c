//! Part of a project, and what a project does not want done at once.

use super::{Scene, port::Gone};
use crate::docker::stage::{BASE, docker};

const ENGINE: &str = "unix:///var/run/docker.sock";

fn file(name: &str, level: &str, rest: &str) -> String {
    let service = |name: &str, needs: &str| {
        format!(
            "[services.{name}]\nimage = \"{BASE}\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n\
             env = {{ LEVEL = \"{level}\" }}\nneeds = [{needs}]\n"
        )
    };
    let all = [service("db", ""), service("api", "\"db\""), service("worker", "\"api\"")].concat();
    format!("[project]\nname = \"{name}\"\n{all}{rest}")
}

#[test]
fn a_part_is_applied_and_too_much_is_not() {
    let name = format!("t{}-part", std::process::id());
    let _gone = Gone(name.clone());
    let scene = Scene::on(ENGINE, &file(&name, "info", ""));
    let life = |service: &str| {
        docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", &format!("{name}-{service}")])
    };
    scene.converge();
    let were = ["db", "api", "worker"].map(life);

    scene.write(&file(&name, "debug", ""));
    let ended = scene.run("apply -y apy");
    assert_eq!((ended.code, ended.err.contains("did you mean api?")), (64, true), "{}", ended.err);
    let ended = scene.run("plan api --exit-code");
    assert_eq!(ended.code, 2, "{}", ended.whole());
    assert!(ended.out.contains("away: not known yet"), "{}", ended.out);
    let left_out = "  left out: 1 change of worker (nself plan shows it)\n";
    assert!(ended.out.contains(left_out), "{}", ended.out);
    let ended = scene.run("apply -y api");
    assert_eq!(ended.code, 0, "{}", ended.whole());
    let now = ["db", "api", "worker"].map(life);
    assert!(now[0] != were[0] && now[1] != were[1] && now[2] == were[2], "{}", ended.out);
    assert_eq!(scene.run("plan api --exit-code").code, 0);
    let ended = scene.run("plan --exit-code --json");
    assert_eq!(ended.code, 2, "{}", ended.whole());
    let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let changes: Vec<&String> = json["nself"]["changes"].as_object().unwrap().keys().collect();
    assert_eq!(changes, [&format!("container/{name}-worker")]);

    // What the file of another project would do to this one.
    let policy = "[[policy]]\nname = \"read-only\"\nrequire = \"read_only\"\neffect = \"refuse\"\n";
    scene.write(&file(&name, "debug", policy));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 4, "{}", ended.whole());
    assert!(ended.out.contains("REFUSED by policy read-only"), "{}", ended.whole());
    assert_eq!(["db", "api", "worker"].map(life), now);

    scene.write(&format!("[project]\nname = \"{name}\"\nrefuse_over = \"50%\"\n"));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 4, "{}", ended.whole());
    assert!(ended.out.contains("HELD by policy refuse-over"), "{}", ended.whole());
    assert_eq!(["db", "api", "worker"].map(life), now);
    assert_eq!(scene.run("plan --exit-code --refuse-over 100").code, 64);
    let ended = scene.run("plan --exit-code --refuse-over 100%");
    assert_eq!(ended.code, 2, "{}", ended.whole());
    // Whoever says that all of it is to go is not asked twice.
    let ended = scene.run("destroy -y");
    assert_eq!(ended.code, 0, "{}", ended.whole());
}
