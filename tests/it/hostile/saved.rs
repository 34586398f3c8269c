//! Plans in files: what moved since, and files that are none.

use std::fs;

use insta::assert_snapshot;

use super::{Bench, Scene, bench::IMAGE};

fn project(level: &str) -> String {
    format!(
        "[project]\nname = \"shop\"\n[services.api]\nimage = \"{IMAGE}\"\ninit = true\n\
         command = [\"sleep\", \"inf\"]\nenv = {{ LEVEL = \"{level}\", KEY = \"${{secret.key}}\" }}\n\
         [services.web]\nimage = \"{IMAGE}\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n"
    )
}

#[test]
fn a_saved_plan_is_done_as_it_was_shown_or_not_at_all() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &project("info"));
    // Before anything is there, secrets are yet to be generated.
    assert_eq!(scene.run("plan -o first.plan").code, 0);
    let applied = scene.run("apply first.plan");
    assert_eq!(applied.code, 0, "{}", applied.whole());
    scene.converge();

    scene.write(&project("debug"));
    let planned = scene.run("plan -o shop.plan");
    assert_eq!(planned.code, 0, "{}", planned.whole());
    assert!(
        planned.err.ends_with("to do exactly this: nself apply shop.plan\n"),
        "{}",
        planned.err
    );
    let shown = scene.run("show shop.plan");
    assert!(shown.out.ends_with(&planned.out), "{}", shown.out);
    let secret = secret(&scene);
    let text = fs::read_to_string(scene.path("shop.plan")).unwrap();
    assert!(!text.contains(&secret), "a secret is in the file");

    // Somebody touches what is to be changed, and what is not.
    let before = bench.containers();
    bench.docker(&["update", "--restart", "no", "shop-api"]);
    bench.docker(&["rename", "shop-web", "elsewhere"]);
    let stale = scene.run("apply shop.plan");
    assert_eq!(stale.code, 5);
    assert_snapshot!("stale-live", stale.err);
    bench.docker(&["update", "--restart", "unless-stopped", "shop-api"]);
    bench.docker(&["rename", "elsewhere", "shop-web"]);
    assert_eq!(bench.containers(), before);

    // Somebody edits the file.
    scene.write(&project("trace"));
    let stale = scene.run("apply shop.plan");
    assert_eq!(stale.code, 5);
    assert_snapshot!("stale-file", stale.err);
    scene.write(&project("debug"));

    // Somebody makes the container anew, in all else the same.
    bench.docker(&["rm", "-f", "shop-web"]);
    let stale = scene.run("apply shop.plan");
    assert_eq!(stale.code, 5);
    assert_snapshot!("stale-gone", stale.err);
    scene.write(&project("info"));
    scene.converge();
    scene.write(&project("debug"));

    let applied = scene.run("apply shop.plan");
    assert_eq!(applied.code, 0, "{}", applied.whole());
    assert_eq!(scene.run("plan --exit-code").code, 0);
    // What was done is not done twice.
    let again = scene.run("apply shop.plan");
    assert_eq!(again.code, 5);
    assert_snapshot!("stale-done", again.err);
}

#[test]
fn files_that_are_no_plan_of_this_project() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &project("info"));
    assert_eq!(scene.run("plan -o shop.plan").code, 0);
    let good = fs::read_to_string(scene.path("shop.plan")).unwrap();
    let other = good.replace("nself_plan\": 1", "nself_plan\": 9");
    let files = [
        ("./missing.plan", None),
        ("empty.plan", Some(String::new())),
        ("foreign.plan", Some("{}".to_owned())),
        ("cut.plan", Some(good[..good.len() / 2].to_owned())),
        ("edited.plan", Some(good.replace("shop-api", "shop-abi"))),
        ("newer.plan", Some(other)),
        (".", None),
    ];
    let mut said = String::new();
    for (name, text) in files {
        if let Some(text) = text {
            fs::write(scene.path(name), text).unwrap();
        }
        for command in ["apply", "show"] {
            let ended = scene.run(&format!("{command} {name}"));
            assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{command} {name}");
            said += &ended.err;
        }
    }
    // A plan of another project, and one for another environment.
    fs::write(scene.path("other.toml"), project("info").replace("shop", "mart")).unwrap();
    let ended = scene.run("-f other.toml apply shop.plan");
    assert_eq!(ended.code, 5);
    said += &ended.err;
    scene.write(&format!("{}[environments.prod]\nproduction = true\n", project("info")));
    let ended = scene.run("-e prod apply shop.plan");
    assert_eq!(ended.code, 5);
    said += &ended.err;
    assert_snapshot!("no-plans", said);

    // Nothing else is ever written over.
    let text = fs::read_to_string(scene.path("nself.toml")).unwrap();
    for (name, code) in [("nself.toml", 64), (".", 64), ("no/such/folder.plan", 1)] {
        let ended = scene.run(&format!("plan -o {name}"));
        assert_eq!(ended.code, code, "{name}: {}", ended.whole());
    }
    assert_eq!(fs::read_to_string(scene.path("nself.toml")).unwrap(), text);
    assert_eq!(scene.run("plan -o cut.plan").code, 64, "what was cut short may be anything");
    assert_eq!(scene.run("plan -o edited.plan").code, 0);
    assert_eq!(bench.containers(), [""; 0]);
}

/// Returns the one generated secret.
fn secret(scene: &Scene) -> String {
    let vault = fs::read_to_string(scene.path(".nself/secrets.toml")).unwrap();
    let line = vault.lines().find_map(|line| line.strip_prefix("key = \""));
    let all: Vec<&str> = vault.lines().filter(|line| line.starts_with("key = ")).collect();
    let last = all.last().copied().or(line).unwrap();
    last.trim_start_matches("key = \"").trim_end_matches('"').to_owned()
}
