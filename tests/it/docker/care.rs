//! What is left behind, repaired, cleaned and reset on a real engine.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use super::stage::{Stage, docker, try_docker};

const WEB: &str = r#"
[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }

[services.redis]
"#;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn nself(stage: &Stage, words: &str) -> Ended {
    let output = Command::new(assert_cmd::cargo::cargo_bin("nself"))
        .current_dir(stage.folder())
        .env_clear()
        .env("HOME", stage.folder())
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Ended { code, out: text(output.stdout), err: text(output.stderr) }
}

/// Leaves a helper and a lock as an apply does that is killed.
fn leave(stage: &Stage) {
    let volume = format!("{}-redis-config", stage.name);
    let (helper, lock) = (format!("{volume}.writer"), format!("{}.lock", stage.name));
    let label = format!("dev.nself.helper={volume}");
    let mount = format!("{volume}:/volume");
    docker(&["create", "--name", &helper, "-l", &label, "-v", &mount, "nself/empty:1", "x"]);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let labels = [
        "helper=lock".to_owned(),
        format!("lock.boot={}", boot.trim()),
        format!("lock.namespace={}", namespace.display()),
        format!("lock.pid={}", dead.id()),
        "lock.started=1".to_owned(),
    ];
    let mut words = vec!["create", "--name", &lock];
    let labels: Vec<String> = labels.iter().map(|label| format!("dev.nself.{label}")).collect();
    words.extend(labels.iter().flat_map(|label| ["-l", label.as_str()]));
    words.extend(["nself/empty:1", "x"]);
    docker(&words);
}

fn tools(stage: &Stage) -> usize {
    let name = format!("name=^/{}", stage.name);
    let label = "label=dev.nself.helper";
    docker(&["ps", "-aq", "--filter", &name, "--filter", label]).lines().count()
}

#[test]
fn what_an_apply_left_is_found_repaired_and_cleaned() {
    let stage = Stage::new("care");
    stage.write(WEB);
    fs::create_dir_all(stage.folder().join(".git")).unwrap();
    let applied = nself(&stage, "apply -y");
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    let well = nself(&stage, "doctor");
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);

    leave(&stage);
    let vault = stage.folder().join(".nself/secrets.toml");
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(stage.folder().join(".nself/.gitignore")).unwrap();
    let ill = nself(&stage, "doctor");
    assert_eq!(ill.code, 1, "{}{}", ill.out, ill.err);
    for said in [".lock was left by", ".writer was left by", "others may read", "git does not"] {
        assert!(ill.out.contains(said), "{said}: {}", ill.out);
    }
    assert_eq!(tools(&stage), 2, "looking repairs nothing");
    let fixed = nself(&stage, "doctor --fix");
    assert_eq!(fixed.code, 0, "{}{}", fixed.out, fixed.err);
    assert_eq!(fixed.out.matches("fixed: ").count(), 4, "{}", fixed.out);
    assert_eq!(fs::metadata(&vault).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(tools(&stage), 0);

    leave(&stage);
    let life = stage.life("web");
    let shown = nself(&stage, "clean --dry-run");
    assert!(shown.out.contains(".writer   remove"), "{}", shown.out);
    assert_eq!(tools(&stage), 2, "showing removes nothing");
    let cleaned = nself(&stage, "clean -y");
    assert_eq!(cleaned.code, 0, "{}{}", cleaned.out, cleaned.err);
    assert_eq!(tools(&stage), 0);
    assert_eq!(stage.life("web"), life);
    assert_eq!(nself(&stage, "plan --exit-code").code, 0);
}

#[test]
fn a_reset_begins_from_nothing_and_keeps_the_secrets() {
    let stage = Stage::new("reset");
    stage.write(WEB);
    let applied = nself(&stage, "apply -y");
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    let name = &stage.name;
    docker(&["exec", &stage.container("web"), "sh", "-c", "echo 1 > /data/kept"]);
    let foreign = format!("{name}x-foreign");
    docker(&["volume", "create", &foreign]);
    let vault = fs::read(stage.folder().join(".nself/secrets.toml")).unwrap();

    let refused = nself(&stage, "reset");
    assert_eq!(refused.code, 64, "nobody can be asked: {}", refused.err);
    assert_eq!(nself(&stage, "reset --yes-delete-data shop").code, 64);
    let shown = nself(&stage, "reset --dry-run");
    assert_eq!(shown.code, 0, "{}", shown.err);
    for id in [format!("volume/{name}-web-data"), format!("container/{name}-redis")] {
        assert!(shown.out.contains(&id), "{id}: {}", shown.out);
    }
    assert!(!shown.out.contains("foreign"), "{}", shown.out);
    assert_eq!(docker(&["exec", &stage.container("web"), "cat", "/data/kept"]), "1");

    let reset = nself(&stage, &format!("reset --yes-delete-data {name}"));
    assert_eq!(reset.code, 0, "{}{}", reset.out, reset.err);
    let label = format!("label=dev.nself.project={name}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &label]), "");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &label]), "");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &label]), "");
    assert!(try_docker(&["volume", "inspect", &foreign]).is_ok());
    assert_eq!(fs::read(stage.folder().join(".nself/secrets.toml")).unwrap(), vault);

    let again = nself(&stage, "apply -y");
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    let kept = try_docker(&["exec", &stage.container("web"), "cat", "/data/kept"]);
    assert!(kept.is_err(), "{kept:?}");
    assert_eq!(nself(&stage, &format!("reset --yes-delete-data {name} --secrets")).code, 0);
    assert!(!stage.folder().join(".nself").exists());
    assert!(nself(&stage, "reset --dry-run").out.ends_with("nothing is there\n"));
}
