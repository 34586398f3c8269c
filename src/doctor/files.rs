//! Files: secrets that are missing, open to others, or on their way into a repository.

use super::{Facts, Finding, Fix, Git, Kind, Level, PathFact, ProjectState, Verdict};
use crate::model::{Origin, ResourceId};

/// Who else than the owner may do anything.
const OTHERS: u32 = 0o077;
/// Who else than owner and group may read.
const WORLD_READS: u32 = 0o004;

/// Words in a variable's name that make its value a secret.
const SECRET_WORDS: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "PRIVATE_KEY", "API_KEY"];

pub(super) fn vault(facts: &Facts) -> Verdict {
    let (state, observed, _) = match facts.seen() {
        Ok(seen) => seen,
        Err(verdict) => return verdict,
    };
    if state.desired.secrets.is_empty() {
        return Verdict::Well("no service has a secret".to_owned());
    }
    let is_there = observed.containers.iter().any(|seen| seen.owner.is_ours())
        || observed.volumes.iter().any(|seen| seen.owner.is_ours() && !seen.disposable);
    match (state.has_vault, is_there) {
        (true, _) => Verdict::Well("the vault is here".to_owned()),
        (false, false) => Verdict::Well("the first apply makes the vault".to_owned()),
        (false, true) => Verdict::Found(vec![Finding::new(
            Level::Error,
            format!("{} is on the engine, and its secrets are not here", state.desired.prefix()),
            "new ones would not fit what is there, so nothing can be applied from here",
            "bring .nself/secrets.toml back from where it was applied first",
        )]),
    }
}

pub(super) fn modes(facts: &Facts) -> Verdict {
    let mut findings = Vec::new();
    for PathFact { path, kind, mode, changed: _ } in &facts.paths {
        let shown = path.display();
        let mut restrict = |wanted: u32, what: String, why: &str| {
            let fix = Fix::Restrict { path: path.clone(), mode: wanted };
            let remedy = format!("{fix}, or nself doctor --fix");
            findings.push(Finding::new(Level::Error, what, why, remedy).fixed_by(fix));
        };
        match kind {
            Kind::PrivateFolder if mode & OTHERS != 0 => restrict(
                0o700,
                format!("others may look into {shown} (mode {mode:o})"),
                "the project's secrets are in it",
            ),
            Kind::PrivateFile if mode & OTHERS != 0 => restrict(
                0o600,
                format!("others may read {shown} (mode {mode:o})"),
                "secrets are in it",
            ),
            Kind::Configuration if mode & WORLD_READS != 0 => {
                let literals = facts.state().map(literals).unwrap_or_default();
                if let Some((variable, place)) = literals.first() {
                    let name = variable.to_lowercase();
                    findings.push(Finding::new(
                        Level::Warning,
                        format!(
                            "{place} gives {variable} as plain text, and everybody may read it"
                        ),
                        "a secret in the file is a secret in every copy of it",
                        format!(
                            "nself secret set {name}, then {variable} = \"${{secret.{name}}}\""
                        ),
                    ));
                }
            }
            Kind::PrivateFolder | Kind::PrivateFile | Kind::Configuration => {}
        }
    }
    Verdict::of(findings, "only their owner can read them")
}

pub(super) fn git(facts: &Facts) -> Verdict {
    let Some(Git { secrets, ignored, tracked }) = &facts.git else {
        return Verdict::Well("not in a repository".to_owned());
    };
    let shown = secrets.display();
    if *tracked {
        return Verdict::Found(vec![Finding::new(
            Level::Error,
            format!("{shown} is in the repository"),
            "whoever has a copy of it has the secrets, also from its history",
            format!("git rm -r --cached {shown}, commit, and give the secrets other values"),
        )]);
    }
    if *ignored {
        return Verdict::Well(format!("git leaves {shown} alone"));
    }
    let fix = Fix::IgnoreFolder { folder: secrets.clone() };
    let why = "the next git add takes the secrets along";
    let finding = Finding::new(
        Level::Error,
        format!("git does not ignore {shown}"),
        why,
        format!("{fix}, or nself doctor --fix"),
    );
    Verdict::Found(vec![finding.fixed_by(fix)])
}

/// Returns variables that sound like secrets and are written out, with the place.
fn literals(state: &ProjectState) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for container in state.desired.containers() {
        let id = ResourceId::Container(container.name.clone());
        for (name, value) in &container.env {
            let path = crate::desired::Field::Env.key(name);
            let origin = state.desired.origins.get(&(id.clone(), path));
            let Some(origin @ Origin::File { .. }) = origin else { continue };
            let upper = name.to_uppercase();
            let sounds = SECRET_WORDS.iter().any(|word| upper.ends_with(word));
            if sounds && value.as_plain().is_some_and(|text| !text.is_empty()) {
                found.push((name.clone(), origin.brief()));
            }
        }
    }
    found
}
