//! Configurations and what should exist because of them.

use std::fmt::Write as _;

use nself::{
    desired::{self, Compiled, Desired, Facts, Field, SecretNeed, Value},
    model::{Digest, Part, Text},
    report::diagnostic::{Colour, text},
    spec::{Input, Parsed, Spec, parse},
};

use crate::case;

#[test]
fn compiled_configurations() {
    case::each("compile", |input| {
        let Parsed { spec, warnings } = match parse(input) {
            Ok(parsed) => parsed,
            Err(problems) => return text(&problems, &case::sources(input), Colour::Plain),
        };
        match desired::compile(&spec, &facts(&spec)) {
            Ok(Compiled { desired, warnings: more }) => {
                assert_eq!(desired::check(&desired), []);
                let warnings: Vec<_> = warnings.into_iter().chain(more).collect();
                text(&warnings, &case::sources(input), Colour::Plain) + &describe(&desired)
            }
            Err(problems) => text(&problems, &case::sources(input), Colour::Plain),
        }
    });
}

/// Returns the world as these tests see it: every folder can be read but `services/missing`, and it is
/// the 23rd of November 2026.
pub fn facts(spec: &Spec) -> Facts {
    let builds = spec.services.iter().filter_map(|(name, service)| {
        let build = service.settings.build.as_ref()?;
        let digest = Digest::of(build.value.context.as_bytes());
        (build.value.context != "services/missing").then(|| (name.clone(), digest))
    });
    Facts {
        now: 1_795_392_000_000,
        contexts: builds.collect(),
        suspended: std::iter::once("suspended".parse().unwrap()).collect(),
        ..Facts::default()
    }
}

pub fn compile(input: &Input) -> Desired {
    let spec = parse(input).unwrap().spec;
    let Compiled { desired, .. } = desired::compile(&spec, &facts(&spec)).unwrap();
    assert_eq!(desired::check(&desired), []);
    desired
}

/// Returns everything about a desired state but the contents of generated files and of builds, which
/// have tests of their own.
fn describe(desired: &Desired) -> String {
    let mut out = String::new();
    for id in desired.order().unwrap() {
        writeln!(out, "{id}").unwrap();
        let resource = &desired.resources[&id];
        for (path, value) in resource.fields().0 {
            let shown = match (&value, path.field) {
                (_, Field::Content | Field::BuiltFrom) => "…".to_owned(),
                (Value::Plain(text), _) => text.clone(),
                (Value::Secret(text), _) => secret(text),
            };
            let origin = desired.origins.get(&(id.clone(), path.clone()));
            let origin = origin.map_or("?".to_owned(), nself::model::Origin::brief);
            writeln!(out, "    {path} = {shown}    [{origin}]").unwrap();
        }
        match resource {
            desired::Resource::Container(container) => {
                writeln!(out, "    ready: {:?} within {}", container.probe, container.ready_within)
                    .unwrap();
            }
            desired::Resource::Image(image) => {
                if let desired::ImageOrigin::Pull(from) = &image.origin {
                    writeln!(out, "    from {from}").unwrap();
                }
            }
            _ => {}
        }
        for (first, reason) in desired.after.get(&id).into_iter().flatten() {
            writeln!(out, "    after {first}: {reason}").unwrap();
        }
    }
    for rule in &desired.ignore {
        writeln!(out, "ignore {}.{} until {:?}", rule.service, rule.path, rule.until).unwrap();
    }
    for (name, need) in &desired.secrets {
        let need = match need {
            SecretNeed::Random { length } => format!("{length} random characters"),
            SecretNeed::Given { origin } => format!("given by a person, for {}", origin.brief()),
            SecretNeed::CertificateChain { hosts, key } => {
                format!("chain for {hosts:?}, key {key}")
            }
            SecretNeed::CertificateKey => "key of a certificate".to_owned(),
        };
        writeln!(out, "secret {name}: {need}").unwrap();
    }
    for url in &desired.urls {
        writeln!(out, "{}: {}", url.service, url.url).unwrap();
    }
    out
}

fn secret(text: &Text) -> String {
    text.0
        .iter()
        .map(|part| match part {
            Part::Plain(text) => text.clone(),
            Part::Secret(name, encoding) => format!("<{name} {encoding:?}>"),
        })
        .collect()
}
