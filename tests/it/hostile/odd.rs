//! Names, values and files that are odd, and allowed.

use std::{fs, os::unix::fs::symlink};

use insta::assert_snapshot;

use super::{Bench, Scene, bench::IMAGE, scene::without_counts};

fn service(name: &str, more: &str) -> String {
    format!(
        "[services.{name}]\nimage = \"{IMAGE}\"\ninit = true\ncommand = [\"sleep\", \"inf\"]\n{more}\n"
    )
}

#[test]
fn names_at_both_ends() {
    let bench = Bench::new();
    // Together they are as long as a host's name may be.
    let (project, long) = ("p".repeat(22), "s".repeat(40));
    // `abc` could be the beginning of an id, and `a-next` looks like something of ours.
    let names = ["a", "abc", "a-next", "lock", &long];
    let services: String = names.iter().map(|name| service(name, "")).collect();
    let scene =
        Scene::on(&bench.address(), &format!("[project]\nname = \"{project}\"\n{services}"));
    scene.converge();
    let mut expected: Vec<String> =
        names.iter().map(|name| format!("{project}-{name} running \"sleep inf\"")).collect();
    expected.sort();
    assert_eq!(bench.containers(), expected);
    // And each can be replaced, under its other name for a while.
    let services: String = names.iter().map(|name| service(name, "env = { A = \"1\" }")).collect();
    scene.write(&format!("[project]\nname = \"{project}\"\n{services}"));
    scene.converge();
    assert_eq!(bench.containers(), expected);
    let ended = scene.run("destroy -y");
    assert_eq!(ended.code, 0, "{}", ended.whole());
    assert_eq!(bench.containers(), [""; 0]);
}

#[test]
fn values_of_the_environment() {
    let bench = Bench::new();
    let long = "0123456789".repeat(10_000);
    let values = [
        ("LINES", "one\ntwo\n\n  four\n"),
        ("QUOTES", "it's \"quoted\" \\ and `ticked`"),
        ("DOLLARS", "$HOME ${HOME} $(id)"),
        ("UNICODE", "naïve ☃ 日本 \u{202e}txt"),
        ("EMPTY", ""),
        ("EQUALS", "a=b=c"),
        ("LONG", &long),
    ];
    let written: String = values
        .iter()
        .map(|(key, value)| {
            // `$$` is how a dollar is written.
            let text = serde_json::to_string(&value.replace('$', "$$")).unwrap();
            format!("{key} = {text}\n")
        })
        .collect();
    let project = |written: &str| {
        format!("[project]\nname = \"shop\"\n{}[services.api.env]\n{written}", service("api", ""))
    };
    let scene = Scene::on(&bench.address(), &project(&written));
    scene.converge();
    let inspected = bench.docker(&["inspect", "-f", "{{json .Config.Env}}", "shop-api"]);
    let env: Vec<String> = serde_json::from_str(&inspected).unwrap();
    for (key, value) in values {
        assert!(env.contains(&format!("{key}={value}")), "{key}");
    }
    // One character in a hundred thousand is a change like any other.
    scene.write(&project(&written.replacen("0123456789", "012345678X", 1)));
    let plan = scene.run("plan --exit-code");
    assert_eq!(plan.code, 2);
    assert!(plan.out.len() < 2_000, "{} bytes of plan", plan.out.len());
    assert!(plan.out.contains("env.LONG"), "{}", plan.out);
    scene.converge();
}

#[test]
fn more_environment_than_a_label_holds() {
    let bench = Bench::new();
    let many: String = (0..1_000).map(|n| format!("SOME_VARIABLE_{n} = \"value {n}\"\n")).collect();
    let project = |many: &str| {
        format!("[project]\nname = \"shop\"\n{}[services.api.env]\n{many}", service("api", ""))
    };
    let scene = Scene::on(&bench.address(), &project(&many));
    scene.converge();
    scene.write(&project(&many.replace("\"value 7\"", "\"another\"")));
    let plan = scene.run("plan");
    assert_snapshot!("one-of-a-thousand", plan.out);
    scene.converge();
}

#[test]
fn more_environment_than_a_process_can_have() {
    let bench = Bench::new();
    let project = |value: &str| {
        let env = format!("env = {{ A = \"{value}\" }}");
        format!("[project]\nname = \"shop\"\n{}", service("api", &env))
    };
    let scene = Scene::on(&bench.address(), &project("small"));
    scene.converge();
    let good = bench.containers();
    scene.write(&project(&"x".repeat(200_000)));
    let ended = scene.run("apply -y");
    assert_eq!(ended.code, 1);
    assert_snapshot!("too-long", without_counts(&ended.err));
    assert_eq!(bench.containers(), good);
}

#[test]
fn files_in_other_clothes() {
    let bench = Bench::new();
    let text = format!("[project]\nname = \"shop\"\n{}", service("api", ""));
    let scene = Scene::on(&bench.address(), &text);
    scene.converge();
    // Other ends of lines, and a mark at the beginning, say the same.
    scene.write(&format!("\u{feff}{}", text.replace('\n', "\r\n")));
    assert_eq!(scene.run("plan --exit-code").code, 0);
    // The place of a mistake is still the place.
    scene.write(&text.replace("init", "inti").replace('\n', "\r\n"));
    let ended = scene.run("plan");
    assert_eq!(ended.code, 3);
    assert_snapshot!("carriage-returns", ended.err);
    // A link is followed for the text, and the project stays where the link is.
    fs::create_dir(scene.path("elsewhere")).unwrap();
    fs::write(scene.path("elsewhere/shop.toml"), &text).unwrap();
    fs::remove_file(scene.path("nself.toml")).unwrap();
    symlink("elsewhere/shop.toml", scene.path("nself.toml")).unwrap();
    assert_eq!(scene.run("plan --exit-code").code, 0);
    assert!(!scene.path("elsewhere/.nself").exists());
    fs::remove_file(scene.path("elsewhere/shop.toml")).unwrap();
    let ended = scene.run("plan");
    assert_eq!(ended.code, 3, "{}", ended.err);
}
