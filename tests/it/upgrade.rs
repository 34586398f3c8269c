//! What earlier versions of nself left behind is read by this one, and nothing of it is to be changed.
//!
//! Each folder below `upgrade` that is named after a version holds a project, its vault, its plans, and what
//! an engine said after that version had applied it; `upgrade/capture` writes one.

mod played;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use nself::plan::Saved;
use serde_json::{Value as Json, json};

use played::Played;

/// What one version left.
struct Version {
    name: String,
    folder: PathBuf,
    engine: Played,
    project: tempfile::TempDir,
}

/// What became of a call of the program.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Returns every version of which something is kept.
fn versions() -> Vec<Version> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/upgrade");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        folders.filter(|folder| folder.join("engine.json").is_file()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "there is nothing of any version");
    folders.into_iter().map(Version::of).collect()
}

impl Version {
    fn of(folder: PathBuf) -> Self {
        let project = tempfile::tempdir().unwrap();
        copy(&folder, project.path());
        copy(&folder.join("vault"), &project.path().join(".nself"));
        Self {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            engine: Played::from(&fs::read_to_string(folder.join("engine.json")).unwrap()),
            folder,
            project,
        }
    }

    /// Returns the same where the engine says something else.
    fn played(&self, script: &str) -> Self {
        Self { engine: Played::from(script), ..Self::of(self.folder.clone()) }
    }

    /// Returns each plan that this version saved, with what this nself saves in its place.
    fn plans(&self) -> Vec<(Saved, Saved)> {
        let Ok(folder) = fs::read_dir(self.folder.join("plans")) else { return Vec::new() };
        let files = folder.map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|word| word == "toml"));
        let main = self.project.path().join("nself.toml");
        let before = fs::read_to_string(&main).unwrap();
        let read = |path: &Path| Saved::parse(&fs::read_to_string(path).unwrap()).unwrap();
        let plans = files.map(|file| {
            let saved = file.with_extension("plan");
            self.good(&format!("show {}", saved.display()));
            fs::copy(&file, &main).unwrap();
            self.good("plan -o now.plan");
            (read(&saved), read(&self.project.path().join("now.plan")))
        });
        let plans = plans.collect();
        fs::write(&main, before).unwrap();
        plans
    }

    fn run(&self, words: &str) -> Ended {
        let output = Command::new(cargo_bin("nself"))
            .current_dir(self.project.path())
            .env_clear()
            .env("HOME", self.project.path())
            .env("COLUMNS", "120")
            .env("DOCKER_HOST", self.engine.address())
            .args(words.split_whitespace())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Returns the output of a call that has to go well.
    fn good(&self, words: &str) -> String {
        let Ended { code, out, err } = self.run(words);
        let unknown = self.engine.unknown();
        assert!(code == 0, "{}: nself {words}: exit {code}\n{out}{err}\n{unknown:#?}", self.name);
        assert_eq!(unknown, Vec::<String>::new(), "{}: nself {words}", self.name);
        out
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What was read of all versions, as numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Versions of which something is kept.
    versions: usize,
    /// Resources that were compared.
    resources: usize,
    /// Resources that would be changed, held ones among them.
    changes: usize,
    /// Versions whose state counts as drifted.
    drifted: usize,
    /// Saved plans that were read.
    plans_read: usize,
    /// Those of them that no longer come out as they were saved.
    plans_moved: usize,
    /// Vaults that were opened.
    vaults: usize,
    /// Histories that are as they were written.
    histories: usize,
}

/// What the bench shows is the line that this prints.
#[test]
fn what_earlier_versions_left_is_read_and_stays_as_it_is() {
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for version in versions() {
        tally.versions += 1;
        let plan: Json = serde_json::from_str(&version.good("plan --json")).unwrap();
        let all = plan["resource_changes"].as_array().unwrap();
        assert!(all.len() > 30, "{}: {} resources", version.name, all.len());
        tally.resources += all.len();
        let differ = all.iter().filter(|it| it["change"]["actions"] != json!(["no-op"])).count();
        tally.changes += differ;
        // What is held or deferred is none of the changes to be made, and more than nothing.
        let text = version.good("plan");
        let ended = version.run("plan --exit-code");
        if differ > 0 || ended.code != 0 {
            wrong.push(format!("{}: exit {}\n{text}", version.name, ended.code));
        }
        let drift = version.run("drift");
        if drift.code != 0 {
            tally.drifted += 1;
            wrong.push(format!("{}: drift, exit {}\n{}", version.name, drift.code, drift.out));
        }
        let secrets: Json = serde_json::from_str(&version.good("secret list --json")).unwrap();
        assert!(secrets["secrets"].as_array().unwrap().len() >= 8, "{secrets:#}");
        tally.vaults += 1;
        if version.folder.join("vault/history.db").exists() {
            version.good("history verify");
            let history: Json = serde_json::from_str(&version.good("history --json")).unwrap();
            assert!(!history["runs"].as_array().unwrap().is_empty(), "{history:#}");
            tally.histories += 1;
        }
        for (then, now) in version.plans() {
            tally.plans_read += 1;
            assert!(!then.gist.steps.is_empty(), "{}", version.name);
            let moved = then.gist.moved(&now.gist);
            if then.project != now.project || then.engine != now.engine || !moved.is_empty() {
                tally.plans_moved += 1;
                wrong.push(format!("{}: a saved plan moved: {moved:#?}", version.name));
            }
        }
    }
    let Tally { versions, resources, changes, drifted, plans_read, plans_moved, vaults, histories } =
        tally;
    let line = json!({
        "versions": versions, "resources": resources, "changes": changes, "drifted": drifted,
        "plans_read": plans_read, "plans_moved": plans_moved, "vaults": vaults, "histories": histories,
    });
    println!("upgrade-stability: {line}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An older nself on what a newer one wrote must not go on as if there were nothing.
#[test]
fn the_memory_of_a_newer_version_is_refused_and_its_labels_are_not_understood() {
    let versions = versions();
    let last = versions.last().unwrap();
    let script = fs::read_to_string(last.folder.join("engine.json")).unwrap();
    let record = r#"{\"v\":1,\"generation\""#;
    assert!(script.contains(record));
    let newer = last.played(&script.replace(record, r#"{\"v\":2,\"generation\""#));
    let plan = newer.run("plan");
    assert_eq!(plan.code, 1, "{}{}", plan.out, plan.err);
    assert!(plan.err.contains("written by a newer nself"), "{}", plan.err);
    assert!(plan.err.contains("use the nself that wrote it"), "{}", plan.err);

    let label = r#"{\"v\":1,\"f\""#;
    assert!(script.contains(label));
    let newer = last.played(&script.replace(label, r#"{\"v\":2,\"f\""#));
    let plan = newer.run("plan --exit-code");
    assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
}

/// Where a service is made anew for another reason, nothing keeps it in an earlier form.
#[test]
fn what_is_made_anew_gets_the_form_of_today() {
    let versions = versions();
    let first = versions.first().unwrap();
    let file = first.project.path().join("nself.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("http_port = 18480", "http_port = 18481")).unwrap();
    let plan = first.run("plan");
    assert!(plan.out.contains("container/upgrade-gateway"), "{}{}", plan.out, plan.err);
    assert!(plan.out.contains("/tmp/resolver"), "{}", plan.out);
    // Another setting of Redis is no reason to keep the one file, and what was secret in it stays so.
    fs::write(&file, text.replace("maxmemory = \"32M\"", "maxmemory = \"48M\"")).unwrap();
    let plan = first.run("plan");
    assert!(plan.out.contains("login.conf"), "{}{}", plan.out, plan.err);
    let vault = fs::read_to_string(first.folder.join("vault/secrets.toml")).unwrap();
    let vault: toml::Table = toml::from_str(&vault).unwrap();
    let secrets = vault["secrets"].as_table().unwrap();
    for (name, value) in secrets {
        let value = value.as_str().unwrap();
        assert!(!plan.out.contains(value), "{name} is shown: {}", plan.out);
    }
}
