//! What images are there, and what containers inherit from them.
//!
//! Each is asked for by its name or its id: the list of all images takes the engine 12 ms where there are
//! forty, and says neither what they declare.

use std::collections::{BTreeMap, BTreeSet};

use bollard::{
    models::{ContainerSummary, ImageSummary},
    query_parameters::ListImagesOptions,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value as Json;

use crate::{
    desired::Fields,
    engine::{
        Error,
        docker::{Docker, decode, defaults::Defaults, refusal},
    },
    model::ImageRef,
    observed::{Request, SeenContainer, SeenImage, label},
};

/// Images, as far as they matter.
pub(super) struct Pictures {
    /// Those that were asked for, by reference.
    pub(super) wanted: BTreeMap<String, SeenImage>,
    /// What each declares, by id.
    declared: BTreeMap<String, Fields>,
}

impl Pictures {
    /// Returns what a container of each image has that is there, by id.
    pub(super) fn defaults(
        &mut self,
        containers: &[SeenContainer],
        engine: &Defaults,
    ) -> BTreeMap<String, Fields> {
        let used = containers.iter().map(|container| &container.image_id);
        let used: BTreeSet<&String> =
            used.chain(self.wanted.values().map(|image| &image.id)).collect();
        self.declared.retain(|id, _| used.contains(id));
        let declared = std::mem::take(&mut self.declared).into_iter();
        declared
            .map(|(id, declared)| {
                let mut all = engine.fields();
                all.0.extend(declared.0);
                (id, all)
            })
            .collect()
    }
}

impl Docker {
    /// Looks at the images that are asked for.
    pub(super) async fn wanted_images(&self, request: &Request) -> Result<Pictures, Error> {
        let looks = request.images.iter().map(async |wanted| {
            let path = format!("/images/{wanted}/json");
            let document = self.image_document(&path).await?;
            let seen = document.as_ref().and_then(|document| seen_image(document, wanted));
            Ok::<_, Error>(seen.map(|seen| (wanted.to_string(), seen, document)))
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<_> =
            stream::iter(looks).buffer_unordered(self.wire.at_once()).try_collect().await?;
        let mut pictures = Pictures { wanted: BTreeMap::new(), declared: BTreeMap::new() };
        for (name, seen, document) in found.into_iter().flatten() {
            if self.server.dialect.repeats
                && let Some(document) = document
            {
                pictures.declared.insert(seen.id.clone(), decode::image_fields(document));
            }
            pictures.wanted.insert(name, seen);
        }
        Ok(pictures)
    }

    /// Looks at the images of containers that are not known yet.
    pub(super) async fn images_of(
        &self,
        containers: &[&ContainerSummary],
        pictures: &mut Pictures,
    ) -> Result<(), Error> {
        let dialect = self.server.dialect;
        let used = containers.iter().filter_map(|container| container.image_id.as_ref());
        let ids: BTreeSet<&String> =
            used.chain(pictures.wanted.values().map(|image| &image.id)).collect();
        let unknown = ids.into_iter().filter(|id| !pictures.declared.contains_key(*id));
        let looks: Vec<_> = unknown
            .map(async |id| {
                let document =
                    self.image_document(&format!("{}/{id}/json", dialect.images)).await?;
                let fields = document.map(|json| decode::image_fields(dialect.image(json)));
                Ok::<_, Error>(fields.map(|fields| (id.clone(), fields)))
            })
            .collect();
        let found: Vec<_> =
            stream::iter(looks).buffer_unordered(self.wire.at_once()).try_collect().await?;
        pictures.declared.extend(found.into_iter().flatten());
        Ok(())
    }

    /// Lists the images that nself built.
    pub(super) async fn built_images(&self, asked: bool) -> Result<Vec<ImageSummary>, Error> {
        if !asked {
            return Ok(Vec::new());
        }
        let images = self.api.list_images(None::<ListImagesOptions>).await;
        images.map_err(|error| self.refused("list images", &error))
    }

    async fn image_document(&self, path: &str) -> Result<Option<Json>, Error> {
        let document = refusal::found(self.wire.json(path).await);
        document.map_err(|error| self.refused("inspect an image", &error))
    }
}

/// Returns those of the images that were asked for, by reference.
pub(in crate::engine::docker) fn named<'a>(
    documents: impl Iterator<Item = &'a Json> + Clone,
    request: &Request,
) -> BTreeMap<String, SeenImage> {
    let find = |wanted: &ImageRef| {
        let seen = documents.clone().find_map(|document| seen_image(document, wanted))?;
        Some((wanted.to_string(), seen))
    };
    request.images.iter().filter_map(find).collect()
}

/// Reads an image; `None` when it does not go by the name it was asked for: the engine also takes the
/// beginning of an id for one.
fn seen_image(document: &Json, wanted: &ImageRef) -> Option<SeenImage> {
    let wanted = wanted.to_string();
    let names = ["RepoTags", "RepoDigests"].into_iter().filter_map(|key| document[key].as_array());
    let mut names = names.flatten().filter_map(Json::as_str);
    names.any(|name| familiar(name) == familiar(&wanted)).then_some(())?;
    Some(SeenImage {
        id: document["Id"].as_str()?.to_owned(),
        built_from: document["Config"]["Labels"][label::BUILT_FROM].as_str().map(str::to_owned),
        size: document["Size"].as_u64().unwrap_or_default(),
    })
}

/// The engine calls images of the default registry by their short names.
pub(in crate::engine::docker) fn familiar(name: &str) -> &str {
    // So Podman calls what comes from nowhere.
    let name = name.strip_prefix("localhost/").unwrap_or(name);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}
