//! A vault for a project that runs while its vault is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Project, milliseconds};
use crate::{
    desired::{Desired, SecretNeed},
    diff,
    engine::Observe,
    model::{InnerKind, ResourceId, SecretName},
    observed::{Observed, Request},
};

/// What came of reading secrets back.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// These are in the vault now.
    pub found: Vec<SecretName>,
    /// These could not be found, with what each is.
    pub lost: Vec<(SecretName, SecretNeed)>,
    /// Where another value stands than the one in the vault.
    pub differing: BTreeMap<SecretName, BTreeSet<ResourceId>>,
}

/// Reads secrets back from where they were delivered, and puts those that the vault does not have into
/// it. What it has stays.
///
/// # Errors
/// The configuration's mistakes, what the engine says, or a vault that cannot be written.
pub async fn recover<E: Observe>(engine: &E, project: &Project) -> Result<Recovery, Error> {
    let now = milliseconds();
    let mut vault = project.vault()?;
    let (mut desired, mut observed) = see(engine, project, &BTreeMap::new(), now).await?;
    let mut turns = BTreeMap::new();
    for name in alternating(&desired, &observed) {
        if project.keyring.get(&name).is_some() {
            continue;
        }
        // Which of the two logins is open shows in who has its name and password.
        for turn in [1, 2] {
            turns.insert(name.clone(), turn);
            (desired, observed) = see(engine, project, &turns, now).await?;
            let known = diff::recover(&desired, &observed);
            if known.values.contains_key(&name) && !known.differing.contains_key(&name) {
                break;
            }
        }
    }
    let diff::Recovered { values, differing } = diff::recover(&desired, &observed);
    let there = |name: &SecretName| project.keyring.get(name).is_some();
    let values: BTreeMap<_, _> = values.into_iter().filter(|(name, _)| !there(name)).collect();
    if !values.is_empty() {
        vault.recover(&values, &turns, now)?;
    }
    let lost =
        desired.secrets.iter().filter(|(name, _)| !values.contains_key(*name) && !there(name));
    Ok(Recovery {
        lost: lost.map(|(name, need)| (name.clone(), need.clone())).collect(),
        differing: differing.into_iter().filter(|(name, _)| values.contains_key(name)).collect(),
        found: values.into_keys().collect(),
    })
}

async fn see<E: Observe>(
    engine: &E,
    project: &Project,
    turns: &BTreeMap<SecretName, u32>,
    now: u64,
) -> Result<(Desired, Observed), Error> {
    let mut project = project.clone();
    let known = project.keyring.turns().iter().chain(turns);
    let turns = known.map(|(name, turn)| (name.clone(), *turn)).collect();
    project.keyring = project.keyring.with_turns(turns);
    let desired = project.draw(now)?.desired;
    let observed = engine.observe(&Request::of(&desired, true)).await?;
    Ok((desired, observed))
}

/// Returns the passwords for which there were two logins, as far as the project's memory says.
fn alternating(desired: &Desired, observed: &Observed) -> BTreeSet<SecretName> {
    let record = observed.record.iter().flat_map(|record| &record.resources);
    let logins = record.filter_map(|id| match id {
        ResourceId::Inner(inner) if inner.kind == InnerKind::Login => Some(inner),
        _ => None,
    });
    let password = logins.filter_map(|login| {
        let of_role = SecretName::password(&login.service, Some(&login.name));
        let of_service = SecretName::password(&login.service, None);
        [of_role, of_service].into_iter().find(|name| desired.secrets.contains_key(name))
    });
    password.collect()
}
