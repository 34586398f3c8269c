//! What only nself has to say of a plan: verdicts, movers, effects, holds, steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{FORMAT_VERSION, change::steps};
use crate::{
    diff::{Change, Effect, FieldChange, LeftOut, Mover},
    model::{Origin, ResourceId},
    plan::{Away, Capacity, Finding, Held, Plan},
    report::{
        step,
        value::shown,
        verdict::{self, Summary, Verdict},
    },
};

/// What only nself has to say of a plan.
#[derive(Serialize, JsonSchema)]
pub(super) struct Own {
    /// The version of the shape of this part.
    format_version: &'static str,
    /// The project, and the environment where it has one.
    title: String,
    /// The engine that was looked at.
    engine: Engine,
    /// How many applies changed something before.
    generation: u64,
    /// How long looking took, in milliseconds.
    looked_ms: u64,
    /// How many resources meet which verdict, and how many are `unchanged`.
    summary: BTreeMap<&'static str, usize>,
    /// By address, what happens to each resource that differs, and to those that follow it.
    changes: BTreeMap<String, OwnChange>,
    /// What waits for a person's word.
    held: Vec<HeldJson>,
    /// By address, why something cannot be done for now.
    blocked: BTreeMap<String, String>,
    /// Whether a policy refuses all of it.
    refused: bool,
    /// What policies find.
    policy: Vec<FindingJson>,
    /// The services it is for; empty for all.
    targets: Vec<String>,
    /// What differs and is left out, because it is about other services.
    left_out: Vec<LeftOutJson>,
    /// What is asked of the engine's machine.
    capacity: CapacityJson,
    /// What one should know although nothing is to be done about it.
    notes: Vec<NoteJson>,
    /// The calls to the engine, in order.
    steps: Vec<StepJson>,
}

/// An engine.
#[derive(Serialize, JsonSchema)]
struct Engine {
    /// Its name and version.
    name: String,
    /// The version of its API.
    api: String,
    /// Its address.
    address: String,
}

/// What is asked of the engine's machine, in bytes; what is not known is left out.
#[derive(Serialize, JsonSchema)]
struct CapacityJson {
    /// How much more memory the limits allow; negative for less.
    memory_more: i64,
    /// How much memory is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_free: Option<u64>,
    /// How many networks are made.
    networks_more: usize,
    /// How many the address pools still hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    networks_left: Option<u32>,
    /// How much of the engine's disk is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_free: Option<u64>,
    /// How much of it has to stay free.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_floor: Option<u64>,
}

/// What happens to one resource.
#[derive(Serialize, JsonSchema)]
struct OwnChange {
    /// In one word.
    verdict: Verdict,
    /// Why.
    reason: String,
    /// Who is behind it, where it is about the whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    mover: Option<MoverJson>,
    /// The fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldJson>,
    /// The names of objects beside it that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<String>,
    /// How long it is going to be away, in milliseconds; `null` for not known yet, absent where nothing
    /// runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    away_ms: Option<serde_json::Value>,
}

/// One field that differs.
#[derive(Serialize, JsonSchema)]
struct FieldJson {
    /// Its path, as in `before` and `after` of the resource.
    path: Vec<String>,
    /// How it is, as people read it; a secret as its fingerprint.
    before: String,
    /// How it should be.
    after: String,
    /// How it was last applied, where that is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_applied: Option<String>,
    /// Who moved it.
    mover: MoverJson,
    /// What it takes to put right.
    effect: EffectJson,
    /// Where the wanted value comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginJson>,
}

/// Where a value comes from.
#[derive(Serialize, JsonSchema)]
struct OriginJson {
    /// In few words.
    text: String,
    /// The file it is written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The line there, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// Something that waits for a person's word.
#[derive(Serialize, JsonSchema)]
struct HeldJson {
    /// The resource.
    address: String,
    /// What would happen.
    what: String,
    /// What releases it: the word behind `--allow`.
    allow: String,
}

/// What a policy finds.
#[derive(Serialize, JsonSchema)]
struct FindingJson {
    /// The policy's name.
    policy: String,
    /// What comes of it: `hold`, `refuse` or `warn`.
    effect: &'static str,
    /// The resource, where it is about one.
    address: Option<String>,
    /// Why.
    why: String,
    /// Where the value is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginJson>,
    /// Where the policy is written.
    rule: OriginJson,
}

/// Something that is left out.
#[derive(Serialize, JsonSchema)]
struct LeftOutJson {
    /// The resource.
    address: String,
    /// The service it is of.
    service: Option<String>,
    /// What differs.
    reason: String,
}

/// Something to know.
#[derive(Serialize, JsonSchema)]
struct NoteJson {
    /// About which resource.
    address: String,
    /// What.
    text: String,
}

/// One call to the engine.
#[derive(Serialize, JsonSchema)]
struct StepJson {
    /// The resource it is for.
    address: String,
    /// What it does.
    what: String,
    /// Why.
    why: String,
    /// The steps before it, by their place in the list.
    after: Vec<usize>,
}

/// Who moved something.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MoverJson {
    /// The file changed.
    You,
    /// Somebody changed the engine.
    Drift,
    /// Both.
    Both,
    /// Nothing is remembered that would tell.
    Unknown,
}

/// What it takes to put a field right.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EffectJson {
    /// A call; the container goes on running.
    InPlace,
    /// New files and a signal.
    Reload,
    /// A stop and a start.
    Restart,
    /// A new container in the place of the old one.
    Recreate,
    /// The same, and data may be lost or left behind.
    DataAtRisk,
}

impl Own {
    /// Returns what there is to say of a plan.
    pub(super) fn of(plan: &Plan, looked_ms: u64) -> Self {
        let Summary { counts, unchanged } = Summary::of(plan);
        let mut summary: BTreeMap<&'static str, usize> =
            counts.into_iter().map(|(verdict, count)| (key(verdict), count)).collect();
        summary.insert("unchanged", unchanged);
        let mut changes: BTreeMap<String, OwnChange> =
            plan.changes.changes.iter().map(|change| own_change(plan, change)).collect();
        for (id, (verdict, why)) in verdict::followers(plan) {
            let reason = why.to_owned();
            let follower = OwnChange {
                verdict,
                reason,
                mover: None,
                fields: Vec::new(),
                leftovers: Vec::new(),
                away_ms: away(plan, id),
            };
            changes.insert(id.to_string(), follower);
        }
        Self {
            format_version: FORMAT_VERSION,
            title: plan.title.clone(),
            engine: Engine {
                name: plan.engine.name.clone(),
                api: plan.engine.api.clone(),
                address: plan.engine.address.clone(),
            },
            generation: plan.generation(),
            looked_ms,
            summary,
            changes,
            held: plan.held.iter().map(HeldJson::of).collect(),
            blocked: plan.blocked.iter().map(|(id, why)| (id.to_string(), why.clone())).collect(),
            capacity: CapacityJson::of(&plan.capacity),
            refused: plan.is_refused(),
            policy: plan.findings.iter().map(FindingJson::of).collect(),
            targets: plan.changes.targets.iter().map(ToString::to_string).collect(),
            left_out: plan.changes.left_out.iter().map(LeftOutJson::of).collect(),
            notes: plan
                .changes
                .notes
                .iter()
                .map(|note| NoteJson { address: note.id.to_string(), text: note.text.clone() })
                .collect(),
            steps: plan
                .steps
                .iter()
                .map(|one| StepJson {
                    address: one.group.to_string(),
                    what: step(one),
                    why: one.why.clone(),
                    after: one.after.iter().copied().collect(),
                })
                .collect(),
        }
    }

    /// Returns the same without its steps.
    pub(super) fn without_steps(mut self) -> Self {
        self.steps.clear();
        self
    }
}

fn away(plan: &Plan, id: &ResourceId) -> Option<serde_json::Value> {
    plan.away.get(id).map(|away| match away {
        Away::Not => 0.into(),
        Away::About(millis) => millis.0.into(),
        Away::Unknown => serde_json::Value::Null,
    })
}

impl CapacityJson {
    fn of(capacity: &Capacity) -> Self {
        let Capacity { memory_more, memory_free, networks_more, networks_left, disk } = *capacity;
        Self {
            memory_more,
            memory_free,
            networks_more,
            networks_left,
            disk_free: disk.map(|disk| disk.free),
            disk_floor: disk.map(crate::observed::Disk::floor),
        }
    }
}

impl FindingJson {
    fn of(finding: &Finding) -> Self {
        let Finding { policy, effect, id, why, origin, rule } = finding;
        Self {
            policy: policy.to_string(),
            effect: effect.word(),
            address: id.as_ref().map(ToString::to_string),
            why: why.clone(),
            origin: origin.as_ref().map(OriginJson::of),
            rule: OriginJson::of(rule),
        }
    }
}

impl LeftOutJson {
    fn of(left: &LeftOut) -> Self {
        let LeftOut { change, service } = left;
        let fields: Vec<String> = change.fields.iter().map(|one| one.path.to_string()).collect();
        let differs = || format!("{} differs", fields.join(", "));
        let reason = if fields.is_empty() { change.reason.clone() } else { differs() };
        let service = service.as_ref().map(ToString::to_string);
        Self { address: change.id.to_string(), service, reason }
    }
}

impl HeldJson {
    fn of(held: &Held) -> Self {
        Self {
            address: held.id.to_string(),
            what: held.what.clone(),
            allow: held.release.to_string(),
        }
    }
}

fn own_change(plan: &Plan, change: &Change) -> (String, OwnChange) {
    let own = OwnChange {
        verdict: Verdict::of(plan, change),
        reason: change.reason.clone(),
        mover: change.mover.map(MoverJson::of),
        fields: change.fields.iter().map(FieldJson::of).collect(),
        leftovers: change.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
        away_ms: away(plan, &change.id),
    };
    (change.id.to_string(), own)
}

impl FieldJson {
    fn of(change: &FieldChange) -> Self {
        let FieldChange { path, before, after, last, mover, origin, effect } = change;
        Self {
            path: steps(path),
            before: shown(path, before),
            after: shown(path, after),
            last_applied: last.as_ref().map(|last| shown(path, last)),
            mover: MoverJson::of(*mover),
            effect: EffectJson::of(*effect),
            origin: origin.as_ref().map(OriginJson::of),
        }
    }
}

impl OriginJson {
    fn of(origin: &Origin) -> Self {
        let (file, line) = match origin {
            Origin::File { file, line, .. } => (Some(file.to_string()), Some(*line)),
            Origin::Kind(_) | Origin::Default | Origin::Computed(_) => (None, None),
        };
        Self { text: origin.brief(), file, line }
    }
}

impl MoverJson {
    fn of(mover: Mover) -> Self {
        match mover {
            Mover::You => Self::You,
            Mover::Drift => Self::Drift,
            Mover::Both => Self::Both,
            Mover::Unknown => Self::Unknown,
        }
    }
}

impl EffectJson {
    fn of(effect: Effect) -> Self {
        match effect {
            Effect::InPlace => Self::InPlace,
            Effect::Reload => Self::Reload,
            Effect::Restart => Self::Restart,
            Effect::Recreate => Self::Recreate,
            Effect::DataAtRisk => Self::DataAtRisk,
        }
    }
}

/// Returns a verdict as it stands in JSON.
fn key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InPlace => "in_place",
        Verdict::NotChecked => "not_checked",
        other => other.word(),
    }
}
