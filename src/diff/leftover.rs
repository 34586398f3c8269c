//! What applies leave behind beside the project's resources. No apply minds it, and only `clean` takes it
//! away.

use std::collections::BTreeSet;

use super::{Action, Change, Changes, Note};
use crate::{
    desired::{Desired, ImageOrigin, Resource},
    model::{ImageRef, ResourceId},
    observed::{Observed, OwnImage, ToolPurpose},
};

/// An image without a name may be one that somebody builds this moment; after an hour nobody does.
const BUILDING: u64 = 60 * 60 * 1000;

/// Returns what can go without anybody missing it: helpers of applies that have ended, builds that
/// nothing uses.
pub fn leftovers(desired: &Desired, observed: &Observed) -> Changes {
    let mut changes = Changes::default();
    for tool in observed.tools.iter().filter(|tool| tool.abandoned) {
        let id = ResourceId::Container(tool.name.clone());
        match tool.purpose {
            // Whoever takes the lock next, this pass included, removes a dead holder's by that.
            ToolPurpose::Lock => {
                let text = format!("left by {}, which has ended; it goes with this", tool.user);
                changes.notes.push(Note { id, text });
            }
            ToolPurpose::Writer(_) => {
                let change = Change::new(&id, Action::Remove, "left by an apply that was cut off");
                changes.push(change.about(&tool.id, &tool.name));
            }
        }
    }
    for (name, image) in unused(desired, observed) {
        let id = ResourceId::Image(name.to_owned());
        let reason = if image.tags.is_empty() {
            "another build has its name, and nothing uses it"
        } else {
            "an earlier build, and nothing uses it"
        };
        changes.push(Change::new(&id, Action::Remove, reason).about(&image.id, name));
    }
    changes
}

/// Returns the builds that nothing uses, each by the name, or the id, under which it is removed.
///
/// These are earlier builds of this project's own services, and builds of nself that have lost their name.
/// Images made by recipes are shared by all projects of a machine and stay.
pub fn unused<'a>(desired: &Desired, observed: &'a Observed) -> Vec<(&'a str, &'a OwnImage)> {
    let mut wanted = BTreeSet::new();
    let mut repositories = BTreeSet::new();
    for resource in desired.resources.values() {
        let Resource::Image(image) = resource else { continue };
        wanted.insert(image.reference.to_string());
        if let ImageOrigin::Build(build) = &image.origin
            && matches!(build.context, crate::desired::BuildContext::Folder { .. })
        {
            repositories.insert(image.reference.repository().to_owned());
        }
    }
    let is_ours = |tag: &str| {
        tag.parse::<ImageRef>().is_ok_and(|image| repositories.contains(image.repository()))
    };
    let mut found = Vec::new();
    for image in observed.own_images.iter().filter(|image| !image.used) {
        if image.tags.is_empty() && image.created + BUILDING < observed.at {
            found.push((image.id.as_str(), image));
        }
        let tags = image.tags.iter().map(String::as_str);
        found.extend(
            tags.filter(|tag| is_ours(tag) && !wanted.contains(*tag)).map(|tag| (tag, image)),
        );
    }
    found
}
