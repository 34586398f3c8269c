//! Compose files and what becomes of them: each folder below `import` is a project, and `NAME.txt` beside
//! it what comes out. `# profile: NAME` in the first line of the first file switches a profile on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nself::{
    compose::{self, Input, Outcome, Refused},
    desired::{self, Facts},
    model::{Digest, Severity},
    report::diagnostic::{Colour, text},
    spec::{self, Source},
};

use crate::case;

fn input(folder: &Path) -> Input {
    let mut files = vec![folder.join("compose.yaml")];
    files.extend(Some(folder.join("compose.override.yaml")).filter(|path| path.is_file()));
    let first = std::fs::read_to_string(&files[0]).unwrap();
    let profile = first.lines().next().and_then(|line| line.strip_prefix("# profile: "));
    Input {
        files: files.iter().map(|file| moved(file, folder)).collect(),
        folder: PathBuf::from("/project"),
        process: BTreeMap::from(
            [("FROM_SHELL", "shell"), ("HANDED_ON", "on"), ("HOME", "/home/me")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        ),
        profiles: profile.into_iter().map(str::to_owned).collect(),
        home: Some("/home/me".to_owned()),
        id: "0123".to_owned(),
        ..Input::default()
    }
}

/// Files stand in `/project`, wherever the tests are.
fn moved(path: &Path, folder: &Path) -> PathBuf {
    Path::new("/project").join(path.strip_prefix(folder).unwrap())
}

fn import(folder: &Path) -> Result<compose::Imported, Refused> {
    let mut input = input(folder);
    loop {
        match compose::import(&input)? {
            Outcome::Done(imported) => return Ok(*imported),
            Outcome::Wants(paths) => {
                assert!(!paths.is_empty());
                for path in paths {
                    let real = folder.join(path.strip_prefix("/project").unwrap());
                    let read = std::fs::read(real).map_err(|error| error.kind().to_string());
                    assert!(input.texts.insert(path, read).is_none(), "asked for twice");
                }
            }
        }
    }
}

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import");
    let entries = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn compose_projects_read_like_this() {
    let mut failed = Vec::new();
    for folder in folders() {
        let shown = match import(&folder) {
            Ok(imported) => {
                let findings = text(&imported.findings, &imported.sources, Colour::Plain);
                let names: Vec<_> = imported.secrets.keys().map(ToString::to_string).collect();
                format!(
                    "{}\n--- secrets: {}\n--- findings\n{findings}",
                    imported.text,
                    names.join(" ")
                )
            }
            Err(refused) => text(&refused.problems, &refused.sources, Colour::Plain),
        };
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if let Err(why) = std::panic::catch_unwind(|| {
            case::compare(&format!("import/{name}.txt"), &shown);
        }) {
            failed.push(why.downcast_ref::<String>().cloned().unwrap_or_default());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is written can be read, and no secret is in it.
#[test]
fn what_is_imported_is_a_project() {
    for folder in folders() {
        let Ok(imported) = import(&folder) else { continue };
        let main = Source::new("nself.toml", imported.text.clone());
        let input = spec::Input {
            main: main.clone(),
            overlay: None,
            environment: None,
            process: BTreeMap::new(),
        };
        let parsed = spec::parse(&input).unwrap_or_else(|problems| {
            let sources = [(main.name.clone(), imported.text.clone())];
            panic!("{}: {}", folder.display(), text(&problems, &sources, Colour::Plain))
        });
        let facts =
            Facts { now: 0, ca_bundle: Digest::of(b"").as_str().into(), ..Facts::default() };
        let compiled = desired::compile(&parsed.spec, &facts).unwrap_or_else(|p| panic!("{p:#?}"));
        assert_eq!(desired::check(&compiled.desired), [], "{}", folder.display());
        let all = format!("{} {:?}", imported.text, imported.findings);
        for (name, value) in &imported.secrets {
            let value = value.expose();
            assert!(value.len() < 6 || !all.contains(value), "{name} of {}", folder.display());
            assert!(compiled.desired.secrets.contains_key(name), "{name} is not used");
        }
        assert!(imported.findings.iter().all(|one| one.severity == Severity::Warning));
    }
}
