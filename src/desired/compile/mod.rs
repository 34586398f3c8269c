//! From a [`Spec`] and the catalogue to a [`Desired`]: every choice that is left is made here.
//!
//! No I/O. What was written wins over what a kind says, and that over the defaults of this room; where
//! each value came from is kept beside it.

mod draft;
mod gateway;
mod image;
mod rule;
mod service;
mod settings;

use std::collections::BTreeMap;

use draft::Draft;

use super::{Desired, Facts, Field, Ignore, Path, SecretNeed};
use crate::{
    catalog::Context,
    model::{Diagnostic, Origin, SecretName, Severity, decode::suggest},
    spec::{Day, IgnoreRule, SecretSource, Spec},
};

/// What came of compiling.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// What should exist.
    pub desired: Desired,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Works out everything that should exist.
///
/// # Errors
/// What is wrong with the configuration although every service by itself is good.
pub fn compile(spec: &Spec, facts: &Facts) -> Result<Compiled, Vec<Diagnostic>> {
    let mut draft = Draft::new(spec, facts);
    for (name, service) in &spec.services {
        if !service.is_external() {
            let context = Context { turns: &facts.turns, ..spec.context(name, service) };
            service::add(&mut draft, name, service, &context);
        }
    }
    gateway::add(&mut draft);
    draft.connect();
    let Draft { mut desired, mut problems, .. } = draft;
    desired.ignore = ignore(spec, facts, &mut problems);
    desired.rules = rule::rules(spec);
    desired.secrets = secrets(spec, &desired);
    if let Err(cycle) = desired.order() {
        let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
        let message = format!("resources wait for each other: {}", path.join(" → "));
        problems.push(Diagnostic::error("cycle", message));
    }
    Diagnostic::sort(&mut problems, &spec.file);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    Ok(Compiled { desired, warnings: problems })
}

/// Returns the rules that hold today. One that has run out is only talked about.
fn ignore(spec: &Spec, facts: &Facts, problems: &mut Vec<Diagnostic>) -> Vec<Ignore> {
    let today = Day::of(facts.now);
    let mut rules = Vec::new();
    for IgnoreRule { service, field, reason, until } in &spec.ignore {
        let Some(path) = Path::parse(&field.value) else {
            let known = Field::ALL.iter().map(|field| field.word());
            let note = suggest(&field.value, known)
                .map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            let message = format!("there is no field `{}`", field.value);
            problems.push(
                Diagnostic::error("unknown-field", message).at(&field.origin, note).help(
                    "fields are named as plans show them, such as limits.memory or env.DEBUG",
                ),
            );
            continue;
        };
        if let Some(until) = until.as_ref().filter(|until| until.value < today) {
            let message = format!("`{}` of {} is compared again", field.value, service.value);
            problems.push(
                Diagnostic::warning("rule-expired", message)
                    .at(&until.origin, "this day is over")
                    .help("remove the rule, or give it a later day"),
            );
            continue;
        }
        rules.push(Ignore {
            service: service.value.clone(),
            path,
            reason: reason.value.clone(),
            until: until.as_ref().map(|until| until.value.to_string()),
            origin: field.origin.clone(),
        });
    }
    rules
}

/// Enough for a key of 128 bits in any alphabet that is used.
const SECRET_LENGTH: u16 = 40;

/// Returns every secret that some resource refers to, with where its value comes from.
fn secrets(spec: &Spec, desired: &Desired) -> BTreeMap<SecretName, SecretNeed> {
    let mut needs = desired.secrets.clone();
    for (id, resource) in &desired.resources {
        for (path, text) in resource.texts() {
            for name in text.secrets().filter(|name| !desired.secrets.contains_key(name)) {
                let rule = spec.secrets.get(name);
                let source = rule.and_then(|rule| rule.source.as_ref());
                let need = match source.map(|source| source.value) {
                    Some(SecretSource::Set) => {
                        let origin = desired.origins.get(&(id.clone(), path.clone()));
                        SecretNeed::Given { origin: origin.cloned().unwrap_or(Origin::Default) }
                    }
                    Some(SecretSource::Generate) | None => {
                        let length = rule.and_then(|rule| rule.length.as_ref());
                        SecretNeed::Random { length: length.map_or(SECRET_LENGTH, |l| l.value) }
                    }
                };
                needs.entry(name.clone()).or_insert(need);
            }
        }
    }
    needs
}
