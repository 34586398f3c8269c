//! `kill -9` of an apply at random moments: the next one ends as an undisturbed one does.
//!
//! The moments are drawn evenly over the length of an undisturbed run. `NSELF_TEST_CRASHES` says how many
//! for each shape of plan; a failure names the seed that draws the same ones again.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use assert_cmd::cargo::cargo_bin;
use nself::observed::Record;
use serde_json::Value;

use super::stage::{SOCKET, Stage, docker};
use crate::crash::difference;

/// Few enough for every run of the tests.
const FEW: u64 = 4;

/// A project that is changed to and fro, and killed on the way.
struct Shape {
    name: &'static str,
    /// What it is before, and what it becomes; then the other way round.
    sides: [&'static str; 2],
}

const CREATE: Shape = Shape {
    name: "create",
    sides: [
        "",
        r#"
[services.db]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo here >/data/here; exec sleep infinity"]
init = true
volumes = { data = "/data" }
health = { command = ["cat", "/data/here"] }

[services.setup]
kind = "job"
image = "debian:bookworm-slim"
command = ["true"]
needs = ["db"]

[services.api]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["setup"]
"#,
    ],
};

const CHAIN: &str = r#"
[services.db]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo here >/data/here; exec sleep infinity"]
init = true
volumes = { data = "/data" }
health = { command = ["cat", "/data/here"] }
env = { VERSION = "1" }

[services.api]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["db"]
env = { VERSION = "1" }

[services.web]
image = "debian:bookworm-slim"
command = ["sleep", "infinity"]
init = true
needs = ["api"]
env = { VERSION = "1" }
"#;

/// In place, files with a signal, files with a restart, inside a service, and a replacement.
const MIXED: &str = r#"
[services.postgres]
database = "app"
limits = { memory = "300M" }
settings = { work_mem = "5MB" }

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
env = { VERSION = "1" }
limits = { memory = "100M" }
"#;

#[test]
fn at_random_while_it_creates() {
    CREATE.survives();
}

#[test]
fn at_random_while_it_replaces_a_chain() {
    let other = CHAIN.replace("VERSION = \"1\"", "VERSION = \"2\"").leak();
    Shape { name: "chain", sides: [CHAIN, other] }.survives();
}

#[test]
fn at_random_while_it_does_a_bit_of_everything() {
    let changes = [
        ("300M", "310M"),
        ("5MB", "6MB"),
        ("connection_limit = 1", "connection_limit = 2"),
        ("route = \"a\"", "route = \"b\""),
        ("VERSION = \"1\"", "VERSION = \"2\""),
    ];
    let other = changes.iter().fold(MIXED.to_owned(), |text, (a, b)| text.replace(a, b));
    Shape { name: "mixed", sides: [MIXED, other.leak()] }.survives();
}

impl Shape {
    fn survives(&self) {
        let kills = std::env::var("NSELF_TEST_CRASHES").ok();
        let kills = kills.map_or(FEW, |number| number.parse().expect("a number of kills"));
        let seed = std::env::var("NSELF_TEST_SEED").ok();
        let seed = seed.map_or_else(|| u64::from(std::process::id()), |seed| seed.parse().unwrap());
        let mut random = Random(seed);
        let stage = Stage::new(self.name);

        // How it is undisturbed, and how long that takes, both ways.
        let mut good = BTreeMap::new();
        let mut lengths = [Duration::ZERO; 2];
        for side in [0, 1, 0] {
            stage.write(self.sides[side]);
            let begin = Instant::now();
            apply(&stage);
            lengths[side] = begin.elapsed();
            good.insert(side, picture(&stage));
        }
        for kill in 0..kills {
            let side = usize::from(kill % 2 == 0);
            stage.write(self.sides[side]);
            let moment = lengths[side].mul_f64(random.fraction());
            let mut child = spawn(&stage, &words(&stage), SOCKET);
            std::thread::sleep(moment);
            child.kill().unwrap();
            child.wait().unwrap();
            apply(&stage);
            let name = format!("kill {kill} of seed {seed}, {} after {moment:?}", self.name);
            let wrong = difference(&picture(&stage), &good[&side]);
            assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
            let plan = run(&stage, "plan --exit-code");
            assert_eq!(plan.0, 0, "{name}: {}", plan.1);
        }
    }
}

/// Returns all that counts of a project on the engine, by name: what is ours to say of each object, and
/// what is remembered.
pub(super) fn picture(stage: &Stage) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let filter = format!("name={}", stage.name);
    for class in ["container", "network", "volume"] {
        let words: &[&str] = if class == "container" { &["-a"] } else { &[] };
        let listed = docker(&[&[class, "ls", "-q", "--filter", &filter], words].concat());
        for id in listed.lines() {
            let seen: Value = serde_json::from_str(&docker(&[class, "inspect", id])).unwrap();
            let (name, how) = facts(class, &seen[0]);
            let before = all.insert(format!("{class} {name}"), how);
            assert!(before.is_none(), "two of one name: {class} {name}");
        }
    }
    all
}

fn facts(class: &str, seen: &Value) -> (String, String) {
    let name = seen["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    let how = match class {
        "container" => {
            let short = &seen["Id"].as_str().unwrap()[..12];
            let networks = seen["NetworkSettings"]["Networks"].as_object().unwrap();
            let networks = networks.iter().map(|(name, one)| format!("{name}: {}", one["Aliases"]));
            let networks: Vec<String> = networks.collect();
            let state = &seen["State"];
            // The engine lists them in no order.
            let mut mounts = seen["Mounts"].as_array().unwrap().clone();
            mounts.sort_by_key(ToString::to_string);
            let mut config = seen["Config"].clone();
            let own = config.as_object_mut().unwrap();
            if own["Hostname"] == short {
                own.remove("Hostname");
            }
            format!(
                "{} {} {} {config} {} {}",
                state["Status"],
                seen["Image"],
                Value::from(mounts),
                seen["HostConfig"],
                networks.join(" ").replace(short, "ID")
            )
        }
        "volume" => {
            let mut labels = seen["Labels"].clone();
            let own = labels.as_object_mut();
            let record = own.and_then(|own| own.remove("dev.nself.record"));
            let record = record.and_then(|text| Record::parse(text.as_str()?).ok());
            // Which apply it was, and when.
            let record = record.map(|record| Record { generation: 0, at: 0, ..record }.to_text());
            format!("{labels} {record:?}")
        }
        _ => format!("{} {}", seen["Labels"], seen["Internal"]),
    };
    // The record is replaced whole, under another name each time.
    let is_record = name.contains(".nself.");
    (if is_record { "the record".to_owned() } else { name }, how)
}

/// Runs the program on a stage to its end, and returns its code and all that it said.
pub(super) fn run(stage: &Stage, words: &str) -> (i32, String) {
    let output = program(stage, words, SOCKET).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// Starts the program on a stage, on the engine behind a socket, and leaves it alone.
pub(super) fn spawn(stage: &Stage, words: &str, socket: &str) -> Child {
    program(stage, words, socket).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Applies, and insists that this was all.
pub(super) fn apply(stage: &Stage) {
    let (code, said) = run(stage, &words(stage));
    assert_eq!(code, 0, "{said}");
}

/// What is created goes again with its data.
fn words(stage: &Stage) -> String {
    format!("apply -y --allow remove:volume/{}", stage.container("db-data"))
}

fn program(stage: &Stage, words: &str, socket: &str) -> Command {
    let mut command = Command::new(cargo_bin("nself"));
    command
        .current_dir(stage.folder())
        .env_clear()
        .env("HOME", stage.folder())
        .env("DOCKER_HOST", format!("unix://{socket}"))
        .stdin(Stdio::null())
        .args(words.split_whitespace());
    command
}

/// A small generator of our own: the same seed draws the same moments on every machine.
struct Random(u64);

impl Random {
    /// Returns a number from 0 up to 1.
    fn fraction(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        f64::from(u32::try_from(bits >> 32).unwrap()) / f64::from(u32::MAX)
    }
}
