//! What applies left on the engine beside the project's resources: locks, helpers, images.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, ImageSummary};

use super::{lock, observe::names_of};
use crate::{
    engine::Holder,
    observed::{OwnImage, Request, SeenTool, SeenVolume, ToolPurpose, label},
};

/// Returns the tools of applies to the project of a request.
pub(super) fn tools(
    all: &[ContainerSummary],
    request: &Request,
    volumes: &[SeenVolume],
) -> Vec<SeenTool> {
    let lock_name = lock::lock_name(&request.prefix);
    let this = Holder::this_process().ok();
    let helpers = all.iter().filter_map(|container| {
        let labels = container.labels.iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        let purpose = container.labels.as_ref()?.get(label::HELPER)?;
        let name = names_of(container).next()?.to_owned();
        Some((container.id.clone()?, name, purpose, Holder::from_labels(&labels)))
    });
    let helpers: Vec<_> = helpers.collect();
    let locked = helpers.iter().find(|(_, name, ..)| *name == lock_name);
    let is_dead = |holder: &Holder| this.as_ref().is_some_and(|this| holder.is_dead(this));
    // Whoever holds the lock and looks is not putting in files meanwhile.
    let is_this = |holder: &Holder| {
        this.as_ref().is_some_and(|this| {
            let Holder { boot, namespace, pid, started, .. } = holder;
            (boot, namespace, pid, started)
                == (&this.boot, &this.namespace, &this.pid, &this.started)
        })
    };
    // Files are put in under the lock, so without a living holder of it nobody is putting in any.
    let is_idle = locked.is_none_or(|(.., holder)| is_dead(holder) || is_this(holder));
    let (user, user_is_dead) = match locked {
        Some((.., holder)) => (describe(holder), is_dead(holder)),
        None => (String::new(), false),
    };
    let ours = volumes.iter().filter(|volume| volume.owner.is_ours());
    let ours: BTreeSet<&str> = ours.map(|volume| volume.name.as_str()).collect();
    let tool = |(id, name, purpose, _): &(String, String, &String, Holder)| {
        if *name == lock_name {
            let purpose = ToolPurpose::Lock;
            let (id, name, user) = (id.clone(), name.clone(), user.clone());
            return Some(SeenTool { id, name, purpose, user, abandoned: user_is_dead });
        }
        let is_ours = ours.contains(purpose.as_str());
        is_ours.then(|| SeenTool {
            id: id.clone(),
            name: name.clone(),
            purpose: ToolPurpose::Writer((*purpose).clone()),
            user: user.clone(),
            abandoned: is_idle,
        })
    };
    let mut tools: Vec<SeenTool> = helpers.iter().filter_map(tool).collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    tools
}

fn describe(holder: &Holder) -> String {
    let Holder { pid, user, host, .. } = holder;
    format!("process {pid} of {user} on {host}")
}

/// Returns the images that nself built.
pub(super) fn own_images(all: &[ImageSummary], containers: &[ContainerSummary]) -> Vec<OwnImage> {
    let used: BTreeSet<&str> =
        containers.iter().filter_map(|container| container.image_id.as_deref()).collect();
    let built = all.iter().filter(|image| image.labels.contains_key(label::BUILT_FROM));
    let mut images: Vec<OwnImage> = built
        .map(|image| {
            let named = |tag: &&String| !tag.contains("<none>");
            let mut tags: Vec<String> = image.repo_tags.iter().filter(named).cloned().collect();
            tags.sort();
            OwnImage {
                id: image.id.clone(),
                tags,
                size: image.size.try_into().unwrap_or_default(),
                created: u64::try_from(image.created).unwrap_or_default().saturating_mul(1000),
                used: used.contains(image.id.as_str()),
            }
        })
        .collect();
    images.sort_by(|a, b| (&a.tags, &a.id).cmp(&(&b.tags, &b.id)));
    images
}
