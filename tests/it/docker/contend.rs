//! Many at once: one works, the others say who does or wait, and nothing is damaged.

use std::{
    process::{Command, Output},
    time::Instant,
};

use assert_cmd::cargo::cargo_bin;
use nself::{
    controller::{self, Options, Pass, Wait},
    engine::{Attempt, Holder, Lock as _},
    plan::{Event, Plan},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    killed::{apply, picture, run, spawn},
    stage::{SOCKET, Stage, docker, eventually, try_docker},
};

/// Two services, of which the first is ready once `/data/go` is there.
const FILE: &str = r#"
[services.db]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }
health = { command = ["cat", "/data/go"] }
ready_within = "60s"

[services.api]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["db"]
"#;

fn go(stage: &Stage) {
    docker(&["exec", &stage.container("db"), "touch", "/data/go"]);
}

fn until_it_waits(stage: &Stage) {
    let db = stage.container("db");
    eventually("the first service starts", || {
        let running = try_docker(&["inspect", "-f", "{{.State.Running}}", &db])?;
        if running == "true" { Ok(()) } else { Err(running) }
    });
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn of_eight_at_once_one_works_and_the_others_wait_or_say_who() {
    let stage = Stage::new("eight");
    stage.write(FILE);
    let first = spawn(&stage, "apply -y", SOCKET);
    until_it_waits(&stage);

    // Not told to wait, they end at once and name who works, whatever they came to do.
    for words in ["apply -y", "stop", "destroy -y", "restart", "start"] {
        let (code, said) = run(&stage, words);
        assert_eq!(code, 6, "{words}: {said}");
        assert!(said.contains(&format!("(process {}, since 20", first.id())), "{words}: {said}");
    }
    let (code, shown) = run(&stage, "lock --json");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let holder = &shown["holder"];
    assert_eq!((code, &shown["held"], &holder["life"]), (0, &true.into(), &"alive".into()));
    assert_eq!(holder["process"], first.id());
    let (code, refused) =
        run(&stage, &format!("lock --break {}", holder["host"].as_str().unwrap()));
    assert_eq!(code, 6, "{refused}");
    assert!(refused.contains("its process runs"), "{refused}");

    // Told to wait, they take turns. A second folder with the same project is no way around.
    let others: Vec<_> = (0..6).map(|_| spawn(&stage, "apply -y --wait 2m", SOCKET)).collect();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(stage.file(), elsewhere.path().join("nself.toml")).unwrap();
    eventually("the first has its secrets", || {
        let vault = stage.folder().join(".nself");
        if vault.exists() { Ok(()) } else { Err("no vault yet".to_owned()) }
    });
    copy(&stage.folder().join(".nself"), &elsewhere.path().join(".nself"));
    let mut eighth = Command::new(cargo_bin("nself"));
    eighth.current_dir(elsewhere.path()).env_clear().env("HOME", elsewhere.path());
    eighth.args(["-f", "nself.toml", "apply", "-y", "--wait", "2m"]);
    eighth.env("DOCKER_HOST", format!("unix://{SOCKET}"));
    eighth.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let eighth = eighth.spawn().unwrap();
    go(&stage);
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", said(&first));
    for other in others.into_iter().chain([eighth]) {
        let ended = other.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", said(&ended));
    }
    let good = picture(&stage);
    let containers = good.keys().filter(|key| key.starts_with("container ")).count();
    assert_eq!(containers, 2, "{:?}", good.keys());
    assert_eq!(run(&stage, "plan --exit-code").0, 0);
    let (code, free) = run(&stage, "lock");
    assert_eq!((code, free), (0, format!("{} is free: nobody is applying\n", stage.name)));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

#[test]
fn eight_at_once_without_a_word() {
    let stage = Stage::new("together");
    stage.write(FILE);
    let made = run(&stage, "plan");
    assert_eq!(made.0, 0, "{}", made.1);
    // Whoever is first works; it becomes ready by itself this time.
    stage.write(&FILE.replace("\"cat\", \"/data/go\"", "\"true\""));
    let all: Vec<_> = (0..8).map(|_| spawn(&stage, "apply -y", SOCKET)).collect();
    let ended: Vec<_> = all.into_iter().map(|one| one.wait_with_output().unwrap()).collect();
    let codes: Vec<_> = ended.iter().map(|one| one.status.code().unwrap()).collect();
    assert!(codes.contains(&0), "{codes:?}");
    for one in &ended {
        let said = said(one);
        match one.status.code() {
            Some(0) => {}
            Some(6) => assert!(said.contains("is being applied by"), "{said}"),
            _ => panic!("{said}"),
        }
    }
    assert_eq!(run(&stage, "plan --exit-code").0, 0);
    apply(&stage);
}

#[test]
fn the_lock_of_the_dead_is_free_at_once_and_that_of_the_far_by_name() {
    let stage = Stage::new("dead");
    stage.write(FILE);
    let mut first = spawn(&stage, "apply -y", SOCKET);
    until_it_waits(&stage);
    // It is waited for; that it died is seen although it gave nothing back.
    let next = spawn(&stage, "apply -y --wait 1m", SOCKET);
    first.kill().unwrap();
    first.wait().unwrap();
    let begin = Instant::now();
    go(&stage);
    let next = next.wait_with_output().unwrap();
    assert!(next.status.success(), "{}", said(&next));
    assert!(begin.elapsed().as_secs() < 20, "it waited for the dead");

    let project = stage.load();
    let engine = stage.engine(&project);
    let far = Holder {
        boot: "b".into(),
        host: "far".into(),
        user: "ann".into(),
        pid: 7,
        since: 1_795_392_000_000,
        ..Holder::default()
    };
    let taken = stage.block_on(engine.acquire(&stage.name, &far)).unwrap();
    assert!(matches!(taken, Attempt::Held(_)));
    let begin = Instant::now();
    let (code, busy) = run(&stage, "apply -y --wait 1s");
    assert_eq!(code, 6, "{busy}");
    assert!(begin.elapsed().as_secs() >= 1 && busy.contains("nself lock --break far"), "{busy}");
    assert_eq!(busy.matches("waiting for ann on far").count(), 1, "{busy}");
    let (code, shown) = run(&stage, "lock");
    assert_eq!(code, 0);
    assert!(
        shown.contains("held by ann on far (process 7, since 2026-11-23T00:00:00Z)"),
        "{shown}"
    );
    let (code, refused) = run(&stage, "lock --break near");
    assert_eq!(code, 64, "{refused}");
    // Whoever breaks it is heard by those who wait.
    let next = spawn(&stage, "apply -y --wait 1m", SOCKET);
    let (code, broken) = run(&stage, "lock --break far");
    assert_eq!((code, broken.contains("broke the lock")), (0, true), "{broken}");
    assert!(next.wait_with_output().unwrap().status.success());
    assert_eq!(run(&stage, "lock --break far").0, 0, "what is free need not be broken");
}

/// Runs the program as somebody who may do nothing but use the engine, in a folder of theirs.
fn as_nobody(stage: &Stage, words: &str) -> (i32, String) {
    let home = tempfile::tempdir().unwrap();
    let script = "mkdir home && cp nself.toml home && cp \"$PROGRAM\" home/nself && chown -R nobody home && chmod 755 . && cd home \
                  && exec setpriv --reuid nobody --regid nogroup --groups \"$(stat -c %g $SOCKET)\" ./nself $WORDS";
    std::fs::copy(stage.file(), home.path().join("nself.toml")).unwrap();
    let program = cargo_bin("nself");
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(home.path())
        .env("PROGRAM", program)
        .env("SOCKET", SOCKET)
        .env("WORDS", words)
        .env("HOME", home.path().join("home"))
        .env("DOCKER_HOST", format!("unix://{SOCKET}"))
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), said(&output))
}

#[test]
fn users_do_not_get_around_each_other() {
    let stage = Stage::new("users");
    stage.write(FILE);
    let first = spawn(&stage, "apply -y", SOCKET);
    until_it_waits(&stage);
    let (code, refused) = as_nobody(&stage, "apply -y");
    assert_eq!(code, 6, "{refused}");
    let holder = format!("(process {}, since 20", first.id());
    assert!(refused.contains(&holder), "{refused}");
    // Another user's process can be seen to live, too.
    let (code, shown) = as_nobody(&stage, "lock --json");
    assert_eq!(code, 0, "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["holder"]["life"], "alive");
    go(&stage);
    assert!(first.wait_with_output().unwrap().status.success());
}

#[test]
fn the_library_and_the_program_share_a_lock() {
    let stage = Stage::new("library");
    stage.write(FILE);
    let first = spawn(&stage, "apply -y", SOCKET);
    until_it_waits(&stage);
    let mut project = stage.load();
    let engine = stage.engine(&project);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let longest = std::time::Duration::from_mins(1);
    let mut options = Options::default();
    let (yes, quiet) = (async |_: &Pass| true, |_: &Plan, _: Event| {});
    let never = CancellationToken::new();
    let refused =
        stage.block_on(controller::apply(&engine, &mut project, &options, yes, &quiet, &never));
    assert!(matches!(refused, Err(controller::Error::Locked { .. })));

    options.wait = Some(Wait { longest, tell });
    let waits = async {
        let applied = controller::apply(&engine, &mut project, &options, yes, &quiet, &never);
        let after = async {
            let holder = told.recv().await.unwrap();
            tokio::task::block_in_place(|| go(&stage));
            holder
        };
        tokio::join!(applied, after)
    };
    let (applied, holder) = stage.block_on(waits);
    assert_eq!(holder.pid, first.id());
    assert!(applied.unwrap().is_some());
    assert!(first.wait_with_output().unwrap().status.success());
    assert!(stage.plan().is_empty());
}
