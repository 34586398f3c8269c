//! The program from outside: what it prints and how it ends. No engine is needed here.

use std::{fs, path::Path};

use assert_cmd::Command;
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

use crate::readable;

/// The program in `folder`, with an environment of its own and an engine that does not answer.
fn nself(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("nself").unwrap();
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("COLUMNS", "100")
        .env("DOCKER_HOST", format!("unix://{}/none.sock", folder.display()));
    command
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &TempDir, words: &str) -> Ended {
    let output = nself(folder.path()).args(words.split_whitespace()).output().unwrap();
    let text = |bytes: Vec<u8>| {
        let real = folder.path().canonicalize().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let text = text.replace(real.to_str().unwrap(), "HERE");
        text.replace(folder.path().to_str().unwrap(), "HERE")
    };
    let ended = Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    if words.contains("--json") {
        readable::is_known(words, &ended.out);
    }
    ended
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn with(text: &str) -> TempDir {
    let folder = empty();
    fs::write(folder.path().join("nself.toml"), text).unwrap();
    folder
}

const SHOP: &str = "[project]\nname = \"shop\"\n\n[services.postgres]\n";

const COMMANDS: [&str; 29] = [
    "init",
    "check",
    "plan",
    "show",
    "apply",
    "rollback",
    "history",
    "drift",
    "start",
    "stop",
    "restart",
    "destroy",
    "reset",
    "clean",
    "status",
    "logs",
    "exec",
    "urls",
    "explain",
    "graph",
    "lock",
    "import",
    "adopt",
    "secret",
    "trust",
    "doctor",
    "completion",
    "version",
    "help",
];

#[test]
fn help_of_everything() {
    let folder = empty();
    assert_snapshot!("help", run(&folder, "help").out);
    for command in COMMANDS {
        let ended = run(&folder, &format!("{command} --help"));
        assert_eq!(ended.code, 0, "{command}");
        let examples = ended.out.lines().take(4).collect::<Vec<_>>();
        assert_eq!(examples[0], "Examples:", "{command}");
        let real = |line: &&&str| line.trim_start().starts_with("nself ");
        assert_eq!(examples[1..].iter().filter(real).count(), 3, "{command}: three examples");
        assert_snapshot!(format!("help-{command}"), ended.out);
    }
}

#[test]
fn topics_are_pages() {
    let folder = empty();
    for topic in ["exit-codes", "engine", "allow", "environment", "policy", "json"] {
        let ended = run(&folder, &format!("help {topic}"));
        assert_eq!(ended.code, 0);
        assert_snapshot!(format!("topic-{topic}"), ended.out);
    }
    assert_eq!(run(&folder, "help apply").out, run(&folder, "apply --help").out);
    let ended = run(&folder, "help nonsense");
    assert_eq!(ended.code, 64);
    assert!(ended.err.contains("exit-codes"), "{}", ended.err);
}

#[test]
fn the_version_says_so_when_no_engine_answers() {
    let folder = empty();
    assert_eq!(run(&folder, "--version").out, format!("nself {}\n", env!("CARGO_PKG_VERSION")));
    let ended = run(&folder, "version --json");
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(ended.code, 0);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["engine"]["chosen_by"], "DOCKER_HOST");
    assert!(json["engine"]["error"].is_string());
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    let folder = with(SHOP);
    for words in [
        "",
        "plam",
        "plan --nonsense",
        "plan --allow remove:everything",
        "plan -q -v",
        "secret set 9",
        "logs --since yesterday",
        "logs nobody",
        "-C nowhere plan",
    ] {
        let ended = run(&folder, words);
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{words}: {}", ended.err);
        assert!(!ended.err.is_empty());
    }
    let ended = run(&folder, "plam");
    assert!(ended.err.contains("'plan'"), "{}", ended.err);
    let ended = run(&folder, "logs postgrs");
    assert!(ended.err.contains("did you mean postgres?"), "{}", ended.err);
}

#[test]
fn an_address_that_is_none_is_a_mistake_of_the_command_line() {
    let folder = with(SHOP);
    let ended = run(&folder, "--engine foo plan");
    assert_eq!(ended.code, 64);
    assert_snapshot!(ended.err, @r"
    error: `foo` is no address of an engine (from --engine)
      next       an address is like unix:///var/run/docker.sock, ssh://user@host or tcp://host:2376; see nself help engine
    ");
    for words in ["--engine tcp://x:2375 plan", "--engine tcp://x:2375 version"] {
        let ended = run(&folder, words);
        assert_eq!(ended.code, 64, "{words}");
        assert!(ended.err.contains("has no encryption"), "{}", ended.err);
    }
    assert_eq!(run(&folder, "--engine tcp:// plan").code, 64);
}

#[test]
fn init_in_a_folder_that_is_not_there_says_how_to_make_it() {
    let ended = run(&empty(), "-f sub/x.toml init --name shop");
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.err, @r"
    error: cannot write sub/x.toml
      caused by  No such file or directory (os error 2)
      next       there is no folder sub; make it first: mkdir -p sub
    ");
}

#[test]
fn apply_wants_yes_where_nobody_can_be_asked() {
    let ended = run(&with(SHOP), "apply");
    assert_eq!(ended.code, 64);
    assert_snapshot!(ended.err, @r"
    error: there is no terminal to ask on
      next       nself apply -y, after nself plan
    ");
}

#[test]
fn without_a_file_it_says_how_to_get_one() {
    let ended = run(&empty(), "plan");
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert_snapshot!(ended.err, @r"
    error: there is no nself.toml in HERE or above it
      next       nself init writes one; or say where it is: nself -f PATH …
    ");
    let ended = run(&empty(), "-f other.toml check");
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("there is no file other.toml"), "{}", ended.err);
}

#[test]
fn the_file_is_found_from_a_folder_inside() {
    let folder = with(SHOP);
    let inside = folder.path().join("services/api");
    fs::create_dir_all(&inside).unwrap();
    let output = nself(&inside).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(run(&folder, "-C services/api check").code, 0);
}

#[test]
fn a_bad_file_is_shown_where_it_is_bad() {
    let folder = with("[project]\nname = \"shop\"\n\n[services.postgres]\nversoin = \"17\"\n");
    let ended = run(&folder, "check");
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert_snapshot!("bad-file", ended.err);
    let ended = run(&folder, "plan --json");
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &json["valid"], &json["errors"]), (3, &false.into(), &1.into()));
}

#[test]
fn a_good_file_is_good() {
    let folder = with(SHOP);
    assert_eq!(run(&folder, "check").out, "nself.toml · 1 service · good\n");
    assert_eq!(run(&folder, "check -q").out, "");
    let json: Value = serde_json::from_str(&run(&folder, "check --json").out).unwrap();
    assert_eq!(json["valid"], true);
}

#[test]
fn an_engine_that_does_not_answer() {
    let folder = with(SHOP);
    let ended = run(&folder, "plan");
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert_snapshot!("no-engine", ended.err);
    let ended = run(&folder, "plan --json");
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(json["error"]["exit"], 1);
}

#[test]
fn init_writes_a_file_that_is_good_and_stays() {
    let folder = empty();
    let ended = run(&folder, "init --name shop");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out, "nself.toml written\nnext: nself plan · nself apply\n");
    assert_eq!(run(&folder, "check").code, 0, "{}", run(&folder, "check").err);
    let written = fs::read(folder.path().join("nself.toml")).unwrap();
    let again = run(&folder, "init");
    assert_eq!(again.code, 1);
    assert!(again.err.contains("cannot write nself.toml"), "{}", again.err);
    assert_eq!(fs::read(folder.path().join("nself.toml")).unwrap(), written);
}

#[test]
fn pages_that_need_no_engine() {
    let folder = with(SHOP);
    for words in ["urls --json", "graph --json", "explain postgres --json", "secret list --json"] {
        let ended = run(&folder, words);
        assert_eq!(ended.code, 0, "{words}: {}", ended.err);
        serde_json::from_str::<Value>(&ended.out).unwrap();
    }
    assert!(run(&folder, "graph --dot").out.starts_with("digraph \"shop\" {\n"));
    assert!(run(&folder, "graph").out.contains("container/shop-postgres"));
    assert_eq!(run(&folder, "explain nobody").code, 64);
}

#[test]
fn a_secret_comes_from_the_input_and_is_never_shown() {
    let folder = with(SHOP);
    let mut command = nself(folder.path());
    let output = command.args(["secret", "set", "token"]).write_stdin("hunter2-hunter2\n");
    output.assert().success();
    let ended = run(&folder, "secret list");
    assert!(ended.out.starts_with("token  #"), "{}", ended.out);
    assert!(!ended.out.contains("hunter2"));
    let mut command = nself(folder.path());
    command.args(["secret", "set", "token"]).write_stdin("").assert().code(64);
}

#[test]
fn an_encrypted_vault_opens_with_its_identity_only() {
    const RECIPIENT: &str = "age17sn4nxq7ctal9wjr6he04adtjym0dj9rrgz9kvcgep0tnrdvjq6syl66dn";
    const IDENTITY: &str =
        "AGE-SECRET-KEY-19UT2FWQ02ZSAUCP97W2LLJG25PGQJRYNQHMC6GT3MKU7VQTUU3VQSH4J9J";
    let vault = format!("\n[vault]\nrecipients = [\"{RECIPIENT}\"]\n");
    let folder = with(&format!("{SHOP}{vault}"));
    let key = folder.path().join("key");
    fs::write(&key, IDENTITY).unwrap();
    let call = |words: &str, identity: Option<&Path>| {
        let mut command = nself(folder.path());
        command.args(words.split(' ')).write_stdin("hunter2-hunter2\n");
        command.envs(identity.map(|path| ("NSELF_AGE_KEY_FILE", path)));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    assert_eq!(call("secret set token", None).0, 0);
    let files = || {
        let files = fs::read_dir(folder.path().join(".nself")).unwrap();
        let mut names: Vec<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(files(), [".gitignore", "lock", "secrets.toml.age"]);
    for words in ["secret list", "secret set token", "secret encrypt"] {
        let (code, said) = call(words, None);
        assert!(code == 3 && said.contains("NSELF_AGE_KEY_FILE"), "{words}: {said}");
        let (code, said) = call(words, Some(Path::new("none")));
        assert!(code == 3 && said.contains("no such file"), "{words}: {said}");
    }
    let (code, said) = call("secret list", Some(&key));
    assert!(code == 0 && said.starts_with("token  #"), "{said}");
    // What needs no secret can be done without.
    assert_eq!(call("check", None).0, 0);
    assert_eq!(call("secret decrypt", Some(&key)).0, 3);
    fs::write(folder.path().join("nself.toml"), SHOP).unwrap();
    let (code, said) = call("secret set another", Some(&key));
    assert!(code == 3 && said.contains("nself secret decrypt"), "{said}");
    assert_eq!(call("secret decrypt", Some(&key)).0, 0);
    assert_eq!(files(), [".gitignore", "lock", "secrets.toml"]);
    assert!(call("secret list", None).1.starts_with("token  #"));
}

#[test]
fn colour_is_as_asked_for() {
    let folder = empty();
    let plan = |words: &str, key: &str| {
        let mut command = nself(folder.path());
        let command = command.args(words.split_whitespace()).env(key, "1");
        String::from_utf8(command.output().unwrap().stderr).unwrap().contains('\u{1b}')
    };
    assert!(!plan("plan", "UNRELATED"));
    assert!(plan("plan", "CLICOLOR_FORCE"));
    assert!(plan("plan --color always", "NO_COLOR"));
    assert!(!plan("plan --color never", "CLICOLOR_FORCE"));
}

#[test]
fn completions_name_the_commands() {
    let folder = empty();
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(&folder, &format!("completion {shell}"));
        assert_eq!(ended.code, 0);
        assert!(ended.out.contains("drift"), "{shell}");
    }
}

#[test]
fn doctor_reports_what_keeps_it_from_looking() {
    let folder = empty();
    let nothing = run(&folder, "doctor");
    assert_eq!(nothing.code, 1, "{}{}", nothing.out, nothing.err);
    assert!(nothing.out.contains("no engine answers at unix://HERE/none.sock"), "{}", nothing.out);
    assert!(nothing.out.contains("not checked:"), "{}", nothing.out);

    let broken = run(&with("[project]\nname = \"shop\"\nnmae = 1\n"), "doctor --json");
    let json: Value = serde_json::from_str(&broken.out).unwrap();
    let found = |json: &Value, rule: &str| {
        let rules = json["rules"].as_array().unwrap().clone();
        let one = rules.into_iter().find(|one| one["rule"] == rule).unwrap();
        (one["verdict"].clone(), one["findings"][0]["what"].to_string())
    };
    assert_eq!((broken.code, &json["errors"]), (1, &2.into()));
    assert!(found(&json, "project").1.contains("unknown key"), "{}", found(&json, "project").1);
    assert_eq!(found(&json, "services").0, "not_checked");

    // What needs no engine is looked at all the same, and repaired.
    let shop = with(SHOP);
    fs::create_dir_all(shop.path().join(".nself")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shop.path().join(".nself"), open).unwrap();
    let fixed = run(&shop, "doctor --fix");
    assert_eq!(fixed.code, 1, "the engine is still silent");
    assert!(fixed.out.contains("fixed: chmod 700 .nself\n"), "{}", fixed.out);
    assert!(!run(&shop, "doctor").out.contains("others may"));
    assert_eq!(run(&shop, "-f nowhere.toml doctor").code, 3);
}

#[test]
fn what_destroys_asks_or_is_told_by_name() {
    let folder = with(SHOP);
    for (words, remedy) in [
        ("reset", "nself reset --yes-delete-data NAME"),
        ("reset --yes-delete-data shop-prod", "nself reset --yes-delete-data shop"),
        ("clean", "nself clean -y"),
    ] {
        let ended = run(&folder, words);
        assert_eq!(ended.code, 64, "{words}: {}", ended.err);
        assert!(ended.err.contains(remedy), "{words}: {}", ended.err);
    }
    // One vault serves all environments of a file, and a reset is about one.
    let several = with(&format!("{SHOP}[environments.prod]\n"));
    let ended = run(&several, "reset --dry-run --secrets");
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("all environments"), "{}", ended.err);
}

#[test]
fn there_is_nothing_to_trust_before_the_first_certificate() {
    let folder = empty();
    for words in ["trust status", "trust install", "trust uninstall --dry-run"] {
        let ended = run(&folder, words);
        assert_eq!(ended.code, 1, "{words}: {}", ended.err);
        assert!(ended.err.contains("there is no local authority yet"), "{}", ended.err);
    }
}
