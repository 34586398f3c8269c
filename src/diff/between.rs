//! Two desired states, field by field: what changed from one generation to another.

use std::collections::BTreeSet;

use super::Shown;
use crate::{
    desired::{Desired, Field, Path, Value},
    model::{Keyring, ResourceId},
};

/// A resource that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The resource.
    pub id: ResourceId,
    /// How.
    pub how: How,
}

/// How a resource differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Only in the second.
    Added,
    /// Only in the first.
    Removed,
    /// In both, with other values.
    Fields(Vec<(Path, Shown, Shown)>),
}

/// Returns what differs between two desired states, each read with the secrets of its time.
pub fn between(before: (&Desired, &Keyring), after: (&Desired, &Keyring)) -> Vec<Difference> {
    let (old, new) = (&before.0.resources, &after.0.resources);
    let ids: BTreeSet<&ResourceId> = old.keys().chain(new.keys()).collect();
    let how = |id: &ResourceId| match (old.get(id), new.get(id)) {
        (None, None) => None,
        (None, Some(_)) => Some(How::Added),
        (Some(_), None) => Some(How::Removed),
        (Some(old), Some(new)) => {
            let (old, new) = (old.fields(), new.fields());
            let paths: BTreeSet<&Path> = old.0.keys().chain(new.0.keys()).collect();
            let pair = |path: &Path| {
                (shown(path, old.get(path), before.1), shown(path, new.get(path), after.1))
            };
            let pairs = paths.into_iter().map(|path| (path.clone(), pair(path)));
            let different: Vec<_> = pairs
                .filter(|(_, (old, new))| old != new)
                .map(|(path, (old, new))| (path, old, new))
                .collect();
            (!different.is_empty()).then_some(How::Fields(different))
        }
    };
    ids.into_iter().filter_map(|id| Some(Difference { id: id.clone(), how: how(id)? })).collect()
}

fn shown(path: &Path, value: Option<&Value>, keyring: &Keyring) -> Shown {
    match value {
        None => Shown::Absent,
        // What runs and what is loaded is no part of a configuration.
        Some(_) if matches!(path.field, Field::State | Field::Loaded) => Shown::Absent,
        Some(Value::Plain(text)) => Shown::Plain(text.clone()),
        Some(Value::Secret(text)) => {
            keyring.fingerprint_of(text).map_or(Shown::SecretToCome, Shown::Secret)
        }
    }
}
