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
use nself::{
    history::History,
    plan::Saved,
};
use serde_json::Value as Json;

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
            engine: Played::from(&folder.join("engine.json")),
            folder,
            project,
        }
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

#[test]
fn nothing_is_to_be_changed_after_an_upgrade() {
    for version in versions() {
        let plan = version.good("plan");
        print!("{plan}");
        let plan: Json = serde_json::from_str(&version.good("plan --json")).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap();
        let differ = changes.iter().filter(|it| it["change"]["actions"] != serde_json::json!(["no-op"]));
        let differ: Vec<&Json> = differ.collect();
        assert!(changes.len() > 30, "{}", version.name);
        assert!(differ.is_empty(), "{}: {differ:#?}", version.name);
    }
}
