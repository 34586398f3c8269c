//! Surroundings that are not what one has at a desk: no home, no terminal, a reader that has gone, an
//! engine that is nowhere.

use std::process::{Command, Stdio};

use insta::assert_snapshot;

use super::{Bench, Scene, bench::IMAGE};

fn shop() -> String {
    format!(
        "[project]\nname = \"shop\"\n\n[services.api]\nimage = \"{IMAGE}\"\ninit = true\n\
         command = [\"sleep\", \"inf\"]\n"
    )
}

#[test]
fn engines_that_are_nowhere() {
    let scene = Scene::without_engine(&shop());
    for (name, address, code) in [
        ("engine-refuses", "tcp://127.0.0.1:1", 1),
        ("engine-no-socket", "unix:///nonexistent/docker.sock", 1),
        ("engine-no-scheme", "127.0.0.1:2375", 64),
        ("engine-other-scheme", "ftp://127.0.0.1", 64),
    ] {
        for words in ["plan", "apply -y", "status"] {
            let ended = scene.run(&format!("{words} --engine {address}"));
            assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{words}");
            assert_snapshot!(name, ended.err);
        }
    }
    assert!(!scene.path(".nself").exists(), "secrets were made for no engine");
}

#[test]
fn what_answers_is_no_engine() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    // Takes every call and hangs up.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let scene = Scene::on(&address, &shop());
    let ended = scene.run("plan");
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(
        ended.err.starts_with("error: no engine answers at ENGINE (from DOCKER_HOST)\n"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("\n  next       is it running there"), "{}", ended.err);
}

#[test]
fn nobody_to_ask() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    let ended = scene.run("apply");
    assert_eq!((ended.code, ended.out.as_str()), (64, ""));
    assert_snapshot!("nobody-to-ask", ended.err);
    assert_eq!(bench.containers(), [""; 0]);
}

#[test]
fn no_home() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    for words in ["plan", "apply -y", "status", "plan --exit-code"] {
        let mut command = scene.program(words);
        command.env_remove("HOME");
        let ended = scene.end(command);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words}");
    }
}

#[test]
fn a_reader_that_has_gone() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    for (words, code) in [("plan", 0), ("plan --json", 0), ("help", 0), ("apply -y", 0)] {
        let mut command = scene.program(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = scene.wait(child);
        assert_eq!((ended.code, ended.err.as_str()), (code, ""), "{words}");
    }
    assert_eq!(bench.containers(), ["shop-api running \"sleep inf\""], "the work went on");
}

#[test]
fn terminals_that_can_do_little() {
    let bench = Bench::new();
    let scene = Scene::on(&bench.address(), &shop());
    let on_a_terminal = |words: &str, key: &str, value: &str| {
        let program = scene.program("").get_program().to_string_lossy().into_owned();
        let mut command = Command::new("script");
        command.args([
            "--quiet",
            "--return",
            "--command",
            &format!("{program} {words}"),
            "/dev/null",
        ]);
        scene.surround(&mut command);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TERM", "xterm").env(key, value);
        scene.end(command)
    };
    // Something to tell the others from.
    let plain = on_a_terminal("plan", "COLUMNS", "100");
    assert!(plain.out.contains('\u{1b}'), "{plain:?}");
    for (key, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let ended = on_a_terminal("plan", key, value);
        assert_eq!(ended.code, 0);
        assert!(!ended.out.contains('\u{1b}'), "{key}: {}", ended.out);
    }
    let ended = on_a_terminal("apply -y", "TERM", "dumb");
    assert_eq!(ended.code, 0);
    assert!(!ended.out.contains('\u{1b}'), "{}", ended.out);
    assert!(ended.out.contains("✓ start shop-api"), "a line a step: {}", ended.out);
}

#[test]
fn a_narrow_terminal() {
    let scene = Scene::without_engine(&shop());
    let mut command = scene.program("apply --help");
    command.env("COLUMNS", "40");
    let ended = scene.end(command);
    assert_eq!(ended.code, 0);
    let words = ended.out.lines().filter(|line| line.chars().count() > 100);
    assert_eq!(words.count(), 0, "{}", ended.out);
}
