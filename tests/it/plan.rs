//! What a plan says and which steps it has: `NAME.toml` is the file as it is now, `NAME.before` what was
//! applied before, and each `# did: …` line something that somebody did to the engine in between.
//!
//! A world is simulated; `world.rs` of that engine says what can be done to it.

use std::{collections::BTreeSet, fmt::Write as _};

use nself::{
    controller::{
        Pass,
        pass::{self, Brief, Goal},
    },
    desired::{Desired, Facts, NAMELESS_VOLUME, Path},
    engine::{Engine as _, sim::Sim},
    model::{ByteSize, Digest, Keyring, Millis, SecretName, Sensitive, ServiceName},
    observed::{Disk, Observed, PortHolder, PortUser, State},
    plan::{Past, Plan, Policy},
    report::{self, Style},
    spec::{Input, Source, parse},
};
use tokio_util::sync::CancellationToken;

use crate::case;

#[tokio::test]
async fn plans_read_like_this() {
    let mut failed = Vec::new();
    for path in case::paths("plan") {
        let (sim, mut desired, asked) = scene(&path).await;
        let keyring = keyring(&desired);
        let (_, plan) = look(&sim, &mut desired, &keyring, &asked).await;
        let shown = report::plan(&plan, 0, Style::plain()) + &steps(&plan);
        // What is planned is possible, and then there is nothing left but what is held.
        let rest = converge(&sim, &mut desired, plan, &keyring, &asked).await;
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

/// Returns the world of a case, what should be in it, and what is allowed.
async fn scene(path: &std::path::Path) -> (Sim, Desired, Asked) {
    let now = case::input(path);
    let sim = Sim::default();
    if let Ok(before) = std::fs::read(path.with_extension("before")) {
        let before = Input { main: Source::new("nself.toml", before), ..now.clone() };
        apply(&sim, &before).await;
    }
    let text = now.main.text().into_owned();
    for deed in header(&text, "did") {
        happen(&sim, deed);
    }
    let mut desired = compile(&now);
    if let Some(share) = header(&text, "refuse-over").next() {
        desired.refuse_over(share.parse().unwrap());
    }
    (sim, desired, Asked::read(&text))
}

/// Returns what is seen and planned in every case, by its name.
pub(crate) async fn passes() -> Vec<(String, Pass)> {
    let mut passes = Vec::new();
    for path in case::paths("plan") {
        let (sim, mut desired, asked) = scene(&path).await;
        let keyring = keyring(&desired);
        let (observed, plan) = look(&sim, &mut desired, &keyring, &asked).await;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let pass = Pass {
            facts: Facts::default(),
            desired,
            observed,
            plan,
            looked_ms: 0,
            warnings: Vec::new(),
        };
        passes.push((name, pass));
    }
    passes
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

/// What a person asks of an apply: `# allow: RELEASE`, `# target: SERVICE`, and what past ones took:
/// `# past: RESOURCE MILLISECONDS…`.
#[derive(Default)]
pub(crate) struct Asked {
    policy: Policy,
    targets: BTreeSet<ServiceName>,
    past: Past,
}

impl Asked {
    /// Returns what is asked by somebody who allows so much and nothing else.
    pub(crate) fn allowing(policy: &Policy) -> Self {
        Self { policy: policy.clone(), ..Self::default() }
    }

    fn read(text: &str) -> Self {
        let allow = header(text, "allow").map(|release| release.parse().unwrap()).collect();
        let targets = header(text, "target").map(|name| name.parse().unwrap()).collect();
        let past = header(text, "past").map(|line| {
            let (id, times) = line.split_once(' ').unwrap();
            let times = times.split(' ').map(|time| Millis(time.parse().unwrap()));
            (id.parse().unwrap(), times.collect())
        });
        Self { policy: Policy { allow }, targets, past: Past(past.collect()) }
    }

    pub(crate) fn brief<'a>(&'a self, keyring: &'a Keyring) -> Brief<'a> {
        let Self { policy, targets, past } = self;
        Brief { targets, past, ..Brief::new(&Goal::Converge, keyring, policy) }
    }
}

/// Returns what stands behind `# KEY: ` in a case.
fn header<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("# {key}: ");
    text.lines().filter_map(move |line| line.strip_prefix(&start))
}

pub(crate) async fn look(
    sim: &Sim,
    desired: &mut Desired,
    keyring: &Keyring,
    asked: &Asked,
) -> (Observed, Plan) {
    sim.unlock(keyring);
    pass::look(sim, desired, &asked.brief(keyring)).await.unwrap()
}

pub(crate) async fn converge(
    sim: &Sim,
    desired: &mut Desired,
    plan: Plan,
    keyring: &Keyring,
    asked: &Asked,
) -> Plan {
    let cancel = CancellationToken::new();
    let brief = asked.brief(keyring);
    pass::converge(sim, desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap().1
}

pub(crate) async fn apply(sim: &Sim, input: &Input) {
    let mut desired = compile(input);
    let keyring = keyring(&desired);
    let (_, plan) = look(sim, &mut desired, &keyring, &Asked::default()).await;
    let rest = converge(sim, &mut desired, plan, &keyring, &Asked::default()).await;
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
        // What its image asks for, the engine gives.
        ["image-volume", name, path] => {
            let path = nself::desired::Field::Mount.key(path);
            let image = world.find(name).unwrap().seen.image_id.clone();
            let value = nself::desired::Value::plain(NAMELESS_VOLUME);
            world.image_defaults.get_mut(&image).unwrap().insert(path.clone(), value);
            world.tamper(name, path, Some(NAMELESS_VOLUME));
        }
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
        ["memory", total, free] => {
            world.memory = bytes(total);
            world.host.memory_free = Some(bytes(free));
        }
        ["disk", free, total] => {
            world.host.disk = Some(Disk { free: bytes(free), total: bytes(total) });
        }
        ["networks", left] => world.host.networks_left = Some(left.parse().unwrap()),
        ["listen", address, port, name, pid] => world.programs.push(PortHolder {
            address: (*address).to_owned(),
            port: port.parse().unwrap(),
            protocol: "tcp".to_owned(),
            by: PortUser::Program { name: (*name).to_owned(), pid: pid.parse().unwrap() },
        }),
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

fn bytes(size: &str) -> u64 {
    size.parse::<ByteSize>().unwrap().0
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
