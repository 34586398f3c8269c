//! The image of a service: pulled, built from a recipe, or built from the person's own folder.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::{
    catalog::{Context, ImageSource, Kind, Recipe},
    desired::{Build, BuildContext, Field, Image, ImageOrigin, Resource},
    model::{Diagnostic, Digest, ImageRef, Origin, ResourceId, ServiceName, decode::Sourced},
    spec::{self, Service},
};

/// What recipes build on unless the file says something else.
const BASE: &str = "debian:bookworm-slim";

/// Adds the image of a service and returns its name, with where the choice comes from.
pub(super) fn add(
    draft: &mut Draft<'_>,
    name: &ServiceName,
    service: &Service,
    context: &Context<'_>,
) -> Option<(ImageRef, Origin)> {
    let settings = &service.settings;
    let chosen = if let Some(image) = &settings.image {
        Some((pulled(draft, &image.value), image.origin.clone()))
    } else if let Some(build) = &settings.build {
        built(draft, name, build).map(|image| (image, build.origin.clone()))
    } else {
        of_kind(draft, service.kind(), context).map(|image| {
            let version = settings.version.as_ref().map(|version| version.origin.clone());
            (image, version.unwrap_or(Origin::Kind(service.kind().name)))
        })
    };
    let Some((image, origin)) = chosen else {
        // Said with its reason already, or refused when the file was read.
        if draft.problems.is_empty() {
            let message = format!("`{name}` has no image");
            draft.problems.push(Diagnostic::error("no-image", message).at(&service.origin, ""));
        }
        return None;
    };
    let reference = image.reference.clone();
    let id = ResourceId::Image(reference.to_string());
    if let ImageOrigin::Build(_) = &image.origin {
        draft.say(&id, Field::BuiltFrom.path(), origin.clone());
    }
    draft.add(id, Resource::Image(image));
    Some((reference, origin))
}

fn mirror<'a>(draft: &Draft<'a>) -> &'a str {
    draft.spec.images.mirror.as_ref().map_or("", |mirror| mirror.value.as_str())
}

fn pulled(draft: &Draft<'_>, reference: &ImageRef) -> Image {
    let origin = ImageOrigin::Pull(reference.through(mirror(draft)));
    Image { reference: reference.clone(), origin }
}

fn built(draft: &mut Draft<'_>, name: &ServiceName, build: &Sourced<spec::Build>) -> Option<Image> {
    let spec::Build { context, dockerfile, target, args } = &build.value;
    let Some(files) = draft.facts.contexts.get(name) else {
        let message = format!("the folder `{context}` cannot be read");
        draft.problems.push(Diagnostic::error("no-build-folder", message).at(&build.origin, ""));
        return None;
    };
    let stage = target.clone().unwrap_or_default();
    let digest = digest(args, [files.as_str(), dockerfile, &stage]);
    let repository = format!("{}-{name}", draft.spec.prefix());
    let context = BuildContext::Folder {
        path: draft.facts.folder.join(context),
        dockerfile: dockerfile.clone(),
        target: target.clone(),
    };
    let build = Build { context, digest, args: args.clone(), effort: String::new() };
    let tag = build.digest.short().to_owned();
    image(&repository, &tag, build)
}

fn of_kind(draft: &Draft<'_>, kind: &Kind, context: &Context<'_>) -> Option<Image> {
    match context.source {
        ImageSource::Registry => {
            let release = kind.releases.iter().find(|r| r.version == context.version)?;
            let reference = ImageRef::tagged(kind.image?, release.tag).ok()?;
            Some(pulled(draft, &reference))
        }
        ImageSource::Build => from_recipe(draft, kind, kind.recipe.as_ref()?),
    }
}

fn from_recipe(draft: &Draft<'_>, kind: &Kind, recipe: &Recipe) -> Option<Image> {
    let default = || BASE.parse::<ImageRef>().ok();
    let base = draft.spec.images.base.as_ref().map(|base| base.value.clone()).or_else(default)?;
    let args = BTreeMap::from([("BASE".to_owned(), base.through(mirror(draft)).to_string())]);
    let mut files: BTreeMap<String, String> = recipe
        .files
        .iter()
        .map(|(path, content)| ((*path).to_owned(), (*content).to_owned()))
        .collect();
    files.insert("ca-bundle.crt".to_owned(), draft.facts.ca_bundle.clone());
    let digest = digest(&args, files.iter().flat_map(|(path, content)| [&**path, &**content]));
    let tag = format!("{}-{}", recipe.version, digest.short());
    let effort = recipe.effort.to_owned();
    let build = Build { context: BuildContext::Recipe(files), digest, args, effort };
    image(&format!("nself/{}", kind.name), &tag, build)
}

fn digest<'a>(args: &BTreeMap<String, String>, rest: impl IntoIterator<Item = &'a str>) -> Digest {
    // The number of arguments keeps them apart from what follows.
    let count = args.len().to_string();
    let mut parts = vec![count.as_bytes()];
    parts.extend(args.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]));
    let rest: Vec<&str> = rest.into_iter().collect();
    parts.extend(rest.iter().map(|part| part.as_bytes()));
    Digest::of_parts(parts)
}

fn image(repository: &str, tag: &str, build: Build) -> Option<Image> {
    let reference = ImageRef::tagged(repository, tag).ok()?;
    Some(Image { reference, origin: ImageOrigin::Build(build) })
}
