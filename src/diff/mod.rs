//! Desired against live, field by field, naming who moved what.
//!
//! Desired ≠ live alone decides that something is to be done. What was last applied only explains: it
//! tells "you changed the file" from "somebody changed the engine". Pure and total; chooses no steps.

mod between;
mod change;
mod compare;
mod condition;
mod container;
mod effect;
mod files;
mod form;
mod inner;
mod leftover;
mod network;
mod recover;
mod volume;

pub use between::{Difference, How, between};
pub use change::{
    Action, Change, Changes, FieldChange, LeftOut, Leftover, Mover, Note, Shown, Subject,
};
pub use condition::Condition;
pub use container::job_digest;
pub use effect::{Effect, effect, is_updated};
pub use form::{outgrown, settle};
pub use leftover::{leftovers, unused};
pub use recover::{Recovered, recover};

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    desired::{Desired, Ignore, ImageOrigin, Path, Resource, Value},
    model::{Keyring, Origin, ResourceId},
    observed::{Applied, Mark, Observed, Owner, Record},
};

/// Compares what should be with what is.
pub fn diff(desired: &Desired, observed: &Observed, keyring: &Keyring) -> Changes {
    let look = Look { desired, observed, keyring, record: observed.record.as_ref() };
    let mut changes = Changes::default();
    for (id, resource) in &desired.resources {
        match resource {
            Resource::Image(image) => look.image(id, image, &mut changes),
            Resource::Network(network) => network::compare(&look, id, network, &mut changes),
            Resource::Volume(volume) => volume::compare(&look, id, volume, &mut changes),
            Resource::Files(files) => files::compare(&look, id, files, &mut changes),
            Resource::Container(wanted) => container::compare(&look, id, wanted, &mut changes),
            Resource::Inner(inner) => inner::compare(&look, id, inner, &mut changes),
        }
    }
    container::orphans(&look, &mut changes);
    network::orphans(&look, &mut changes);
    volume::orphans(&look, &mut changes);
    inner::orphans(&look, &mut changes);
    changes
}

/// Everything a comparison may look at.
struct Look<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    keyring: &'a Keyring,
    record: Option<&'a Record>,
}

impl Look<'_> {
    /// Returns who is behind a resource being absent although wanted.
    fn mover_of_absence(&self, id: &ResourceId) -> Mover {
        match self.record {
            // Where nothing of ours is there either, this is the first apply.
            None if self.is_new() => Mover::You,
            None => Mover::Unknown,
            Some(record) if record.resources.contains(id) => Mover::Drift,
            Some(_) => Mover::You,
        }
    }

    /// Returns why something of ours is not wanted.
    fn why_unwanted(&self) -> &'static str {
        if self.desired.resources.is_empty() { "all of it goes" } else { "not in the file" }
    }

    fn is_new(&self) -> bool {
        let Observed { containers, networks, volumes, .. } = self.observed;
        let mut owners = containers.iter().map(|seen| &seen.owner);
        !owners.any(Owner::is_ours)
            && !networks.iter().any(|seen| seen.owner.is_ours())
            && !volumes.iter().any(|seen| seen.owner.is_ours())
    }

    /// Returns who is behind a resource being there although not wanted.
    fn mover_of_presence(&self, id: &ResourceId) -> Mover {
        match self.record {
            None => Mover::Unknown,
            Some(record) if record.resources.contains(id) => Mover::You,
            Some(_) => Mover::Drift,
        }
    }

    /// Returns the rule that keeps `path` of a service's container out of the comparison.
    fn ignored(&self, service: &crate::model::ServiceName, path: &Path) -> Option<&Ignore> {
        self.desired.ignore.iter().find(|rule| {
            rule.service == *service
                && rule.path.field == path.field
                && (rule.path.key.is_empty() || rule.path.key == path.key)
        })
    }

    fn origin(&self, id: &ResourceId, path: &Path) -> Option<Origin> {
        self.desired.origins.get(&(id.clone(), path.clone())).cloned()
    }

    fn image(&self, id: &ResourceId, image: &crate::desired::Image, changes: &mut Changes) {
        let seen = self.observed.images.get(&image.reference.to_string());
        let built = match (&image.origin, seen) {
            (_, None) => {
                let mover = self.mover_of_absence(id);
                changes.push(Change::new(id, Action::Create, "not on this engine").moved_by(mover));
                return;
            }
            (ImageOrigin::Pull(_), Some(_)) => true,
            (ImageOrigin::Build(build), Some(seen)) => {
                seen.built_from.as_deref() == Some(build.digest.as_str())
            }
        };
        if built {
            changes.unchanged.insert(id.clone());
            return;
        }
        // The tag is named after what goes in, so another image behind it is somebody else's doing.
        let change =
            Change::new(id, Action::Create, "another image has its name").moved_by(Mover::Drift);
        changes.push(change);
    }
}

/// What was last applied to one resource: the record for what can change in place, else the label.
#[derive(Clone, Copy)]
struct Last<'a> {
    label: Option<&'a Applied>,
    in_place: Option<&'a Applied>,
    has_record: bool,
}

impl<'a> Last<'a> {
    fn of(look: &'a Look<'_>, id: &ResourceId, label: Option<&'a Applied>) -> Self {
        let in_place = look.record.and_then(|record| record.in_place.get(id));
        Self { label, in_place, has_record: look.record.is_some() }
    }

    /// Returns what is remembered of `path`.
    fn get(&self, path: &Path) -> Remembered<'a> {
        // Without a record nobody knows whether a value was changed in place since.
        let label = self.label.filter(|_| self.has_record || effect(path.field) != Effect::InPlace);
        let in_place = self.in_place.filter(|_| effect(path.field) == Effect::InPlace);
        match in_place.or(label) {
            None => Remembered::Nothing,
            Some(applied) => applied.0.get(path).map_or(Remembered::Unset, Remembered::Set),
        }
    }
}

/// What is remembered of one path.
#[derive(Clone, Copy)]
enum Remembered<'a> {
    /// Nothing: there is no memory to look into.
    Nothing,
    /// That it was not set.
    Unset,
    /// Its value.
    Set(&'a Mark),
}

/// Compares the wanted and live values of one resource over all paths of either.
///
/// `inherited` are the values that hold where nothing is wanted. `skip` takes paths out.
fn compare_fields(
    look: &Look<'_>,
    id: &ResourceId,
    pictures: &compare::Pictures<'_>,
    skip: impl Fn(&Path) -> bool,
) -> Vec<FieldChange> {
    let mut paths: BTreeSet<&Path> = pictures.wanted.0.keys().collect();
    paths.extend(pictures.live.0.keys());
    paths.extend(pictures.inherited.0.keys());
    paths
        .into_iter()
        .filter(|path| !skip(path))
        .filter_map(|path| compare::field(look, id, pictures, path))
        .collect()
}

/// Returns the value as a person may see it.
fn shown(value: &Value, look: &Look<'_>) -> Shown {
    match value {
        Value::Plain(text) => Shown::Plain(text.clone()),
        Value::Secret(text) => {
            look.keyring.fingerprint_of(text).map_or(Shown::SecretToCome, Shown::Secret)
        }
    }
}

/// Groups things by the resource they say they are.
fn by_resource<'a, T>(
    items: impl IntoIterator<Item = &'a T>,
    resource: impl Fn(&'a T) -> Option<ResourceId>,
) -> BTreeMap<ResourceId, Vec<&'a T>> {
    let mut groups: BTreeMap<ResourceId, Vec<&'a T>> = BTreeMap::new();
    for item in items {
        if let Some(id) = resource(item) {
            groups.entry(id).or_default().push(item);
        }
    }
    groups
}
