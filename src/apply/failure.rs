//! From an engine's error to a failure that can be shown and stored.

use std::error::Error as _;

use crate::{
    desired::{Build, BuildContext},
    engine::{Error, Evidence, Refusal},
    model::Keyring,
    plan::{Failure, Op},
};

/// Turns an error into text without secrets, with what a person can do about it.
pub fn failure(error: &Error, keyring: &Keyring) -> Failure {
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    let chain = chain.iter().map(|text| keyring.scrub(text)).collect();
    let (facts, remedy) = match error {
        Error::NotReady { container, evidence, .. } => {
            (facts(evidence, keyring), Some(format!("nself logs {container}")))
        }
        Error::Failed { output, .. } => (vec![("output", keyring.scrub(output))], None),
        Error::Refused { kind, .. } => (Vec::new(), remedy(*kind).map(str::to_owned)),
        Error::SecretMissing(name) => (Vec::new(), Some(format!("nself secret set {name}"))),
        Error::Unreachable { .. } => {
            (Vec::new(), Some("start the engine, then nself apply".to_owned()))
        }
        Error::NotPermitted { .. } => (Vec::new(), None),
    };
    Failure { chain, facts, remedy }
}

/// Returns what a person can do when a step of this kind fails, whatever the engine said.
pub(super) fn remedy_of(op: &Op) -> Option<String> {
    match op {
        Op::Build {
            build: Build { context: BuildContext::Folder { path, dockerfile, .. }, .. },
            ..
        } => Some(format!("correct {}, then nself apply", path.join(dockerfile).display())),
        _ => None,
    }
}

fn facts(evidence: &Evidence, keyring: &Keyring) -> Vec<(&'static str, String)> {
    let Evidence { probe, tries, process, health, log } = evidence;
    let mut facts = Vec::new();
    if !probe.is_empty() {
        facts.push(("probe", format!("{}, {tries} tries", keyring.scrub(probe))));
    }
    for (name, text) in [("process", process), ("health", health)] {
        if !text.is_empty() {
            facts.push((name, keyring.scrub(text)));
        }
    }
    if !log.is_empty() {
        facts.push(("log", keyring.scrub(&log.join("\n"))));
    }
    facts
}

fn remedy(kind: Refusal) -> Option<&'static str> {
    match kind {
        Refusal::PortTaken => Some("free the port or choose another one in nself.toml"),
        Refusal::ImageMissing => {
            Some("check the image's name and tag; is there a registry that has it?")
        }
        Refusal::NoRegistry => Some(
            "check the registry in the image's name, and the engine's way to it; `mirror` in [images] \
             names another one",
        ),
        Refusal::NotExecutable => {
            Some("check `command` and `entrypoint` in nself.toml, and what the image has")
        }
        Refusal::DiskFull => Some("free disk space on the engine's machine, then nself apply"),
        Refusal::NameTaken | Refusal::InUse => Some("nself plan shows who has it"),
        Refusal::NotFound | Refusal::Unsupported | Refusal::Other => None,
    }
}
