//! A plan, and drift, in Terraform's representation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    change::{ConfiguredResource, ResourceChange, ResourceValues, steps},
    own::Own,
};
use crate::{
    controller::Pass,
    desired::Fields,
    diff::{Action, Change, Mover},
    model::ResourceId,
    plan::Plan,
    report::verdict::Verdict,
};

/// The version of Terraform's representation that is followed.
const TERRAFORM_FORMAT: &str = "1.2";
/// The version of Terraform's representation of a state.
const TERRAFORM_STATE: &str = "1.0";

/// A plan in Terraform's representation. What is ours alone lies under `nself`.
#[derive(Serialize, JsonSchema)]
pub(super) struct PlanJson {
    /// The version of Terraform's representation.
    format_version: &'static str,
    /// Whether apply would do anything.
    applyable: bool,
    /// Whether apply would do all there is to do; not where something is held or cannot be seen yet.
    complete: bool,
    /// Always false: a plan that cannot be made is an error instead.
    errored: bool,
    /// What will be.
    planned_values: Values,
    /// What somebody other than the file has moved: from the last applied values to the live ones.
    resource_drift: Vec<ResourceChange>,
    /// What happens to each resource, `no-op` included.
    resource_changes: Vec<ResourceChange>,
    /// What this plan does not do: it is held, waits for something held, or cannot be seen yet.
    deferred_changes: Vec<DeferredChange>,
    /// The values behind the drift.
    relevant_attributes: Vec<RelevantAttribute>,
    /// What is, as far as it is compared.
    prior_state: PriorState,
    /// What the file asks for.
    configuration: Configuration,
    /// What only nself has to say.
    nself: Own,
}

/// What moved, in the shape of a plan without a plan's changes.
#[derive(Serialize, JsonSchema)]
pub(super) struct DriftJson {
    /// The version of Terraform's representation.
    format_version: &'static str,
    /// Whether anything moved.
    drifted: bool,
    /// What moved: from the last applied values to the live ones.
    resource_drift: Vec<ResourceChange>,
    /// What only nself has to say; a plan's steps are not in it.
    nself: Own,
}

/// Resources with their values.
#[derive(Serialize, JsonSchema)]
struct Values {
    /// All of them; there is one module.
    root_module: Module,
}

/// The resources of the project.
#[derive(Serialize, JsonSchema)]
struct Module {
    /// In the order of their kinds and names.
    resources: Vec<ResourceValues>,
}

/// What is, before anything is done.
#[derive(Serialize, JsonSchema)]
struct PriorState {
    /// The version of Terraform's representation of a state.
    format_version: &'static str,
    /// The resources that are there.
    values: Values,
}

/// What the file asks for.
#[derive(Serialize, JsonSchema)]
struct Configuration {
    /// Who provides resources: nself alone.
    provider_config: BTreeMap<&'static str, Provider>,
    /// All resources; there is one module.
    root_module: ConfiguredModule,
}

/// Who provides resources.
#[derive(Serialize, JsonSchema)]
struct Provider {
    /// Its short name.
    name: &'static str,
    /// Its whole name.
    full_name: &'static str,
}

/// The resources that the file asks for.
#[derive(Serialize, JsonSchema)]
struct ConfiguredModule {
    /// In the order of their kinds and names.
    resources: Vec<ConfiguredResource>,
}

/// A change that this plan does not make.
#[derive(Serialize, JsonSchema)]
struct DeferredChange {
    /// `held`, `blocked`, `absent_prereq` (it cannot be seen yet) or `unknown` (it cannot be compared).
    reason: &'static str,
    /// What it would be.
    resource_change: ResourceChange,
}

/// A live value that took part in a change.
#[derive(Serialize, JsonSchema)]
struct RelevantAttribute {
    /// The resource.
    resource: String,
    /// The path in its values.
    attribute: Vec<String>,
}

/// Returns a plan in Terraform's representation.
pub fn plan(pass: &Pass) -> String {
    let plan = &pass.plan;
    let mut entries: BTreeMap<&ResourceId, ResourceChange> = BTreeMap::new();
    let mut deferred = Vec::new();
    let mut unseen = Vec::new();
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
        let entry = DeferredChange { reason, resource_change: entry };
        match change.action {
            Action::Deferred | Action::NotChecked => unseen.push(entry),
            _ => deferred.push(entry),
        }
    }
    for id in &plan.changes.unchanged {
        entries.insert(id, ResourceChange::unchanged(id, wanted(pass, id).as_ref()));
    }
    let resource_changes: Vec<ResourceChange> = entries.into_values().collect();
    let there = resource_changes.iter().chain(deferred.iter().map(|one| &one.resource_change));
    let prior = Values::of(there.filter_map(ResourceValues::prior).collect());
    deferred.extend(unseen);
    super::text(&PlanJson {
        format_version: TERRAFORM_FORMAT,
        applyable: !plan.steps.is_empty(),
        complete: deferred.is_empty() && plan.changes.left_out.is_empty() && !plan.is_refused(),
        errored: false,
        planned_values: planned(pass),
        resource_drift: drifted(pass),
        relevant_attributes: relevant(plan),
        prior_state: PriorState { format_version: TERRAFORM_STATE, values: prior },
        resource_changes,
        deferred_changes: deferred,
        configuration: configuration(pass),
        nself: Own::of(plan, pass.looked_ms),
    })
}

/// Returns what moved, in the shape of a plan without a plan's changes.
pub fn drift(pass: &Pass) -> String {
    let resource_drift = drifted(pass);
    let own = Own::of(&only_drift(&pass.plan), pass.looked_ms);
    super::text(&DriftJson {
        format_version: TERRAFORM_FORMAT,
        drifted: !resource_drift.is_empty(),
        resource_drift,
        // A plan's steps are not drift's business: nobody is going to take them.
        nself: own.without_steps(),
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
    let moved: std::collections::BTreeSet<ResourceId> =
        plan.changes.changes.iter().map(|c| c.id.clone()).collect();
    plan.steps.retain(|step| moved.contains(&step.group));
    plan.held.retain(|held| moved.contains(&held.id));
    plan.blocked.retain(|id, _| moved.contains(id));
    plan.findings.clear();
    plan.away.clear();
    plan
}

fn wanted(pass: &Pass, id: &ResourceId) -> Option<Fields> {
    pass.desired.resources.get(id).map(crate::desired::Resource::fields)
}

impl Values {
    fn of(mut resources: Vec<ResourceValues>) -> Self {
        resources.sort_by(|a, b| a.address.cmp(&b.address));
        Self { root_module: Module { resources } }
    }
}

fn planned(pass: &Pass) -> Values {
    let resources = pass.desired.resources.iter();
    let values = resources.map(|(id, one)| ResourceValues::wanted(id, &one.fields()));
    Values::of(values.collect())
}

fn configuration(pass: &Pass) -> Configuration {
    let provider = Provider { name: "nself", full_name: "nself" };
    let needs = |id: &ResourceId| pass.desired.after.get(id).into_iter().flat_map(BTreeMap::keys);
    let resources = pass.desired.resources.keys();
    Configuration {
        provider_config: BTreeMap::from([(provider.name, provider)]),
        root_module: ConfiguredModule {
            resources: resources.map(|id| ConfiguredResource::of(id, needs(id))).collect(),
        },
    }
}

fn drifted(pass: &Pass) -> Vec<ResourceChange> {
    let moved = pass.plan.changes.changes.iter().filter(|change| change.is_drift());
    moved.map(|change| ResourceChange::drifted(change, wanted(pass, &change.id).as_ref())).collect()
}

/// Returns the live values that somebody other than the file moved.
fn relevant(plan: &Plan) -> Vec<RelevantAttribute> {
    let mut found = Vec::new();
    for change in &plan.changes.changes {
        for field in change.fields.iter().filter(|field| field.mover != Mover::You) {
            let (resource, attribute) = (change.id.to_string(), steps(&field.path));
            found.push(RelevantAttribute { resource, attribute });
        }
    }
    found
}
