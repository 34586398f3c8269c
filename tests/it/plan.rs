//! What a plan says and which steps it has: `NAME.toml` is the file as it is now, `NAME.before` what was
//! applied before, and each `# did: …` line something that somebody did to the engine in between.
//!
//! A world is simulated; `world.rs` of that engine says what can be done to it.

use std::fmt::Write as _;

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Desired, Facts, Path},
    engine::{Engine as _, sim::Sim},
    model::{Digest, Keyring, SecretName, Sensitive},
    observed::State,
    plan::{Plan, Policy},
    report::{self, Style},
    spec::{Input, Source, parse},
};
use tokio_util::sync::CancellationToken;

use crate::case;

#[tokio::test]
async fn plans_read_like_this() {
    let mut failed = Vec::new();
    for path in case::paths("plan") {
        let now = case::input(&path);
        let sim = Sim::default();
        if let Ok(before) = std::fs::read(path.with_extension("before")) {
            let before = Input { main: Source::new("nself.toml", before), ..now.clone() };
            apply(&sim, &before).await;
        }
        let text = now.main.text().into_owned();
        for deed in text.lines().filter_map(|line| line.strip_prefix("# did: ")) {
            happen(&sim, deed);
        }
        let mut desired = compile(&now);
        let keyring = keyring(&desired);
        let policy = policy(&text);
        let plan = look(&sim, &mut desired, &keyring, &policy).await;
        let shown = report::plan(&plan, 0, Style::plain()) + &steps(&plan);
        // What is planned is possible, and then there is nothing left but what is held.
        let rest = converge(&sim, &mut desired, plan, &keyring, &policy).await;
        assert!(rest.steps.is_empty(), "{}: {:#?}", path.display(), rest.changes);
        if let Err(why) = std::panic::catch_unwind(|| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            case::compare(&format!("plan/{name}.txt"), &shown);
        }) {
            failed.push(why.downcast_ref::<String>().cloned().unwrap_or_default());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

pub(crate) fn compile(input: &Input) -> Desired {
    let spec = parse(input).unwrap_or_else(|problems| panic!("{problems:#?}")).spec;
    let contexts = spec.services.iter().filter_map(|(name, service)| {
        let build = service.settings.build.as_ref()?;
        Some((name.clone(), Digest::of(build.value.context.as_bytes())))
    });
    let facts = Facts { now: 1_795_392_000_000, contexts: contexts.collect(), ..Facts::default() };
    let compiled = nself::desired::compile(&spec, &facts);
    compiled.unwrap_or_else(|problems| panic!("{problems:#?}")).desired
}

/// Every secret has its own name as its value.
pub(crate) fn keyring(desired: &Desired) -> Keyring {
    let value = |name: &SecretName| (name.clone(), Sensitive::new(format!("value of {name}")));
    Keyring::new(Some(Sensitive::new("key")), desired.secrets.keys().map(value).collect())
}

fn policy(text: &str) -> Policy {
    let releases = text.lines().filter_map(|line| line.strip_prefix("# allow: "));
    Policy { allow: releases.map(|release| release.parse().unwrap()).collect() }
}

pub(crate) async fn look(
    sim: &Sim,
    desired: &mut Desired,
    keyring: &Keyring,
    policy: &Policy,
) -> Plan {
    sim.unlock(keyring);
    let brief = Brief { goal: &Goal::Converge, keyring, policy, contents: false };
    pass::look(sim, desired, &brief).await.unwrap().1
}

pub(crate) async fn converge(
    sim: &Sim,
    desired: &mut Desired,
    plan: Plan,
    keyring: &Keyring,
    policy: &Policy,
) -> Plan {
    let brief = Brief { goal: &Goal::Converge, keyring, policy, contents: false };
    let cancel = CancellationToken::new();
    pass::converge(sim, desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap().1
}

pub(crate) async fn apply(sim: &Sim, input: &Input) {
    let mut desired = compile(input);
    let keyring = keyring(&desired);
    let plan = look(sim, &mut desired, &keyring, &Policy::default()).await;
    let rest = converge(sim, &mut desired, plan, &keyring, &Policy::default()).await;
    assert!(rest.is_empty(), "{:#?}", rest.changes);
}

/// Does what a `# did:` line says.
fn happen(sim: &Sim, deed: &str) {
    let mut world = sim.world();
    let words: Vec<&str> = deed.split_whitespace().collect();
    match words.as_slice() {
        ["set", name, path, value] => world.tamper(name, Path::parse(path).unwrap(), Some(value)),
        ["unset", name, path] => world.tamper(name, Path::parse(path).unwrap(), None),
        ["pause", name] => world.set_state(name, State::Paused),
        ["crash", name] => world.set_state(name, State::Restarting { code: 1 }),
        ["kill", name] => world.set_state(name, State::Exited { code: 137, oom: false }),
        ["remove", name] => {
            let id = world.find(name).unwrap().seen.id.clone();
            world.containers.remove(&id);
        }
        ["rename", name, to] => (*to).clone_into(&mut world.find_mut(name).unwrap().seen.name),
        ["disown", name] => world.find_mut(name).unwrap().labels.clear(),
        ["drive", volume, driver] => {
            let fields = &mut world.volumes.get_mut(*volume).unwrap().seen.fields;
            fields.insert(nself::desired::Field::Driver.path(), driver);
        }
        ["guest", template, name] => {
            let mut guest = world.find(template).unwrap().clone();
            guest.seen.id = format!("c{:08}", world.number());
            (*name).clone_into(&mut guest.seen.name);
            guest.labels.clear();
            world.containers.insert(guest.seen.id.clone(), guest);
        }
        ["internal", network] => {
            let (seen, _) =
                world.networks.values_mut().find(|(seen, _)| seen.name == *network).unwrap();
            seen.fields.insert(nself::desired::Field::Internal.path(), true);
        }
        ["forget"] => world.records.clear(),
        ["edit", volume] => {
            let sets = &mut world.volumes.get_mut(*volume).unwrap().sets;
            for stat in sets.values_mut().flat_map(std::collections::BTreeMap::values_mut) {
                stat.untouched = false;
                stat.content = Some(Sensitive::new("edited by hand"));
            }
        }
        _ => panic!("nobody knows how to `{deed}`"),
    }
}

fn steps(plan: &Plan) -> String {
    let mut text = String::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let after: Vec<String> =
            step.after.iter().map(|earlier| (earlier + 1).to_string()).collect();
        let after =
            if after.is_empty() { String::new() } else { format!(" after {}", after.join(" ")) };
        let back = if step.on_failure.is_empty() { "" } else { ", else back" };
        let why = if step.why.is_empty() { String::new() } else { format!(": {}", step.why) };
        writeln!(text, "{:>3} {}{after}{back}{why}", number + 1, report::step(step)).unwrap();
    }
    if text.is_empty() { text } else { format!("\nsteps\n{text}") }
}
