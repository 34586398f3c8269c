//! Configurations and what should exist because of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use nself::{
    desired::{self, Compiled, Desired, Facts, Field, SecretNeed, Value},
    model::{Digest, Part, ResourceId, Text},
    report::diagnostic::{Colour, text},
    spec::{Input, Parsed, Source, Spec, parse},
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

#[test]
fn a_login_is_closed_after_everybody_has_gone_over() {
    let text = "[project]\nname = \"shop\"\n[services.postgres]\n[services.redis]\n\
                [services.api]\nimage = \"a:1\"\nenv = { A = \"${postgres.url}\", B = \"${redis.url}\" }\n\
                [services.web]\nimage = \"a:1\"\nenv = { A = \"${secret.redis_password}\" }\n\
                [services.job]\nkind = \"job\"\nimage = \"a:1\"\nneeds = [\"postgres\"]\n";
    let main = Source { name: "nself.toml".into(), bytes: text.as_bytes().to_vec() };
    let input = Input { main, overlay: None, environment: None, process: BTreeMap::new() };
    let spec = parse(&input).unwrap().spec;
    let names = ["postgres_shop_password", "redis_password", "postgres_password"];
    for turn in 0..4 {
        let turns = names.map(|name| (name.parse().unwrap(), turn)).into();
        let facts = Facts { turns, ..facts(&spec) };
        let Compiled { desired, .. } = desired::compile(&spec, &facts).unwrap();
        assert_eq!(desired::check(&desired), []);
        let order: Vec<String> = desired.order().unwrap().iter().map(ToString::to_string).collect();
        let place = |id: &str| order.iter().position(|other| other == id);
        for (login, users) in [
            ("postgres/login/shop", ["container/shop-api", "container/shop-job"]),
            ("redis/login/default", ["container/shop-api", "container/shop-web"]),
        ] {
            assert_eq!(place(login).is_some(), turn > 0);
            for user in users {
                assert!(turn == 0 || place(user) < place(login), "{user} {login} {order:?}");
            }
        }
    }
}

/// Returns the world as these tests see it: every folder can be read but `services/missing`, and it is
/// the 23rd of November 2026.
pub(crate) fn facts(spec: &Spec) -> Facts {
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

pub(crate) fn compile(input: &Input) -> Desired {
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

fn small(text: &str) -> Spec {
    let input = Input {
        main: Source::new("nself.toml", text),
        overlay: None,
        environment: None,
        process: BTreeMap::new(),
    };
    parse(&input).unwrap().spec
}

/// Returns the images of a project that builds them itself.
fn built(images: &str, facts: &Facts) -> Vec<String> {
    let project = "[project]\nname = \"x\"\n[services.redis]\n[services.mailpit]\n";
    let spec = small(&format!("{project}[images]\nsource = \"build\"\n{images}"));
    let desired = desired::compile(&spec, facts).unwrap().desired;
    assert_eq!(desired::check(&desired), []);
    let images = desired.resources.iter().filter_map(|(id, resource)| match resource {
        desired::Resource::Image(desired::Image { origin, .. }) => {
            let desired::ImageOrigin::Build(build) = origin else { panic!("{id} is pulled") };
            let desired::BuildContext::Recipe(files) = &build.context else { panic!("{id}") };
            assert!(files.contains_key("Dockerfile") && files.contains_key("ca-bundle.crt"));
            assert!(build.args.contains_key("BASE"));
            Some(id.to_string())
        }
        _ => None,
    });
    images.collect()
}

#[test]
fn recipes_are_built_anew_when_what_goes_in_changes() {
    let plain = built("", &Facts::default());
    assert_eq!(plain.len(), 3, "{plain:?}");
    assert!(plain[2].starts_with("image/nself/redis:7-"), "{plain:?}");
    assert_eq!(plain, built("", &Facts::default()));
    let other_base = built("base = \"debian:trixie-slim\"\n", &Facts::default());
    let bundle = built("", &Facts { ca_bundle: "PEM".into(), ..Facts::default() });
    for other in [other_base, bundle] {
        assert!(plain.iter().zip(&other).all(|(one, other)| one != other), "{other:?}");
    }
}

#[test]
fn two_instances_share_no_name() {
    let text = |instance: &str| {
        format!("[project]\nname = \"x\"\n{instance}[services.redis]\n[services.mailpit]\n")
    };
    let names = |instance: &str| {
        let spec = small(&text(instance));
        let desired = desired::compile(&spec, &Facts::default()).unwrap().desired;
        let ids = desired.resources.into_keys();
        ids.filter(|id| !matches!(id, ResourceId::Image(_))).collect::<BTreeSet<_>>()
    };
    assert!(names("").is_disjoint(&names("instance = \"preview\"\n")));
}

#[test]
fn stopped_services_stay_stopped() {
    let spec = small("[project]\nname = \"x\"\n[services.redis]\n");
    let suspended = BTreeSet::from(["redis".parse().unwrap()]);
    let facts = Facts { suspended, ..Facts::default() };
    let desired = desired::compile(&spec, &facts).unwrap().desired;
    assert_eq!(desired.container("x-redis").unwrap().phase, desired::Phase::Suspended);
}
