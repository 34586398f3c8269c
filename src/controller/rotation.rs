//! New values of secrets: into use once they are everywhere, and back to the old ones when that fails.
//!
//! What is done is an ordinary plan: the desired state speaks of the pending values, and of which of two
//! logins is open. Here is only decided, from what came of it, which value the vault keeps.

use std::collections::BTreeSet;

use super::{Error, Project};
use crate::{
    desired::{Desired, Field, Resource},
    diff::{Action, Effect},
    model::{InnerKind, ResourceId, SecretName, ServiceName},
    plan::{Applied, Outcome, Plan},
};

/// What became of new values of secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// These are everywhere, and the old ones are not valid any more.
    pub settled: Vec<SecretName>,
    /// These could not be delivered: the old ones stay.
    pub returned: Vec<SecretName>,
    /// These are not everywhere yet: the next apply goes on.
    pub pending: Vec<SecretName>,
}

/// Decides, after the passes, what becomes of each pending value, and writes it to the vault.
pub(super) fn conclude(
    project: &mut Project,
    desired: &Desired,
    passes: &[(Plan, Applied)],
    rest: &Plan,
) -> Result<Rotation, Error> {
    let mut vault = project.vault()?;
    let mut rotation = Rotation::default();
    let interrupted = passes.iter().any(|(_, applied)| applied.interrupted);
    let (mut settled, mut returned) = (Vec::new(), Vec::new());
    for name in vault.pending() {
        let knowing = knowing(desired, &name);
        let failed = passes.iter().any(|(plan, applied)| {
            applied.outcomes.iter().any(|(step, outcome)| {
                matches!(outcome, Outcome::Failed(_)) && knowing.contains(&plan.steps[*step].group)
            })
        });
        let (mut left, mut fails) = (false, false);
        for change in rest.changes.changes.iter().filter(|change| knowing.contains(&change.id)) {
            // What does not go on running with the new value did not get along with it.
            fails |= change.action == Action::Change(Effect::Restart)
                || change.fields.iter().any(|field| field.path.field == Field::State);
            left |= change.action != Action::NotChecked;
        }
        let failed = failed || fails;
        if failed && !interrupted {
            returned.push(name);
        } else if left || failed {
            rotation.pending.push(name);
        } else {
            settled.push(name);
        }
    }
    let known = &project.keyring;
    if !returned.is_empty() {
        rotation.returned = vault.abandon(&returned, known)?;
    }
    if !settled.is_empty() {
        rotation.settled = vault.settle(&settled, known)?;
    }
    project.keyring = vault.keyring();
    Ok(rotation)
}

/// Returns the resources that know a secret, and those that say who may log in where it is the password.
fn knowing(desired: &Desired, name: &SecretName) -> BTreeSet<ResourceId> {
    let knows = |resource: &Resource| resource.secrets().any(|secret| secret == name);
    let services: BTreeSet<&ServiceName> = desired
        .resources
        .values()
        .filter_map(|resource| match resource {
            Resource::Inner(inner) if knows(resource) => Some(&inner.id.service),
            _ => None,
        })
        .collect();
    let is_login = |id: &ResourceId| match id {
        ResourceId::Inner(inner) => {
            inner.kind == InnerKind::Login && services.contains(&inner.service)
        }
        _ => false,
    };
    desired
        .resources
        .iter()
        .filter(|(id, resource)| knows(resource) || is_login(id))
        .map(|(id, _)| id.clone())
        .collect()
}
