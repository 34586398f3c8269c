//! Services that cannot come up.

use std::fs;

use insta::assert_snapshot;

use super::{Bench, Scene, bench::IMAGE, scene::without_counts};

const HEAD: &str = "[project]\nname = \"shop\"\n";

/// A service that runs `script`, with more to say about it.
fn service(name: &str, script: &str, more: &str) -> String {
    format!(
        "[services.{name}]\nimage = \"{IMAGE}\"\ninit = true\ncommand = [\"sh\", \"-c\", \"{script}\"]\n{more}"
    )
}

fn sleeper(name: &str) -> String {
    service(name, "exec sleep inf", "")
}

#[test]
fn an_image_that_does_not_exist() {
    let bench = Bench::new();
    let missing = "[services.ghost]\nimage = \"127.0.0.1:9/acme/ghost:1\"\n";
    let needy = service("needy", "exec sleep inf", "needs = [\"ghost\"]\n");
    let scene = Scene::on(&bench.address(), &format!("{HEAD}{missing}{needy}{}", sleeper("alone")));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("no-image", ended.err);
    // What does not depend on it was done; what does was not begun.
    assert_eq!(
        bench.containers(),
        [
            "shop-alone running \"sh -c 'exec sleep inf'\"",
            "shop-needy created \"sh -c 'exec sleep inf'\""
        ]
    );
    scene.write(&format!("{HEAD}{}", sleeper("alone")));
    scene.converge();
    assert_eq!(bench.containers().len(), 1);
}

#[test]
fn a_dockerfile_that_fails() {
    let bench = Bench::new();
    let text = format!(
        "{HEAD}[services.api]\nbuild = \"api\"\ncommand = [\"sleep\", \"inf\"]\ninit = true\n"
    );
    let scene = Scene::on(&bench.address(), &text);
    fs::create_dir(scene.path("api")).unwrap();
    let write = |text: &str| fs::write(scene.path("api/Dockerfile"), text).unwrap();
    for (name, text) in [
        ("dockerfile-step", format!("FROM {IMAGE}\nRUN echo what is wrong; exit 7\n")),
        ("dockerfile-word", format!("FROM {IMAGE}\nRUNN x\n")),
        ("dockerfile-copy", format!("FROM {IMAGE}\nCOPY nothere /x\n")),
        ("dockerfile-empty", String::new()),
        ("dockerfile-base", "FROM 127.0.0.1:9/base:1\n".to_owned()),
    ] {
        write(&text);
        let ended = scene.run("apply -y");
        assert_eq!(ended.code, 1, "{}", ended.whole());
        assert_snapshot!(name, without_ids(&ended.err));
        assert_eq!(bench.containers(), [""; 0], "{name}");
    }
    fs::remove_file(scene.path("api/Dockerfile")).unwrap();
    let ended = scene.run("apply -y");
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert_snapshot!("dockerfile-missing", ended.err);
    // A file that is all hole is a file.
    fs::File::create(scene.path("api/hole")).unwrap().set_len(1 << 20).unwrap();
    write(&format!("FROM {IMAGE}\nCOPY hole /hole\n"));
    scene.converge();
    let good = bench.containers();
    // A build that fails does not disturb what runs.
    write(&format!("FROM {IMAGE}\nRUN exit 1\n"));
    assert_eq!(scene.run("apply -y").code, 1);
    assert_eq!(bench.containers(), good);
}

#[test]
fn a_health_check_that_never_passes() {
    let bench = Bench::new();
    let health = "ready_within = \"1s\"\nhealth = { command = [\"sh\", \"-c\", \"echo not yet; exit 1\"] }\n";
    let needy = service("needy", "exec sleep inf", "needs = [\"api\"]\n");
    let unhealthy = service("api", "echo I am up; exec sleep inf", health);
    let scene = Scene::on(&bench.address(), &format!("{HEAD}{unhealthy}{needy}"));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("never-healthy", without_counts(&ended.err));
    let needy_waits = "shop-needy created \"sh -c 'exec sleep inf'\"";
    assert_eq!(bench.containers()[1], needy_waits);
    let plan = scene.run("plan");
    assert_snapshot!("never-healthy-plan", plan.out);

    // Put right, everything comes up; made wrong again, what worked comes back.
    let healthy = service("api", "echo I am up; exec sleep inf", "");
    scene.write(&format!("{HEAD}{healthy}{needy}"));
    scene.converge();
    let good = bench.containers();
    scene.write(&format!("{HEAD}{unhealthy}{needy}"));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("goes-back", without_counts(&ended.err));
    assert_eq!(bench.containers(), good);
}

#[test]
fn a_service_slower_than_it_may_be() {
    let bench = Bench::new();
    let slow = |within: &str| {
        let health = format!(
            "ready_within = \"{within}\"\nhealth = {{ command = [\"cat\", \"/tmp/ready\"] }}\n"
        );
        format!("{HEAD}{}", service("api", "sleep 3; echo >/tmp/ready; exec sleep inf", &health))
    };
    let scene = Scene::on(&bench.address(), &slow("1s"));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("too-slow", without_counts(&ended.err));
    // It goes on coming up by itself, and the next apply finds it there.
    scene.write(&slow("20s"));
    let id = bench.docker(&["inspect", "-f", "{{.Id}}", "shop-api"]);
    scene.converge();
    assert_eq!(bench.docker(&["inspect", "-f", "{{.Id}}", "shop-api"]), id);
}

#[test]
fn a_program_that_ends_at_once() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &format!("{HEAD}{}", sleeper("api")));
    scene.converge();
    let good = bench.containers();
    scene.write(&format!("{HEAD}{}", service("api", "echo cannot go on >&2; exit 3", "")));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1, "{}", ended.whole());
    assert_snapshot!("ends-at-once", without_counts(&ended.err));
    assert_eq!(bench.containers(), good);
    let nothing =
        format!("{HEAD}[services.api]\nimage = \"{IMAGE}\"\ncommand = [\"nosuchprogram\"]\n");
    scene.write(&nothing);
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("no-such-program", ended.err);
    assert_eq!(bench.containers(), good);
}

/// The ids of layers and of the containers they are made in are new each time.
fn without_ids(text: &str) -> String {
    let id = |word: &&str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let line = |line: &str| {
        let words = line.split(' ').map(|word| if id(&word) { "ID" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}
