//! What is wrong with a configuration although each of its values can be read.
//!
//! Nothing is changed here, and nothing is decided: what passes is fit to be compiled.

mod address;
mod health;
mod policy;
mod reference;
mod service;
mod watch;

use std::collections::BTreeSet;

use super::{SecretSource, Spec};
use crate::model::{Diagnostic, Origin, SecretName, ServiceName, decode::suggest};

/// Adds everything that is wrong with `spec`. Services in `broken` exist and could not be read; it `is_whole` when all
/// that can refer to secrets could.
pub(super) fn check(
    spec: &Spec,
    broken: &BTreeSet<ServiceName>,
    is_whole: bool,
    problems: &mut Vec<Diagnostic>,
) {
    for (name, one) in &spec.services {
        service::check(spec, name, one, problems);
        health::check(name, one, problems);
    }
    containers(spec, problems);
    reference::check(spec, broken, problems);
    address::check(spec, problems);
    ignore(spec, broken, problems);
    secrets(spec, is_whole, problems);
    policy::check(spec, broken, problems);
    watch::check(spec, problems);
    for recipient in &spec.vault.recipients {
        if !recipient.value.starts_with("age1") {
            let message = format!("`{}` is no age recipient", recipient.value);
            let problem = Diagnostic::error("bad-recipient", message)
                .at(&recipient.origin, "age1 and 58 more characters")
                .help("age-keygen -y KEY_FILE shows the recipient of a key");
            problems.push(problem);
        }
    }
}

/// No machine runs so many; the next mistake is a number with a digit too many.
const MOST_CONTAINERS: usize = 10_000;

fn containers(spec: &Spec, problems: &mut Vec<Diagnostic>) {
    let count: usize = spec.services.values().map(|one| usize::from(one.replicas())).sum();
    if count <= MOST_CONTAINERS {
        return;
    }
    let message = format!("{count} containers are asked for; at most {MOST_CONTAINERS} are");
    let most = spec.services.values().max_by_key(|one| one.replicas());
    let origin = most.and_then(|one| one.settings.replicas.as_ref()).map(|it| &it.origin);
    let problem = Diagnostic::error("too-many", message).help("lower `replicas`");
    problems.push(match origin {
        Some(origin) => problem.at(origin, ""),
        None => problem,
    });
}

fn ignore(spec: &Spec, broken: &BTreeSet<ServiceName>, problems: &mut Vec<Diagnostic>) {
    for rule in &spec.ignore {
        if !spec.services.contains_key(&rule.service.value) && !broken.contains(&rule.service.value)
        {
            problems.push(unknown_service(spec, &rule.service.value, &rule.service.origin));
        }
        if rule.reason.value.trim().is_empty() {
            let message = "a rule that ignores something says why";
            problems.push(Diagnostic::error("empty", message).at(&rule.reason.origin, ""));
        }
    }
}

/// Shorter secrets can be guessed; longer ones are refused by some clients.
const SECRET_LENGTH: std::ops::RangeInclusive<u16> = 16..=256;

fn secrets(spec: &Spec, is_whole: bool, problems: &mut Vec<Diagnostic>) {
    let used = used_secrets(spec);
    for (name, rule) in &spec.secrets {
        if let Some(length) = &rule.length {
            if !SECRET_LENGTH.contains(&length.value) {
                let (min, max) = SECRET_LENGTH.into_inner();
                let message = format!("a secret has {min} to {max} characters");
                problems.push(Diagnostic::error("out-of-range", message).at(&length.origin, ""));
            }
            if let Some(source) = &rule.source
                && source.value == SecretSource::Set
            {
                let message = format!("the length of `{name}` means nothing: a person sets it");
                problems.push(
                    Diagnostic::warning("no-effect", message)
                        .at(&length.origin, "")
                        .at(&source.origin, ""),
                );
            }
        }
        let place = rule.source.as_ref().map(|source| &source.origin);
        let place = place.or_else(|| rule.length.as_ref().map(|length| &length.origin));
        if let Some(place) = place
            && is_whole
            && !used.contains(name)
        {
            let message = format!("nothing refers to the secret `{name}`");
            problems.push(
                Diagnostic::warning("unused", message)
                    .at(place, "")
                    .help(format!("refer to it as ${{secret.{name}}}")),
            );
        }
    }
}

/// Returns the secrets that something refers to, also those that only kinds of services know of.
fn used_secrets(spec: &Spec) -> BTreeSet<SecretName> {
    let mut used: BTreeSet<SecretName> = spec.watch.secrets().into_keys().cloned().collect();
    for (name, service) in &spec.services {
        for (reference, _) in reference::of(service) {
            if let super::Reference::Secret(secret) = reference {
                used.insert(secret.clone());
            }
        }
        for (_, text) in spec.offers(name, service, crate::catalog::NO_TURNS) {
            used.extend(text.secrets().cloned());
        }
        let blueprint = service.options.blueprint(&spec.context(name, service));
        let files = blueprint.generated.iter().flat_map(|generated| generated.files.values());
        let texts = blueprint
            .env
            .values()
            .chain(files.map(|file| &file.content))
            .chain(blueprint.inner.iter().flat_map(|inner| inner.attributes.values()));
        used.extend(texts.flat_map(|text| text.secrets().cloned()));
    }
    used
}

fn unknown_service(spec: &Spec, name: &ServiceName, place: &Origin) -> Diagnostic {
    let known = spec.services.keys().map(ServiceName::as_str);
    let note = suggest(name.as_str(), known).map(|near| format!("did you mean `{near}`?"));
    let problem = Diagnostic::error("unknown-service", format!("there is no service `{name}`"));
    match note {
        Some(note) => problem.at(place, note),
        None => problem.at(place, "").help(format!("add it: [services.{name}]")),
    }
}
