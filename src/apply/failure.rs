//! From an engine's error to a failure that can be shown and stored.

use std::error::Error as _;

use crate::{
    desired::{Build, BuildContext},
    engine::{Error, Evidence, Refusal},
    model::Keyring,
    plan::{Failure, Op, Plan, Step},
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
            (facts(evidence, keyring), Some(format!("nself logs {}", lasting(container))))
        }
        Error::Failed { output, .. } => (vec![("output", keyring.scrub(output))], None),
        Error::Refused { kind, .. } => (Vec::new(), remedy(*kind).map(str::to_owned)),
        Error::SecretMissing(name) => (Vec::new(), Some(format!("nself secret set {name}"))),
        Error::Unreachable { .. } => {
            (Vec::new(), Some("start the engine, then nself apply".to_owned()))
        }
        Error::NotPermitted { .. } | Error::Newer { .. } => (Vec::new(), None),
    };
    Failure { chain, facts, remedy }
}

/// Returns the name that stays: what is to take a container's place goes by another one until it has.
fn lasting(container: &str) -> &str {
    container.strip_suffix(".next").unwrap_or(container)
}

/// Returns what a person can do about a failed step where the plan tells more than the error, else
/// `of_error`.
pub(super) fn remedy_of(
    error: &Error,
    plan: &Plan,
    step: &Step,
    of_error: Option<String>,
) -> Option<String> {
    match (&step.op, error) {
        (Op::AwaitReady { .. }, Error::NotReady { evidence, .. }) => {
            // The container is taken away again, and its last lines are all there is of its log.
            if !step.on_failure.is_empty() && !evidence.log.is_empty() {
                return None;
            }
            let mut ops = plan.steps.iter().filter(|other| other.group == step.group);
            let service = ops.find_map(|other| match &other.op {
                Op::CreateContainer { container, .. } => Some(&container.service),
                _ => None,
            });
            service.map(|service| format!("nself logs {service}")).or(of_error)
        }
        (
            Op::Build {
                build: Build { context: BuildContext::Folder { path, dockerfile, .. }, .. },
                ..
            },
            _,
        ) => of_error.or_else(|| {
            Some(format!("correct {}, then nself apply", path.join(dockerfile).display()))
        }),
        _ => of_error,
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
            Some("check `command`, `entrypoint` and `user` in nself.toml, and what the image has")
        }
        Refusal::DiskFull => Some("free disk space on the engine's machine, then nself apply"),
        Refusal::NameTaken | Refusal::InUse => Some("nself plan shows who has it"),
        Refusal::Ambiguous => {
            Some("docker network ls shows both; remove the one that is not used, then nself apply")
        }
        Refusal::Invalid => Some("correct that value in nself.toml, then nself apply"),
        Refusal::AddressTaken => {
            Some("choose another address in nself.toml; docker network inspect shows who has which")
        }
        Refusal::SubnetTaken => Some(
            "choose another `subnet` in nself.toml, or remove unused networks: docker network prune",
        ),
        Refusal::HostPathMissing => {
            Some("make it on the engine's machine, or correct its path in nself.toml")
        }
        Refusal::NotRunning => {
            Some("nself status shows what it is doing; nself apply brings it up")
        }
        Refusal::NotFound | Refusal::Unsupported | Refusal::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;

    #[test]
    fn a_container_that_is_taken_away_is_not_named() {
        let container = "shop-b.next".to_owned();
        let error = Error::NotReady { container, within: Millis(1000), evidence: Box::default() };
        let failure = failure(&error, &Keyring::default());
        assert_eq!(failure.remedy.as_deref(), Some("nself logs shop-b"));
    }
}
