//! A pass as everybody is shown it.

use std::collections::BTreeMap;

use crate::{
    controller::Pass,
    diff::{Change, Condition},
    plan::Plan,
    sync::{Difference, Held, ServiceState, Status},
};

/// Puts into the status what a look showed.
pub(super) fn show(status: &mut Status, pass: &Pass) {
    status.project = pass.desired.prefix();
    status.generation =
        pass.observed.record.as_ref().map_or(status.generation, |record| record.generation);
    status.services = services(pass);
    show_plan(status, &pass.plan);
}

/// Puts into the status what is to be done.
pub(super) fn show_plan(status: &mut Status, plan: &Plan) {
    let left_out = plan.changes.left_out.iter().map(|left| &left.change);
    status.differences = plan.changes.changes.iter().chain(left_out).map(difference).collect();
    status.held = plan
        .held
        .iter()
        .map(|held| Held {
            id: held.id.to_string(),
            what: held.what.clone(),
            release: held.release.to_string(),
        })
        .collect();
}

fn difference(change: &Change) -> Difference {
    Difference {
        id: change.id.to_string(),
        what: change.action.word().to_owned(),
        reason: change.reason.clone(),
        fields: change.fields.iter().map(|field| field.path.to_string()).collect(),
        is_drift: change.is_drift(),
    }
}

fn services(pass: &Pass) -> Vec<ServiceState> {
    let mut services: BTreeMap<&str, (Condition, u64)> = BTreeMap::new();
    for container in pass.desired.containers() {
        let seen = pass.observed.containers.iter();
        let seen =
            seen.filter(|seen| seen.owner.is_ours()).find(|seen| seen.name == container.name);
        let condition = Condition::of(container, seen);
        let restarts = seen.map_or(0, |seen| seen.restarts);
        match services.get_mut(container.service.as_str()) {
            // A service is as well as its worst container.
            Some((worst, all)) => {
                *all += restarts;
                *worst = condition.max(worst.clone());
            }
            None => _ = services.insert(container.service.as_str(), (condition, restarts)),
        }
    }
    let url = |name: &str| {
        let mut urls = pass.desired.urls.iter();
        urls.find(|url| url.service.as_str() == name).map(|url| url.url.clone())
    };
    let services = services.into_iter();
    services
        .map(|(name, (condition, restarts))| ServiceState {
            name: name.to_owned(),
            state: condition.to_string(),
            is_well: condition.is_well(),
            restarts,
            url: url(name),
        })
        .collect()
}
