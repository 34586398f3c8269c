//! What an engine says of its containers, networks, volumes and images.

use std::{collections::BTreeMap, sync::LazyLock};

use nself::{
    desired::{self, Compiled, Desired, Facts, Path},
    diff,
    engine::docker,
    model::{Keyring, ResourceId},
    observed::{LiveFields, Observed, Request},
    plan::{self, Op, Past, Policy, Target},
    report::{self, Style},
    spec::{self, Input, Source},
};
use serde_json::Value as Json;

/// A project that wants some of everything.
const PROJECT: &str = r#"
[project]
name = "shop"

[services.postgres]

[services.api]
image = "acme/api:1"
port = 8080
route = "api"
publish = ["127.0.0.1:8080:8080"]
env = { URL = "${postgres.url}", LEVEL = "debug" }
volumes = { data = "/data" }
limits = { memory = "256M" }

[services.tick]
kind = "job"
image = "acme/api:1"
command = ["tick"]
"#;

/// Reads the answers, and plans from what they say.
///
/// # Panics
/// When a compared path does not read back, when a value of an environment is shown, when the order of
/// the answers matters, or when a plan touches what is not ours.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let desired = &*DESIRED;
    let request = Request::of(desired, false);
    let observed = match docker::recorded(text, &request) {
        Ok(observed) => observed,
        Err(why) => {
            let lines = text.split('\n').count();
            assert!(why.line <= lines, "{why} of {lines}");
            assert!(why.to_string().len() < 120, "{why}");
            return;
        }
    };
    let all = observed.containers.iter().map(|container| &container.fields);
    let all = all.chain(observed.networks.iter().map(|network| &network.fields));
    all.chain(observed.volumes.iter().map(|volume| &volume.fields)).for_each(paths_read_back);
    if let Ok(json) = serde_json::from_str::<Json>(text) {
        quiet(text, &json, &observed);
        any_order(json, &request);
    }
    planned(desired, &observed);
}

static DESIRED: LazyLock<Desired> = LazyLock::new(desired);

fn desired() -> Desired {
    let main = Source::new("nself.toml", PROJECT);
    let input = Input { main, overlay: None, environment: None, process: BTreeMap::new() };
    let spec = spec::parse(&input).expect("it is a good project").spec;
    let Compiled { desired, .. } =
        desired::compile(&spec, &Facts::default()).expect("it is a good project");
    desired
}

fn paths_read_back(fields: &LiveFields) {
    for path in fields.0.keys() {
        assert_eq!(Path::parse(&path.to_string()).as_ref(), Some(path));
    }
}

/// What stands in one environment and nowhere else in the answers is not shown. Values that begin in this
/// way stand in no other text by chance.
fn quiet(text: &str, json: &Json, observed: &Observed) {
    let shown = format!("{observed:?}");
    let inspections = json["inspections"].as_array().into_iter().flatten();
    let entries = inspections.flat_map(|one| one["Config"]["Env"].as_array().into_iter().flatten());
    for (_, value) in entries.filter_map(Json::as_str).filter_map(|entry| entry.split_once('=')) {
        if value.starts_with("k3y-") && text.matches(value).count() == 1 {
            assert!(!shown.contains(value), "{value} is shown");
        }
    }
}

/// Engines list things as they please.
fn any_order(mut json: Json, request: &Request) {
    // Written anew, since a number may lose a digit by that.
    let read = |json: &Json| docker::recorded(&json.to_string(), request);
    let Ok(observed) = read(&json) else { return };
    let inspections = json.get_mut("inspections").and_then(Json::as_array_mut);
    let Some(inspections) = inspections else { return };
    inspections.reverse();
    let again = read(&json).expect("it was read before");
    let mut ids: Vec<_> = again.containers.iter().map(|one| (&one.name, &one.id)).collect();
    let count = ids.len();
    ids.dedup();
    assert!(ids.len() < count || again.containers == observed.containers);
}

/// A plan can be made of whatever is there, and touches nothing of others.
fn planned(desired: &Desired, observed: &Observed) {
    let keyring = Keyring::default();
    let changes = diff::diff(desired, observed, &keyring);
    let (policy, past) = (Policy::default(), Past::default());
    let plan = plan::plan(desired, observed, changes, &policy, &past, &keyring);
    report::plan(&plan, 0, Style::plain());
    for step in &plan.steps {
        match &step.op {
            Op::Stop { container, .. }
            | Op::RemoveContainer(container)
            | Op::Restart(container)
            | Op::Rename { container, .. }
            | Op::Update { container, .. } => ours(observed, container),
            Op::RemoveVolume { name } => {
                let its = |id: &ResourceId| *id == ResourceId::Volume(name.clone());
                let mut volumes = observed.volumes.iter();
                let volume = volumes.find(|volume| volume.name == *name);
                assert!(volume.is_none_or(|volume| volume.owner.is_ours()), "{step:?}");
                let record = observed.record.as_ref();
                let known = record.is_some_and(|record| record.resources.iter().any(its));
                assert!(known || volume.is_some_and(|volume| volume.disposable), "{step:?}");
            }
            Op::RemoveNetwork { id } => {
                let mut networks = observed.networks.iter();
                let network = networks.find(|network| network.id == *id);
                assert!(network.is_some_and(|network| network.owner.is_ours()), "{step:?}");
            }
            _ => {}
        }
    }
}

fn ours(observed: &Observed, target: &Target) {
    let Target::Id { id, .. } = target else { return };
    let mut containers = observed.containers.iter().filter(|one| one.id == *id).peekable();
    assert!(containers.peek().is_some(), "{id} is not there");
    // Of two with one id, nobody knows which it is.
    assert!(containers.any(|one| one.owner.is_ours()), "{id} is not ours");
}
