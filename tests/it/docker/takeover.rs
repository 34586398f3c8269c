//! A project that Docker Compose started is taken over: nothing is started anew, nothing is lost.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::stage::{Stage, docker, eventually};

const COMPOSE: &str = r#"
services:
  db:
    image: debian:bookworm-slim
    command: sh -c "echo kept >> /data/log; exec sleep infinity"
    init: true
    volumes: ["data:/data"]
    healthcheck: {test: test -s /data/log, interval: 1s, retries: 20}
    restart: unless-stopped
    networks: {default: {aliases: [store]}}
  web:
    image: debian:bookworm-slim
    command: ["sleep", "infinity"]
    init: true
    stop_grace_period: 1s
    environment:
      GREETING: "hello $$USER"
      API_TOKEN: ${TOKEN:-a-token-of-compose}
    volumes: ["./conf:/etc/conf:ro", "data:/shared"]
    tmpfs: /scratch
    tty: true
    depends_on: {db: {condition: service_healthy}}
    deploy: {resources: {limits: {memory: 64M, cpus: "0.5"}}}
    ulimits: {nofile: {soft: 1024, hard: 2048}}
    extra_hosts: ["host.docker.internal:host-gateway"]
    labels: {team: shop}
volumes: {data: {}}
"#;

/// Returns the program; `tests/engine.sh` puts it there.
fn compose() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join("compose/docker-compose");
    if !program.exists() {
        let root = env!("CARGO_MANIFEST_DIR");
        let script = format!(". {root}/tests/engine.sh && ensure_compose {}", target.display());
        let made = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    program
}

fn up(stage: &Stage) {
    let version = docker(&["version", "--format", "{{.Server.APIVersion}}"]);
    let output = Command::new(compose())
        .args(["-p", &stage.name, "up", "--detach"])
        .current_dir(stage.folder())
        .env("DOCKER_API_VERSION", version)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs nself in the project's folder; returns its exit code and all it said.
fn nself(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let output = assert_cmd::Command::cargo_bin("nself")
        .unwrap()
        .args(arguments)
        .current_dir(stage.folder())
        .env("XDG_DATA_HOME", stage.folder().join("home"))
        .env_remove("NSELF_ENVIRONMENT")
        .env("DOCKER_HOST", "unix:///var/run/docker.sock")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    (output.status.code().unwrap(), said.join("\n"))
}

fn fine(stage: &Stage, arguments: &[&str]) -> String {
    let (code, said) = nself(stage, arguments);
    assert_eq!(code, 0, "nself {arguments:?}: {said}");
    said
}

#[test]
fn a_compose_project_is_taken_over_as_it_is() {
    let stage = Stage::new("takeover");
    std::fs::write(stage.folder().join("compose.yaml"), COMPOSE).unwrap();
    std::fs::create_dir(stage.folder().join("conf")).unwrap();
    up(&stage);
    let names = ["db", "web"].map(|service| format!("{}-{service}-1", stage.name));
    let lives = || names.clone().map(|name| Stage::inspect(&name, "{{.Id}} {{.State.StartedAt}}"));
    let before = lives();

    let said = fine(&stage, &["import", "compose", "--project", &stage.name]);
    assert!(said.contains("`tty` was not carried over") && !said.contains("a-token"), "{said}");
    let file = std::fs::read_to_string(stage.file()).unwrap();
    assert!(file.contains("${secret.api_token}") && !file.contains("a-token"), "{file}");
    let (code, said) = nself(&stage, &["import", "compose"]);
    assert!(code == 1 && said.contains("already"), "{said}");

    // Nothing is taken without a word.
    let (code, said) = nself(&stage, &["plan", "--exit-code"]);
    assert!(code == 4 && said.contains("--allow adopt:container/"), "{said}");
    let said = fine(&stage, &["apply", "--adopt", "--yes"]);
    assert!(said.contains("4 adopt"), "{said}");
    fine(&stage, &["plan", "--exit-code"]);
    fine(&stage, &["drift", "--exit-code"]);
    assert_eq!(lives(), before, "something was started anew");

    // A change makes anew what it is about, and that only.
    std::fs::write(stage.file(), file.replace("hello $$USER", "welcome")).unwrap();
    fine(&stage, &["apply", "--yes"]);
    let after = lives();
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    assert_eq!(docker(&["exec", &names[1], "cat", "/shared/log"]), "kept");
    assert_eq!(docker(&["exec", &names[1], "printenv", "GREETING"]), "welcome");
    fine(&stage, &["plan", "--exit-code"]);

    // What moved by hand is written into the file, its comments kept.
    docker(&["update", "--memory", "96m", "--memory-swap", "192m", &names[1]]);
    let path = format!("container/{}.limits.memory", names[1]);
    let said = fine(&stage, &["drift", "accept", &path]);
    assert!(said.contains("+limits = { memory = \"96M\", cpus = 0.5 }"), "{said}");
    fine(&stage, &["plan", "--exit-code"]);

    // Compose, called again, is noticed.
    docker(&["rm", "-f", &names[0]]);
    docker(&["rename", &names[1], &format!("{}-aside", stage.name)]);
    up(&stage);
    let (code, said) = nself(&stage, &["drift", "--exit-code"]);
    assert!(code == 2 && said.contains("not ours"), "{said}");
    assert_eq!(docker(&["exec", &names[1], "cat", "/shared/log"]), "kept\nkept");

    // What was adopted goes with the project, and its data only by name.
    docker(&["rm", "-f", &names[1]]);
    fine(&stage, &["apply", "--adopt", "--yes"]);
    let (code, said) = nself(&stage, &["destroy", "--yes"]);
    let volume = format!("volume/{}_data", stage.name);
    assert!(code == 4 && said.contains(&volume), "{said}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", stage.name)]), "");
    let release = format!("remove:{volume}");
    fine(&stage, &["destroy", "--yes", "--allow", &release]);
    let volumes = || docker(&["volume", "ls", "-q", "--filter", &format!("name={}", stage.name)]);
    eventually("everything is gone", || {
        let left = volumes();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn a_single_container_is_written_down_and_taken() {
    let stage = Stage::new("adopt");
    stage.write("");
    let name = format!("{}-old", stage.name);
    let volume = format!("{}-things", stage.name);
    docker(&[
        "run",
        "--detach",
        "--init",
        "--name",
        &name,
        "--volume",
        &format!("{volume}:/data"),
        "--env",
        "DB_PASSWORD=hunter2222",
        "--env",
        "LEVEL=a$b",
        "--memory",
        "32m",
        "--workdir",
        "/data",
        "debian:bookworm-slim",
        "sleep",
        "infinity",
    ]);
    let life = || Stage::inspect(&name, "{{.Id}} {{.State.StartedAt}}");
    let before = life();
    let (code, said) = nself(&stage, &["adopt", "nobody", "--as", "cache", "--yes"]);
    assert!(code == 1 && said.contains("no container nobody"), "{said}");
    let said = fine(&stage, &["adopt", &name, "--as", "cache", "--yes"]);
    assert!(said.contains("[services.cache] written"), "{said}");
    let file = std::fs::read_to_string(stage.file()).unwrap();
    assert!(file.contains("${secret.db_password}") && !file.contains("hunter"), "{file}");
    fine(&stage, &["plan", "--exit-code"]);
    assert_eq!(life(), before);
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    assert_eq!(Stage::inspect(&name, networks), stage.name, "it is on the project's network");
    let (code, said) = nself(&stage, &["adopt", &name, "--as", "other", "--yes"]);
    assert!(code == 1 && said.contains("is the service cache already"), "{said}");
    assert!(fine(&stage, &["adopt", &name, "--yes"]).contains("nothing to adopt"));
}
