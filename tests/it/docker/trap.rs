//! Death at a chosen call to the real engine: between nself and its socket sits somebody who kills nself
//! when it says a certain thing.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::Child,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    killed::{apply, picture, run, spawn},
    stage::{SOCKET, Stage},
};
use crate::crash::difference;

/// When it dies with respect to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The engine never hears of it.
    Before,
    /// The engine has only just been told.
    During,
    /// The engine has done it, and nobody hears that it has.
    After,
}

/// The words at which nself dies.
struct Trap {
    folder: tempfile::TempDir,
    spring: Arc<Spring>,
}

struct Spring {
    words: &'static str,
    side: Side,
    victim: Mutex<Option<Pid>>,
    sprung: AtomicBool,
}

impl Trap {
    fn set(words: &'static str, side: Side) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let (victim, sprung) = (Mutex::default(), AtomicBool::default());
        let spring = Arc::new(Spring { words, side, victim, sprung });
        let shared = Arc::clone(&spring);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let engine = UnixStream::connect(SOCKET).unwrap();
                let (from, to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
                let there = Arc::clone(&shared);
                std::thread::spawn(move || there.carry(from, to));
                let back = Arc::clone(&shared);
                std::thread::spawn(move || back.bring(engine, client));
            }
        });
        Self { folder, spring }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Starts an apply that is to die in the trap, and waits until it has.
    fn catch(&self, stage: &Stage) {
        let child: Child = spawn(stage, "apply -y", self.socket().to_str().unwrap());
        *self.spring.victim.lock().unwrap() = Some(Pid::from_child(&child));
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let words = self.spring.words;
        assert_eq!(ended.status.code(), None, "it never said {words:?}: {said}");
        assert!(self.spring.sprung.load(Ordering::SeqCst));
    }
}

impl Spring {
    /// Carries what nself says to the engine.
    fn carry(&self, mut from: UnixStream, mut to: UnixStream) {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            let said = String::from_utf8_lossy(&bytes[..length]);
            let springs = said.contains(self.words);
            if springs && self.side == Side::Before {
                return self.kill();
            }
            if springs {
                self.sprung.store(true, Ordering::SeqCst);
            }
            if to.write_all(&bytes[..length]).is_err() {
                return;
            }
            if springs && self.side == Side::During {
                return self.kill();
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    }

    /// Brings back what the engine answers.
    fn bring(&self, mut from: UnixStream, mut to: UnixStream) {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if self.side == Side::After && self.sprung.load(Ordering::SeqCst) {
                return self.kill();
            }
            if to.write_all(&bytes[..length]).is_err() {
                return;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    }

    fn kill(&self) {
        self.sprung.store(true, Ordering::SeqCst);
        let victim = loop {
            if let Some(victim) = *self.victim.lock().unwrap() {
                break victim;
            }
            std::thread::yield_now();
        };
        // Two answers may spring it at once.
        let _ = kill_process(victim, Signal::KILL);
    }
}

const SITE: &str = r#"
[services.postgres]
database = "app"

[services.postgres.roles.reader]
login = false
connection_limit = 1

[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
port = 8000
route = "a"
needs = ["postgres"]
"#;

#[test]
fn between_upload_and_reload_and_inside_sql() {
    let stage = Stage::new("inside");
    stage.write(SITE);
    apply(&stage);
    let other = SITE.replace("\"a\"", "\"b\"").replace("limit = 1", "limit = 2");
    stage.write(&other);
    apply(&stage);
    let good = picture(&stage);
    let moments = [
        ("signal=SIGHUP", Side::Before),
        ("signal=SIGHUP", Side::After),
        ("ALTER ROLE \"reader\"", Side::Before),
        ("ALTER ROLE \"reader\"", Side::During),
    ];
    for (words, side) in moments {
        stage.write(SITE);
        apply(&stage);
        stage.write(&other);
        Trap::set(words, side).catch(&stage);
        apply(&stage);
        let wrong = difference(&picture(&stage), &good);
        assert!(wrong.is_empty(), "{words} {side:?}: {}", wrong.join("\n"));
        assert_eq!(run(&stage, "plan --exit-code").0, 0, "{words} {side:?}");
    }
}

const OWN: &str = r#"
[services.db]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
volumes = { data = "/data" }
health = { command = ["true"] }
ready_within = "2s"
env = { VERSION = "1" }
"#;

#[test]
fn while_what_worked_is_brought_back() {
    let stage = Stage::new("back");
    stage.write(OWN);
    apply(&stage);
    let bad = OWN.replace("\"true\"", "\"false\"").replace("VERSION = \"1\"", "VERSION = \"2\"");
    stage.write(&bad);
    assert_eq!(run(&stage, "apply -y").0, 1);
    let good = picture(&stage);
    let moments = [
        ("/stop?t=0", Side::Before),
        ("/stop?t=0", Side::After),
        ("DELETE /v1.41/containers/", Side::Before),
        ("DELETE /v1.41/containers/", Side::During),
    ];
    for (words, side) in moments {
        Trap::set(words, side).catch(&stage);
        // What is wanted is as bad as before, and what worked is back as before.
        let (code, said) = run(&stage, "apply -y");
        assert_eq!(code, 1, "{said}");
        let wrong = difference(&picture(&stage), &good);
        assert!(wrong.is_empty(), "{words} {side:?}: {}", wrong.join("\n"));
    }
    stage.write(&bad.replace("\"false\"", "\"true\""));
    apply(&stage);
    assert_eq!(run(&stage, "plan --exit-code").0, 0);
}

#[test]
fn between_two_records() {
    let stage = Stage::new("records");
    stage.write(OWN);
    // All is done and remembered; the intent of the beginning is still there.
    Trap::set("DELETE /v1.41/volumes/", Side::Before).catch(&stage);
    apply(&stage);
    // Of each name there is one thing, the record included.
    let all = picture(&stage);
    let names = ["container ", "network ", "volume ", "volume the record"];
    for (key, name) in all.keys().zip(names) {
        assert!(key.starts_with(name), "{:?}", all.keys());
    }
    assert_eq!(all.len(), names.len(), "{:?}", all.keys());
    assert_eq!(run(&stage, "plan --exit-code").0, 0);
}

#[test]
fn while_an_image_is_built() {
    let stage = Stage::new("build");
    let app = stage.folder().join("app");
    std::fs::create_dir(&app).unwrap();
    let file = "FROM debian:bookworm-slim\nRUN echo {} >/version && sleep 1\n";
    stage.write(
        "[services.api]\nbuild = \"app\"\ncommand = [\"sleep\", \"infinity\"]\ninit = true\n",
    );
    for side in [Side::Before, Side::During, Side::After] {
        // A build that nobody has done before.
        let version = format!("{} {side:?}", stage.name);
        std::fs::write(app.join("Dockerfile"), file.replace("{}", &version)).unwrap();
        Trap::set("/build?", side).catch(&stage);
        apply(&stage);
        assert_eq!(run(&stage, "plan --exit-code").0, 0, "{side:?}");
        let containers = picture(&stage);
        let containers: Vec<_> =
            containers.keys().filter(|key| key.starts_with("container ")).collect();
        assert_eq!(containers, [&format!("container {}", stage.container("api"))], "{side:?}");
    }
}
