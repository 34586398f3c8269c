//! Files of Docker Compose: `compose.yaml`, and others behind lines `#@ NAME`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use nself::{
    compose::{self, Imported, Input, Outcome},
    model::Severity,
    spec::{self, Source},
};

use super::text;

/// Where the project stands.
const FOLDER: &str = "/project";
/// More than this comes of no file, however its aliases unfold.
const LONGEST: usize = 128 << 20;

/// Imports the files.
///
/// # Panics
/// When a file is asked for twice, when what is written is no TOML, is not accepted and nothing is said of
/// it, or has a secret in it, or when something that is said points outside of the files.
pub fn check(bytes: &[u8]) {
    let files: BTreeMap<PathBuf, &[u8]> = text::files("compose.yaml", bytes)
        .into_iter()
        .map(|(name, bytes)| (Path::new(FOLDER).join(name), bytes))
        .collect();
    let process = [("FROM_SHELL", "shell"), ("MY_PASSWORD", text::HUSH), ("HOME", "/home/me")];
    let mut input = Input {
        files: vec![Path::new(FOLDER).join("compose.yaml")],
        folder: FOLDER.into(),
        process: process.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        profiles: BTreeSet::from(["dev".to_owned()]),
        home: Some("/home/me".to_owned()),
        id: "0123".to_owned(),
        ..Input::default()
    };
    loop {
        match compose::import(&input) {
            Ok(Outcome::Done(imported)) => {
                sound(&imported);
                let Ok(Outcome::Done(again)) = compose::import(&input) else {
                    panic!("the same files once more are refused")
                };
                assert_eq!(again.text, imported.text);
                return;
            }
            Ok(Outcome::Wants(paths)) => {
                assert!(!paths.is_empty());
                for path in paths {
                    let read = files.get(&path).map(|bytes| bytes.to_vec());
                    let read = read.ok_or_else(|| "not found".to_owned());
                    let before = input.texts.insert(path, read);
                    assert!(before.is_none(), "a file is asked for twice");
                }
            }
            Err(refused) => {
                assert!(refused.problems.iter().any(|one| one.severity == Severity::Error));
                text::sound(&refused.problems, &refused.sources);
                return;
            }
        }
    }
}

fn sound(imported: &Imported) {
    let Imported { text: written, findings, secrets, services, sources, name: _ } = imported;
    text::sound(findings, sources);
    assert!(*services > 0 && written.len() < LONGEST);
    for name in secrets.keys() {
        assert!(written.contains(&format!("secret.{name}")), "{name} is not used\n{written}");
    }
    let main = Source::new("nself.toml", written.clone());
    let process = BTreeMap::new();
    let input = spec::Input { main, overlay: None, environment: None, process };
    if let Err(problems) = spec::parse(&input) {
        let of_form = ["syntax", "unknown-key", "not-text", "not-utf8", "too-large"];
        let form = problems.iter().find(|problem| of_form.contains(&problem.code));
        assert_eq!(form, None, "{written}");
        let is_said = findings.iter().any(|finding| finding.code == "not-accepted");
        assert!(is_said, "not accepted, and nothing is said: {problems:#?}\n{written}");
    }
    // A value in the place of a variable that tells is a secret; in others it may stand by chance.
    let hush = secrets.values().any(|value| value.expose() == text::HUSH);
    let plain = written.replace(&format!("command = [\"{}\"", text::HUSH), "");
    assert!(!hush || !plain.contains(text::HUSH), "a secret is written\n{written}");
}
