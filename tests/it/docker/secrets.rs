//! New values of secrets: inside the service first, then in all who use it, and then the old one is not
//! valid any more. And values that are lost are read back from where they were delivered.

use std::{collections::BTreeMap, fs};

use nself::{
    controller,
    engine::ReadOnly,
    model::{SecretName, Sensitive},
    secret::Vault,
};

use super::stage::{Stage, docker, gist, try_docker};

/// Both who use the services do so all the time, and end when they are refused.
const FILE: &str = r#"
[services.postgres]
database = "app"

[services.redis]

[services.api]
image = "{postgres}"
command = ["sh", "-c", """
trap 'exit 0' TERM
touch /tmp/begun
while psql "$DATABASE_URL" -qAtc 'CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t VALUES (1)' 2>&1; do
  touch /tmp/works; sleep 0.05
done
"""]
health = { command = ["test", "-e", "/tmp/works"] }
env = { DATABASE_URL = "${postgres.url}" }

[services.worker]
image = "{redis}"
command = ["sh", "-c", """
trap 'exit 0' TERM
while redis-cli -h redis INCR n | grep -q '^[0-9]'; do
  touch /tmp/works; sleep 0.05
done
"""]
health = { command = ["test", "-e", "/tmp/works"] }
env = { REDISCLI_AUTH = "${redis.password}" }
needs = ["api"]
"#;

fn name(text: &str) -> SecretName {
    SecretName::new(text).unwrap()
}

fn vault(stage: &Stage) -> Vault {
    stage.load().vault().unwrap()
}

/// Returns the values of all secrets.
fn values(stage: &Stage) -> BTreeMap<SecretName, String> {
    let keyring = stage.load().keyring;
    let names = keyring.names();
    names.map(|name| (name.clone(), keyring.get(name).unwrap().expose().to_owned())).collect()
}

const ALL: [&str; 3] = ["postgres_app_password", "postgres_password", "redis_password"];

fn rotate(stage: &Stage) {
    let names = ALL.map(|text| (name(text), 40));
    vault(stage).rotate(&names.into(), 1).unwrap();
}

/// Returns whether a Postgres and a Redis let in whoever has these values.
fn let_in(stage: &Stage, values: &BTreeMap<SecretName, String>) -> (bool, bool) {
    let api = stage.container("api");
    let password = &values[&name("postgres_app_password")];
    let asks = |user: &str| {
        let url = format!("postgres://{user}:{password}@postgres/app");
        try_docker(&["exec", &api, "psql", &url, "-c", "SELECT 1"]).is_ok()
    };
    let auth = format!("REDISCLI_AUTH={}", values[&name("redis_password")]);
    let ping = docker(&["exec", "-e", &auth, &stage.container("redis"), "redis-cli", "ping"]);
    (asks("app") || asks("app_b"), ping.lines().last() == Some("PONG"))
}

/// Returns what a container has said on either output.
fn docker_log(container: &str) -> String {
    let output = std::process::Command::new("docker").args(["logs", container]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Writes the file, with images that are there.
fn write(stage: &Stage, text: &str) {
    stage.write("[services.postgres]\n[services.redis]\n");
    let compiled = stage.load().draw(1).unwrap().desired;
    let image = |service: &str| {
        let container = compiled.container(&stage.container(service)).unwrap();
        container.image.to_string()
    };
    stage
        .write(&text.replace("{postgres}", &image("postgres")).replace("{redis}", &image("redis")));
}

#[test]
fn a_new_value_goes_everywhere_and_nobody_is_refused() {
    let stage = Stage::new("rotate");
    write(&stage, FILE);
    stage.converge();
    let lives = ["postgres", "redis"].map(|service| stage.life(service));
    let mut before = values(&stage);

    let refusals = || {
        let log = docker_log(&stage.container("postgres"));
        log.lines().filter(|line| line.contains("FATAL")).count()
    };
    for _ in 0..2 {
        rotate(&stage);
        let refused = refusals();
        stage.converge();
        assert_eq!(refusals(), refused, "somebody was refused");
        let after = values(&stage);
        assert!(ALL.iter().all(|text| before[&name(text)] != after[&name(text)]));
        assert_eq!(let_in(&stage, &after), (true, true));
        assert_eq!(let_in(&stage, &before), (false, false), "the old values are valid");
        assert!(refusals() > refused, "a refusal is not seen");
        assert_eq!(vault(&stage).pending(), []);
        before = after;
    }
    let again = ["postgres", "redis"].map(|service| stage.life(service));
    assert_eq!(again, lives, "a service was started anew");
    // Whoever made it, it belongs to the one owner.
    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'";
    let postgres = stage.container("postgres");
    assert_eq!(
        docker(&["exec", "-u", "postgres", &postgres, "psql", "app", "-Atc", owners]),
        "app"
    );
    // What the server reads when it starts is what it takes while it runs.
    docker(&["restart", &stage.container("redis")]);
    assert_eq!(let_in(&stage, &before), (true, true));
}

#[test]
fn a_value_that_does_not_work_is_taken_back() {
    let stage = Stage::new("unrotated");
    write(&stage, FILE);
    stage.converge();
    let before = values(&stage);
    rotate(&stage);
    // The worker gets along with what it has, and with nothing else.
    let old = &before[&name("redis_password")];
    let only = format!("case $REDISCLI_AUTH in {}*) ;; *) exit 3;; esac\nwhile redis", &old[..8]);
    let picky = FILE.replace("while redis", &only);
    write(&stage, &picky);
    let report = stage.apply();
    let returned = &report.rotation.returned;
    assert_eq!(returned.as_slice(), [name("redis_password")], "{:?}", report.rotation);
    assert_eq!(report.rotation.settled.len(), 2);
    assert!(report.rest.is_empty(), "left: {}", gist(&report.rest));
    let after = values(&stage);
    assert_eq!(after[&name("redis_password")], *old);
    assert_eq!(let_in(&stage, &after), (true, true));
    let plan = stage.plan();
    assert!(plan.is_empty(), "{}", gist(&plan));
}

#[test]
fn secrets_that_are_lost_are_where_they_were_delivered() {
    let stage = Stage::new("recover");
    let file = FILE.to_owned() + "\n[services.postgres.roles.reader]\n";
    write(&stage, &file);
    stage.converge();
    rotate(&stage);
    stage.converge();
    let before = values(&stage);
    let lives = ["postgres", "redis", "api", "worker"].map(|service| stage.life(service));
    fs::remove_dir_all(stage.load().vault_folder()).unwrap();

    let project = stage.load();
    let engine = ReadOnly::new(stage.engine(&project));
    let refused = stage.block_on(controller::insist_on_nothing(&engine, &project, 1));
    assert!(matches!(refused, Err(controller::Error::VaultMissing { .. })));
    let recovery = stage.block_on(controller::recover(&engine, &project)).unwrap();
    let lost: Vec<_> = recovery.lost.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(lost, ["postgres_reader_password"], "what nobody was given is nowhere");
    assert!(recovery.differing.is_empty(), "{:?}", recovery.differing);
    let after = values(&stage);
    assert!(ALL.iter().all(|text| before[&name(text)] == after[&name(text)]));

    // Only the role whose password nobody knows gets another one.
    let plan = stage.plan();
    let changed: Vec<_> = plan.changes.changes.iter().map(|c| c.id.to_string()).collect();
    vault(&stage)
        .set(&name("postgres_reader_password"), &Sensitive::new("x".repeat(20)), 1)
        .unwrap();
    assert!(changed.iter().all(|id| id == "postgres/role/reader"), "{}", gist(&plan));
    stage.converge();
    let again = ["postgres", "redis", "api", "worker"].map(|service| stage.life(service));
    assert_eq!(again, lives, "something was made or started anew");
}
