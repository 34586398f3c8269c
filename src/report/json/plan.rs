//! A plan, and drift, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::change::{PlannedResource, ResourceChange, steps};
use crate::{
    controller::Pass,
    desired::Fields,
    diff::{Action, Change, FieldChange, Mover},
    model::{Origin, ResourceId},
    plan::{Capacity, Plan},
    report::{
        field, step,
        value::shown,
        verdict::{self, Summary, Verdict},
    },
};

/// The version of Terraform's representation that is followed.
const FORMAT_VERSION: &str = "1.2";

#[derive(Serialize)]
struct PlanJson {
    format_version: &'static str,
    applyable: bool,
    complete: bool,
    errored: bool,
    planned_values: PlannedValues,
    resource_drift: Vec<ResourceChange>,
    resource_changes: Vec<ResourceChange>,
    deferred_changes: Vec<DeferredChange>,
    nself: Own,
}

#[derive(Serialize)]
struct PlannedValues {
    root_module: Module,
}

#[derive(Serialize)]
struct Module {
    resources: Vec<PlannedResource>,
}

/// What this plan does not do: it is held, waits for something held, or cannot be seen yet.
#[derive(Serialize)]
struct DeferredChange {
    reason: &'static str,
    resource_change: ResourceChange,
}

/// What only nself has to say.
#[derive(Serialize)]
struct Own {
    title: String,
    engine: Engine,
    generation: u64,
    looked_ms: u64,
    summary: BTreeMap<&'static str, usize>,
    changes: BTreeMap<String, OwnChange>,
    held: Vec<HeldJson>,
    blocked: BTreeMap<String, String>,
    notes: Vec<NoteJson>,
    capacity: CapacityJson,
    steps: Vec<StepJson>,
}

#[derive(Serialize)]
struct Engine {
    name: String,
    api: String,
    address: String,
}

/// What is asked of the engine's machine, in bytes; what is not known is left out.
#[derive(Serialize)]
struct CapacityJson {
    memory_more: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_free: Option<u64>,
    networks_more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    networks_left: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_free: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_floor: Option<u64>,
}

#[derive(Serialize)]
struct OwnChange {
    verdict: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mover: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<String>,
}

#[derive(Serialize)]
struct FieldJson {
    path: Vec<String>,
    before: String,
    after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_applied: Option<String>,
    mover: &'static str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginJson>,
}

#[derive(Serialize)]
struct OriginJson {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

#[derive(Serialize)]
struct HeldJson {
    address: String,
    what: String,
    allow: String,
}

#[derive(Serialize)]
struct NoteJson {
    address: String,
    text: String,
}

#[derive(Serialize)]
struct StepJson {
    address: String,
    what: String,
    why: String,
    after: Vec<usize>,
}

/// Returns a plan in Terraform's representation.
pub fn plan(pass: &Pass) -> String {
    let plan = &pass.plan;
    let mut entries: BTreeMap<&ResourceId, ResourceChange> = BTreeMap::new();
    let mut deferred = Vec::new();
    for change in &plan.changes.changes {
        let entry = ResourceChange::of(plan, change, wanted(pass, &change.id).as_ref());
        let reason = match Verdict::of(plan, change) {
            Verdict::Held => "held",
            Verdict::Blocked => "blocked",
            Verdict::Deferred => "absent_prereq",
            Verdict::NotChecked => "unknown",
            _ => {
                entries.insert(&change.id, entry);
                continue;
            }
        };
        deferred.push(DeferredChange { reason, resource_change: entry });
    }
    for id in &plan.changes.unchanged {
        entries.insert(id, ResourceChange::unchanged(id, wanted(pass, id).as_ref()));
    }
    super::text(&PlanJson {
        format_version: FORMAT_VERSION,
        applyable: !plan.steps.is_empty(),
        complete: deferred.is_empty(),
        errored: false,
        planned_values: planned(pass),
        resource_drift: drifted(pass),
        resource_changes: entries.into_values().collect(),
        deferred_changes: deferred,
        nself: own(plan, pass.looked_ms),
    })
}

/// Returns what moved, in the shape of a plan without a plan's changes.
pub fn drift(pass: &Pass) -> String {
    #[derive(Serialize)]
    struct DriftJson {
        format_version: &'static str,
        drifted: bool,
        resource_drift: Vec<ResourceChange>,
        nself: Own,
    }
    let resource_drift = drifted(pass);
    let mut own = own(&only_drift(&pass.plan), pass.looked_ms);
    // A plan's steps are not drift's business: nobody is going to take them.
    own.steps.clear();
    super::text(&DriftJson {
        format_version: FORMAT_VERSION,
        drifted: !resource_drift.is_empty(),
        resource_drift,
        nself: own,
    })
}

/// Returns what is left of a plan without what the file moved: what a person changed there is no drift.
fn only_drift(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.changes.changes.retain(Change::is_drift);
    for change in &mut plan.changes.changes {
        change.fields.retain(|field| field.mover != Mover::You);
        let most = change.fields.iter().map(|field| field.effect).max();
        if let (Action::Change(effect), Some(most)) = (&mut change.action, most) {
            *effect = most;
        }
    }
    let moved: BTreeSet<ResourceId> = plan.changes.changes.iter().map(|c| c.id.clone()).collect();
    plan.steps.retain(|step| moved.contains(&step.group));
    plan.held.retain(|held| moved.contains(&held.id));
    plan.blocked.retain(|id, _| moved.contains(id));
    plan
}

fn wanted(pass: &Pass, id: &ResourceId) -> Option<Fields> {
    pass.desired.resources.get(id).map(crate::desired::Resource::fields)
}

fn planned(pass: &Pass) -> PlannedValues {
    let resources = pass.desired.resources.iter();
    PlannedValues {
        root_module: Module {
            resources: resources
                .map(|(id, resource)| PlannedResource::of(id, &resource.fields()))
                .collect(),
        },
    }
}

fn drifted(pass: &Pass) -> Vec<ResourceChange> {
    let moved = pass.plan.changes.changes.iter().filter(|change| change.is_drift());
    moved.map(|change| ResourceChange::drifted(change, wanted(pass, &change.id).as_ref())).collect()
}

fn own(plan: &Plan, looked_ms: u64) -> Own {
    let Summary { counts, unchanged } = Summary::of(plan);
    let mut summary: BTreeMap<&'static str, usize> =
        counts.into_iter().map(|(verdict, count)| (word(verdict), count)).collect();
    summary.insert("unchanged", unchanged);
    let mut changes: BTreeMap<String, OwnChange> =
        plan.changes.changes.iter().map(|change| own_change(plan, change)).collect();
    for (id, (verdict, why)) in verdict::followers(plan) {
        let reason = why.to_owned();
        let follower = OwnChange {
            verdict: word(verdict),
            reason,
            mover: None,
            fields: Vec::new(),
            leftovers: Vec::new(),
        };
        changes.insert(id.to_string(), follower);
    }
    Own {
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
        notes: plan
            .changes
            .notes
            .iter()
            .map(|note| NoteJson { address: note.id.to_string(), text: note.text.clone() })
            .collect(),
        capacity: CapacityJson::of(&plan.capacity),
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

impl HeldJson {
    fn of(held: &crate::plan::Held) -> Self {
        Self {
            address: held.id.to_string(),
            what: held.what.clone(),
            allow: held.release.to_string(),
        }
    }
}

fn own_change(plan: &Plan, change: &Change) -> (String, OwnChange) {
    let own = OwnChange {
        verdict: word(Verdict::of(plan, change)),
        reason: change.reason.clone(),
        mover: change.mover.map(field::mover),
        fields: change.fields.iter().map(FieldJson::of).collect(),
        leftovers: change.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
    };
    (change.id.to_string(), own)
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

impl FieldJson {
    fn of(change: &FieldChange) -> Self {
        use crate::diff::Effect;
        let FieldChange { path, before, after, last, mover, origin, effect } = change;
        Self {
            path: steps(path),
            before: shown(path, before),
            after: shown(path, after),
            last_applied: last.as_ref().map(|last| shown(path, last)),
            mover: field::mover(*mover),
            effect: match effect {
                Effect::InPlace => "in_place",
                Effect::Reload => "reload",
                Effect::Restart => "restart",
                Effect::Recreate => "recreate",
                Effect::DataAtRisk => "data_at_risk",
            },
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

/// Returns a verdict as a key.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InPlace => "in_place",
        Verdict::NotChecked => "not_checked",
        other => other.word(),
    }
}
