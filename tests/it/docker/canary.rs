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
