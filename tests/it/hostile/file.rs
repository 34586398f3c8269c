//! Files that cannot be meant.

use insta::assert_snapshot;

use super::{Bench, Ended, Scene};

/// Checks a file that is bad, and that no command gets further than its mistakes.
fn refused(text: impl AsRef<str>) -> Ended {
    let scene = Scene::without_engine(text.as_ref());
    let checked = scene.run("check");
    assert_eq!((checked.code, checked.out.as_str()), (3, ""), "{}", checked.err);
    for words in ["plan", "apply -y", "destroy -y"] {
        let ended = scene.run(words);
        // Not even an engine was asked, of which there is none.
        assert_eq!((ended.code, &ended.err), (3, &checked.err), "{words}");
    }
    assert!(!scene.path(".nself").exists(), "a bad file made a vault");
    assert_eq!(std::fs::read_to_string(scene.path("nself.toml")).unwrap(), text.as_ref());
    checked
}

/// A service of ours, with more to say about it.
fn with(more: &str) -> String {
    format!(
        "[project]\nname = \"shop\"\n\n[services.api]\nimage = \"debian:bookworm-slim\"\n{more}"
    )
}

#[test]
fn what_is_not_toml() {
    assert_snapshot!("not-toml", refused("hello world\n").err);
    assert_snapshot!("cut-off", refused("[project]\nname = \"sho").err);
    assert_snapshot!("twice", refused("[project]\nname = \"a\"\nname = \"b\"\n").err);
    assert_snapshot!("deep", refused(format!("a = {}", "[".repeat(300))).err);
}

#[test]
fn what_is_no_text() {
    let scene = Scene::without_engine("");
    for (name, bytes) in
        [("utf-16", &b"\xff\xfe[\0"[..]), ("binary", b"[project]\nname = \"\xc3\x28\"\n")]
    {
        std::fs::write(scene.path("nself.toml"), bytes).unwrap();
        let ended = scene.run("plan");
        assert_eq!(ended.code, 3);
        assert_snapshot!(name, ended.err);
    }
}

#[test]
fn what_is_empty() {
    assert_snapshot!("empty", refused("").err);
    assert_snapshot!("no-name", refused("[project]\n").err);
}

#[test]
fn what_is_not_there() {
    let scene = Scene::without_engine("");
    std::fs::remove_file(scene.path("nself.toml")).unwrap();
    let ended = scene.run("plan");
    assert_eq!(ended.code, 3);
    assert_snapshot!("no-file", ended.err);
    std::fs::create_dir(scene.path("nself.toml")).unwrap();
    let ended = scene.run("plan --file nself.toml");
    assert_eq!(ended.code, 3);
    assert_snapshot!("a-folder", ended.err);
}

#[test]
fn ten_megabytes() {
    let ended = refused("# nothing of interest in this line\n".repeat(300_000));
    assert_snapshot!("ten-megabytes", ended.err);
}

#[test]
fn thousands_of_mistakes_are_counted_and_the_first_are_shown() {
    let keys: String = (0..20_000).map(|number| format!("k{number} = 1\n")).collect();
    let ended = refused(with(&keys));
    assert!(ended.err.len() < 20_000, "{} bytes", ended.err.len());
    assert!(ended.err.contains("error: unknown key `k0`\n"), "{}", ended.err);
    let end: Vec<&str> = ended.err.lines().rev().take(2).collect();
    assert_eq!(
        end,
        ["20000 errors in nself.toml; nothing was changed. Exit 3.", "… and 19950 more"],
    );
}

#[test]
fn services_that_wait_for_each_other() {
    let ring = |many: usize| {
        let service = |number: usize| {
            let next = (number + 1) % many;
            format!("[services.s{number}x]\nimage = \"a:1\"\nneeds = [\"s{next}x\"]\n")
        };
        let services: String = (0..many).map(service).collect();
        refused(format!("[project]\nname = \"shop\"\n{services}")).err
    };
    assert_snapshot!("cycle-of-1", ring(1));
    assert_snapshot!("cycle-of-3", ring(3));
    // As many as no person would want to read about.
    assert_snapshot!("cycle-of-5000", ring(5_000));
}

#[test]
fn words_nobody_knows() {
    assert_snapshot!("unknown-kind", refused(with("[services.db]\nkind = \"postgers\"\n")).err);
    assert_snapshot!("unknown-key", refused(with("imagee = \"a:1\"\n")).err);
    assert_snapshot!("unknown-table", refused(with("[servces.db]\nkind = \"postgres\"\n")).err);
    assert_snapshot!("unknown-need", refused(with("needs = [\"databse\"]\n")).err);
}

#[test]
fn ports_wanted_twice() {
    let twice =
        with("publish = [\"8080:80\"]\n[services.b]\nimage = \"a:1\"\npublish = [\"8080:81\"]\n");
    assert_snapshot!("port-twice", refused(twice).err);
    assert_snapshot!("no-port", refused(with("publish = [\"80800:80\"]\n")).err);
}

#[test]
fn names_that_will_not_do() {
    let project = |name: &str| format!("[project]\nname = \"{name}\"\n[services.postgres]\n");
    assert_snapshot!("name-too-long", refused(project(&"x".repeat(41))).err);
    assert_snapshot!("name-unicode", refused(project("café")).err);
    assert_snapshot!("name-empty", refused(project("")).err);
    let service = |name: &str| {
        format!("[project]\nname = \"shop\"\n[services.\"{name}\"]\nimage = \"a:1\"\n")
    };
    assert_snapshot!("service-too-long", refused(service(&"x".repeat(41))).err);
    assert_snapshot!("service-unicode", refused(service("日本")).err);
    assert_snapshot!("service-replica", refused(service("api-2")).err);
    assert_snapshot!("service-upper", refused(service("Api")).err);
}

#[test]
fn secrets_that_nobody_gave() {
    let bench = Bench::new();
    let scene = Scene::on(
        &bench.address(),
        &with("env = { TOKEN = \"${secret.token}\" }\n[secrets]\ntoken = { source = \"set\" }\n"),
    );
    for words in ["check", "plan", "apply -y"] {
        let ended = scene.run(words);
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{words}");
        assert_snapshot!("secret-missing", ended.err);
    }
    assert!(!scene.path(".nself").exists());
    let mut set = assert_cmd::Command::from_std(scene.program("secret set token"));
    set.write_stdin("hunter2\n").assert().success();
    assert_eq!(scene.run("plan --exit-code").code, 2);
}
