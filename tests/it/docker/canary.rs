//! Secrets are where they belong, and nowhere else: neither in what is told nor in what an engine shows
//! to everybody who may ask it.

use nself::{
    model::{SecretName, Sensitive},
    report::{self, Style},
    secret::Vault,
};

use super::stage::{Stage, docker, gist};

const FILE: &str = r#"
[services.postgres]
database = "app"

[services.postgres.roles.reader]

[services.redis]

[services.web]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo token is $TOKEN >&2; exec sleep 1000"]
init = true
port = 8000
route = "@"
health = { command = ["true"] }

[services.web.env]
DATABASE_URL = "${postgres.url}"
REDIS_URL = "${redis.url}"
READER = "${secret.postgres_reader_password}"
TOKEN = "${secret.token}"
KEY = "${secret.key}"

[services.leaks]
kind = "job"
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo cannot use $TOKEN; exit 1"]
env = { TOKEN = "${secret.token}" }
needs = ["web"]

[secrets.token]
source = "set"
"#;

/// What a person gives may have any characters in it.
const TOKEN: &str = "canary/in the \"coal\" mine'+%\\$";

/// Returns a text in every form in which it may turn up.
fn forms(value: &str) -> Vec<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let json = serde_json::to_string(value).unwrap();
    let url = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    let mut forms = vec![
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        serde_json::to_string(&json[1..json.len() - 1]).unwrap().trim_matches('"').to_owned(),
        format!("{value:?}").trim_matches('"').to_owned(),
        url.collect(),
        STANDARD.encode(value).trim_end_matches('=').to_owned(),
    ];
    forms.sort();
    forms.dedup();
    forms
}

struct Canary(Vec<(String, Vec<String>)>);

impl Canary {
    fn of(stage: &Stage) -> Self {
        let keyring = stage.load().keyring;
        let of = |name: &SecretName| {
            let value = keyring.get(name).unwrap().expose().to_owned();
            // A certificate is public; of a key every line is secret.
            let lines = value.lines().filter(|line| !line.starts_with("-----"));
            (name.to_string(), lines.flat_map(forms).collect())
        };
        let names = keyring.names().filter(|name| !name.as_str().starts_with("tls_chain"));
        Self(names.map(of).collect())
    }

    /// Returns the secrets that are in `text`.
    fn found_in(&self, text: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(_, forms)| forms.iter().any(|form| text.contains(form)));
        found.map(|(name, _)| name.as_str()).collect()
    }

    /// Insists that no secret is in `text`.
    fn is_not_in(&self, place: &str, text: &str) {
        let found = self.found_in(text);
        assert!(found.is_empty(), "{found:?} in {place}:\n{text}");
    }
}

/// Every command, with what it is called with; a new one gets its lines here. What `exec` runs prints what
/// it likes.
const COMMANDS: &[&str] = &[
    "init",
    "check",
    "plan",
    "plan --format markdown",
    "plan --format sarif",
    "plan -o it.plan",
    "show it.plan",
    "apply -y",
    "apply it.plan",
    "import compose nothing.yml",
    "adopt",
    "drift",
    "drift --format markdown",
    "drift --format sarif",
    "drift accept --all --dry-run",
    "history",
    "history show 1",
    "history diff 1",
    "history verify",
    "lock",
    "doctor",
    "trust status",
    "clean --dry-run",
    "reset --dry-run",
    "drift --exit-code",
    "status",
    "watch install",
    "watch now",
    "watch token bot",
    "watch pause why",
    "watch resume",
    "approve remove:volume/nothing",
    "retry",
    "logs",
    "logs web --tail 3",
    "exec web -- true",
    "exec web -- false",
    "urls",
    "explain web",
    "explain postgres",
    "graph",
    "graph --dot",
    "secret list",
    "secret set token",
    "secret rotate redis",
    "secret rotate redis --cancel",
    "secret rotate nothing",
    "secret recover",
    "secret encrypt",
    "secret decrypt",
    "completion bash",
    "version",
    "help secret",
    "stop web",
    "start web",
    "restart web",
    "rollback -y",
    "destroy -y",
];

/// Prints its secret wherever a process can: while it is built into nothing, when it is asked whether it is
/// well, when it fails.
const LOUD: &str = r#"
[services.sick]
build = "sick"
command = ["sh", "-c", "echo $TOKEN >&2; echo $TOKEN | base64; exec sleep 1000"]
init = true
env = { TOKEN = "${secret.token}" }
health = { command = ["sh", "-c", "echo no $TOKEN; exit 1"], interval = "1s", retries = 1 }
ready_within = "3s"
"#;

#[test]
fn no_command_tells_a_secret() {
    let stage = Stage::new("loud");
    let begin = docker(&["info", "--format", "{{.SystemTime}}"]);
    std::fs::create_dir(stage.folder().join("sick")).unwrap();
    let dockerfile = format!("FROM {}\nRUN true\n", super::stage::BASE);
    std::fs::write(stage.folder().join("sick/Dockerfile"), dockerfile).unwrap();
    let run = |words: &str| {
        let mut command = assert_cmd::Command::cargo_bin("nself").unwrap();
        command.current_dir(stage.folder()).env("HOME", stage.folder());
        command.args(words.split_whitespace()).write_stdin(format!("{TOKEN}\n"));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    // What goes into an image stays in its history, so no secret may.
    let built = LOUD.replace(
        "\"sick\"\ncommand",
        "{ context = \"sick\", args = { T = \"${secret.token}\" } }\ncommand",
    );
    stage.write(&built);
    let (code, said) = run("check");
    assert_eq!(code, Some(3), "{said}");

    stage.write(&format!("{FILE}{LOUD}"));
    assert_eq!(run("secret set token").0, Some(0));
    let (code, first) = run("apply -y -vv");
    assert_eq!(code, Some(1), "{first}");
    assert!(first.contains("(secret)"), "what fails is told without its secrets: {first}");
    let canary = Canary::of(&stage);
    canary.is_not_in("the first apply", &first);

    let (_, help) = run("--help");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    for command in listed.filter_map(|line| line.split_whitespace().next()) {
        let is_called = COMMANDS.iter().any(|words| words.split(' ').next() == Some(command));
        assert!(is_called, "`{command}` is called by no line of the table");
    }
    let mut whole = String::new();
    for words in COMMANDS {
        for flags in ["", "--json", "-v", "-vv"] {
            // What takes long is called in one way only, the most talkative one.
            let is_long = ["apply", "start", "restart", "stop", "rollback", "destroy"];
            if is_long.iter().any(|long| words.starts_with(long)) && flags != "-vv" {
                continue;
            }
            let call = words.replace(" -- ", &format!(" {flags} -- "));
            let call = if call == *words { format!("{words} {flags}") } else { call };
            let (_, said) = run(&call);
            canary.is_not_in(&call, &said);
            whole += &said;
        }
    }
    assert!(whole.contains("(secret)") && whole.len() > 20_000, "little was said");

    let end = docker(&["info", "--format", "{{.SystemTime}}"]);
    let events = docker(&["events", "--since", &begin, "--until", &end, "--format", "{{json .}}"]);
    canary.is_not_in("the engine's events", &events);
    let images = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    for image in images.lines().filter(|image| image.contains(&stage.name)) {
        let history = docker(&["history", "--no-trunc", image]) + &docker(&["inspect", image]);
        canary.is_not_in(&format!("the image {image}"), &history);
        docker(&["rmi", image]);
    }
    let mut open = vec![stage.folder().to_owned()];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".nself/secrets.toml") {
                let text = std::fs::read(&path).unwrap();
                canary.is_not_in(&path.display().to_string(), &String::from_utf8_lossy(&text));
                files += 1;
            }
        }
    }
    assert!(files >= 4, "few files: {files}");
}

#[test]
fn a_secret_is_found_nowhere_it_does_not_belong() {
    let stage = Stage::new("canary");
    let now = || docker(&["info", "--format", "{{.SystemTime}}"]);
    let begin = now();
    stage.write(FILE);
    let mut vault = Vault::open(&stage.load().vault_folder()).unwrap();
    vault.set(&SecretName::new("token").unwrap(), &Sensitive::new(TOKEN), 1).unwrap();

    let mut told = vec![report::json::plan(&stage.pass())];
    let report = stage.apply();
    told.push(report::outcome(&report, 1, Style::plain()));
    told.push(report::json::applied(&report, 1));
    told.push(format!("{report:?}"));

    // Something of everything is changed by hand, so that there are values to show.
    let postgres = stage.container("postgres");
    let role = "ALTER ROLE reader PASSWORD 'guessed'";
    docker(&["exec", "-u", "postgres", &postgres, "psql", "-qc", role]);
    let volume = format!("{}-config:/v", stage.container("redis"));
    let script = "echo '# mine' >> /v/current/redis.conf; echo >> /v/current/password";
    let words = ["run", "--rm", "--network", "none", "-v", &volume, super::stage::BASE, "sh", "-c"];
    docker(&[&words[..], &[script]].concat());
    stage.write(&FILE.replace("KEY =", "OTHER ="));
    let pass = stage.pass();
    assert!(pass.plan.changes.changes.len() >= 4, "{}", gist(&pass.plan));
    told.push(report::plan(&pass.plan, 1, Style::plain()));
    told.push(report::json::plan(&pass));
    told.push(format!("{:?}", pass.plan));
    let drift = stage.drift();
    told.push(report::drift(&drift, None, Style::plain()));
    told.push(format!("{drift:?}"));
    let report = stage.apply();
    told.push(report::json::applied(&report, 1));
    told.extend(stage.told.lock().unwrap().iter().cloned());
    let end = now();

    let canary = Canary::of(&stage);
    assert!(canary.0.len() >= 7, "few secrets");
    let told = told.join("\n");
    assert!(told.contains("cannot use"), "the log of what failed is told: {told}");
    canary.is_not_in("what nself tells", &told);
    let events = docker(&["events", "--since", &begin, "--until", &end, "--format", "{{json .}}"]);
    assert!(events.contains("exec_create") && events.contains(&stage.name));
    canary.is_not_in("the engine's events", &events);

    let all = docker(&["ps", "-aq", "--filter", &format!("name={}", stage.name)]);
    for id in all.lines() {
        let whole = docker(&["inspect", id]);
        let mut whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
        let env = whole[0]["Config"]["Env"].take();
        let name = whole[0]["Name"].as_str().unwrap().to_owned();
        canary.is_not_in(&format!("the container {name}"), &whole.to_string());
        // What is handed over as a file is not handed over a second time.
        if !name.ends_with("web") && !name.ends_with("leaks") {
            canary.is_not_in(&format!("the environment of {name}"), &env.to_string());
            canary.is_not_in(&format!("the log of {name}"), &docker(&["logs", id]));
        }
    }
    let env = Stage::inspect(&stage.container("web"), "{{json .Config.Env}}");
    let found = canary.found_in(&env);
    assert_eq!(found.len(), 5, "a canary that sings nowhere is no canary: {found:?}");
    for class in ["volume", "network"] {
        let names = docker(&[class, "ls", "-q", "--filter", &format!("name={}", stage.name)]);
        for name in names.lines() {
            canary.is_not_in(name, &docker(&[class, "inspect", name]));
        }
    }
    let file = std::fs::read_to_string(stage.file()).unwrap();
    canary.is_not_in("the file", &file);
}
