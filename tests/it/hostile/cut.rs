//! Cut off in the middle: by a person, by a kill, by the engine's end. And two at once.

use std::process::Child;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, Scene, bench::IMAGE, scene::eventually};

/// Two services, of which the first is ready once `/data/go` is there.
fn shop(version: u32) -> String {
    format!(
        "[project]\nname = \"shop\"\n\n[services.api]\nimage = \"{IMAGE}\"\ninit = true\n\
         command = [\"sh\", \"-c\", \"exec sleep inf\"]\nvolumes = {{ data = \"/data\" }}\n\
         env = {{ VERSION = \"{version}\" }}\nready_within = \"30s\"\n\
         health = {{ command = [\"cat\", \"/data/go\"] }}\n\n\
         [services.worker]\nimage = \"{IMAGE}\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n\
         needs = [\"api\"]\n"
    )
}

/// Does not stop when it is told to.
const STUBBORN: &str = "trap 'echo >/data/told' TERM; while :; do sleep 1; done";

/// Lets the first service become ready.
fn go(bench: &Bench, container: &str) {
    bench.docker(&["exec", container, "sh", "-c", "echo >/data/go"]);
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Starts an apply and waits until it waits for the first service, under the name `container`.
fn apply_until_waiting(bench: &Bench, scene: &Scene, container: &str) -> Child {
    let child = scene.spawn("apply -y");
    let state = ["inspect", "-f", "{{.State.Running}}", container];
    eventually("it starts", || bench.try_docker(&state).as_deref() == Some("true"));
    child
}

/// What an apply that nobody disturbed comes to.
fn is_complete(bench: &Bench, scene: &Scene, version: u32) {
    let plan = scene.run("plan --exit-code");
    assert_eq!(plan.code, 0, "{}", plan.whole());
    assert_eq!(
        bench.containers(),
        ["shop-api running \"sh -c 'exec sleep inf'\"", "shop-worker running \"sleep inf\""]
    );
    let env = bench.docker(&["inspect", "-f", "{{.Config.Env}}", "shop-api"]);
    assert!(env.contains(&format!("VERSION={version}")), "{env}");
    assert_eq!(bench.volumes(), ["shop-api-data"]);
}

#[test]
fn killed_and_applied_again() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop(1));
    let mut child = apply_until_waiting(&bench, &scene, "shop-api");
    let plan = scene.run("plan");
    assert_eq!(plan.code, 0, "looking does not wait for the lock: {}", plan.err);
    child.kill().unwrap();
    child.wait().unwrap();
    go(&bench, "shop-api");
    // The lock of the dead is free at once.
    scene.converge();
    is_complete(&bench, &scene, 1);

    // In the middle of a replacement, with a successor that never becomes ready.
    bench.docker(&["exec", "shop-api", "sh", "-c", "echo keep >/data/kept"]);
    scene.write(&shop(2).replace("/data/go", "/data/never"));
    for _ in 0..2 {
        let mut child = apply_until_waiting(&bench, &scene, "shop-api.next");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_snapshot!("plan-after-a-kill", scene.run("plan").out);
    // What it was to be is not what it is to be now: what worked comes back, should this fail too.
    scene.write(&shop(3).replace("/data/go", "/data/never").replace("30s", "1s"));
    let failed = scene.run("apply -y");
    assert_eq!(failed.code, 1, "{}", failed.whole());
    let env = bench.docker(&["inspect", "-f", "{{.State.Running}} {{.Config.Env}}", "shop-api"]);
    assert!(env.starts_with("true ") && env.contains("VERSION=1"), "{env}\n{}", failed.whole());
    scene.write(&shop(4));
    scene.converge();
    is_complete(&bench, &scene, 4);
    assert_eq!(bench.docker(&["exec", "shop-api", "cat", "/data/kept"]), "keep");
}

#[test]
fn interrupted_once_and_twice() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop(1));
    let child = apply_until_waiting(&bench, &scene, "shop-api");
    signal(&child, Signal::INT);
    // Nobody is waited for after it, and nothing is begun.
    let ended = scene.wait(child);
    assert_eq!(ended.code, 1);
    assert_snapshot!("interrupted", ended.err);
    assert_eq!(bench.containers()[1], "shop-worker created \"sleep inf\"");
    let child = apply_until_waiting(&bench, &scene, "shop-api");
    go(&bench, "shop-api");
    assert_eq!(scene.wait(child).code, 0);
    is_complete(&bench, &scene, 1);

    // The same in a replacement: neither is taken away, and the next apply waits again.
    scene.write(&shop(2).replace("/data/go", "/data/later"));
    let child = apply_until_waiting(&bench, &scene, "shop-api.next");
    signal(&child, Signal::INT);
    assert_eq!(scene.wait(child).code, 1);
    assert_eq!(bench.containers().len(), 3);
    let child = apply_until_waiting(&bench, &scene, "shop-api.next");
    bench.docker(&["exec", "shop-api.next", "sh", "-c", "echo >/data/later"]);
    assert_eq!(scene.wait(child).code, 0);
    is_complete(&bench, &scene, 2);

    // One that is slow to stop: that is finished, unless it is left at once.
    let stubborn = shop(3).replace("exec sleep inf", STUBBORN).replacen("init = true\n", "", 1);
    let stubborn = stubborn.replacen("env =", "stop_grace = \"60s\"\nenv =", 1);
    scene.write(&stubborn);
    scene.converge();
    scene.write(&shop(4));
    let child = scene.spawn("apply -y");
    let told = ["exec", "shop-api", "cat", "/data/told"];
    eventually("it is told to stop", || bench.try_docker(&told).is_some());
    signal(&child, Signal::INT);
    // A signal that comes before the first is taken is the same one.
    let again = scene.run("apply -y");
    assert_eq!(again.code, 6, "{}", again.whole());
    signal(&child, Signal::INT);
    let ended = scene.wait(child);
    assert_eq!(ended.code, 130);
    assert_snapshot!("interrupted-twice", ended.err);
    bench.docker(&["kill", "shop-api"]);
    scene.converge();
    is_complete(&bench, &scene, 4);
}

#[test]
fn two_at_once() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop(1));
    let child = apply_until_waiting(&bench, &scene, "shop-api");
    let other = Scene::on(&bench.address(), &shop(7));
    for words in ["apply -y", "destroy -y", "stop"] {
        let ended = other.run(words);
        assert_eq!(ended.code, 6, "{words}: {}", ended.whole());
        let lines: Vec<&str> = ended.err.lines().collect();
        let [first, next] = lines[..] else { panic!("{}", ended.err) };
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        assert!(first.starts_with("error: shop is being applied by "), "{first}");
        let holder = format!(" on {host} (process {}, since 20", child.id());
        assert!(first.contains(&holder), "{first}");
        assert!(next.starts_with("  next       wait until that apply has ended"), "{next}");
    }
    assert!(!other.path(".nself").exists(), "a second vault was made up");
    go(&bench, "shop-api");
    let ended = scene.wait(child);
    assert_eq!(ended.code, 0, "{}", ended.whole());
    is_complete(&bench, &scene, 1);
}

#[test]
fn twice_in_a_row() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop(1).replace("cat\", \"/data/go", "sleep\", \"0"));
    scene.converge();
    let lives = || bench.docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", "shop-api"]);
    let before = lives();
    let again = scene.run("apply -y");
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    assert_snapshot!("twice-in-a-row", again.out);
    assert_eq!(lives(), before);
}

#[test]
fn an_engine_that_dies_in_the_middle() {
    let mut bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop(1));
    let child = apply_until_waiting(&bench, &scene, "shop-api");
    bench.kill();
    let ended = scene.wait(child);
    assert_eq!(ended.code, 1, "{}", ended.whole());
    assert_snapshot!("engine-died", ended.err);
    let vault = std::fs::read(scene.path(".nself/secrets.toml")).unwrap();
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("engine-dead", ended.err);

    bench.start();
    // The lock's holder is gone, whatever became of the engine.
    let child = apply_until_waiting(&bench, &scene, "shop-api");
    go(&bench, "shop-api");
    let ended = scene.wait(child);
    assert_eq!(ended.code, 0, "{}", ended.whole());
    is_complete(&bench, &scene, 1);
    assert_eq!(std::fs::read(scene.path(".nself/secrets.toml")).unwrap(), vault);

    // And in the middle of a replacement.
    scene.write(&shop(2).replace("/data/go", "/data/never"));
    let child = apply_until_waiting(&bench, &scene, "shop-api.next");
    bench.kill();
    assert_eq!(scene.wait(child).code, 1);
    bench.start();
    scene.write(&shop(2));
    scene.converge();
    is_complete(&bench, &scene, 2);
}

#[test]
fn a_helper_that_a_dead_apply_left_goes_with_the_next_one() {
    let bench = Bench::new();
    let scene = Scene::on(
        &bench.address(),
        &format!(
            "[project]\nname = \"shop\"\n[services.web]\nimage = \"{IMAGE}\"\ninit = true\n\
             command = [\"sleep\", \"inf\"]\nvolumes = {{ data = \"/data\" }}\n"
        ),
    );
    scene.converge();
    let before = bench.containers();
    for (name, of) in [("shop-web-data.writer", "shop-web-data"), ("mart.writer", "mart-data")] {
        let label = format!("dev.nself.helper={of}");
        bench.docker(&["create", "--name", name, "--label", &label, IMAGE, "sh"]);
    }
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 0, "{}", ended.whole());
    // What belongs to somebody else's volume stays.
    let mut after = bench.containers();
    after.retain(|line| !line.starts_with("mart.writer"));
    assert_eq!(after.len() + 1, bench.containers().len());
    assert_eq!(after, before);
}
