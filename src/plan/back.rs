//! What going back does not bring back, so that it can be said before.

use super::{Op, Plan};
use crate::{
    desired::{Class, Desired, Resource},
    diff::Action,
    model::{ResourceId, SecretName},
};

/// Something that is not as it was although everything is as it was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasting {
    /// It keeps what is in it: what was written since stays, what was dropped since stays away.
    Kept(ResourceId),
    /// It was removed since, and comes back empty.
    Empty(ResourceId),
    /// A job that runs once more, with what it had then.
    Again(ResourceId),
    /// A secret whose value of then is not kept any more: it stays as it is.
    Secret(SecretName),
}

/// Returns what a plan that goes back does not bring back; `lost` are secrets of then that are not kept.
pub fn lasting(desired: &Desired, plan: &Plan, lost: &[SecretName]) -> Vec<Lasting> {
    let of = |(id, resource): (&ResourceId, &Resource)| {
        let made = plan.changes.get(id).is_some_and(|change| change.action == Action::Create);
        let id = id.clone();
        match resource {
            Resource::Volume(volume) if volume.disposable => None,
            Resource::Volume(_) if made => Some(Lasting::Empty(id)),
            Resource::Volume(_) => Some(Lasting::Kept(id)),
            Resource::Inner(inner) if made && inner.id.kind.holds_data() => {
                Some(Lasting::Empty(id))
            }
            Resource::Container(job) if job.class == Class::Job => {
                let starts = |op: &Op| matches!(op, Op::Start(_));
                let runs = plan.steps.iter().any(|step| step.group == id && starts(&step.op));
                runs.then_some(Lasting::Again(id))
            }
            Resource::Inner(_)
            | Resource::Container(_)
            | Resource::Image(_)
            | Resource::Network(_)
            | Resource::Files(_) => None,
        }
    };
    let mut lasting: Vec<Lasting> = desired.resources.iter().filter_map(of).collect();
    lasting.extend(lost.iter().cloned().map(Lasting::Secret));
    lasting.sort();
    lasting
}
