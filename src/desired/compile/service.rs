//! One service: its containers, volumes, files and what is inside it.

use std::collections::BTreeMap;

use super::{
    draft::Draft,
    image,
    settings::{self, Origins},
};
use crate::{
    catalog::{self, Blueprint, Context, Generated, InnerDriver, InnerSpec},
    desired::{
        Container, Field, File, Files, Form, InnerResource, Mount, MountSource, Path, Resource,
        Volume,
    },
    model::{Diagnostic, Inner, Origin, ResourceId, ServiceName},
    spec::{Service, VolumeRule, VolumeTarget},
};

/// Adds everything that a service is made of.
pub(super) fn add(
    draft: &mut Draft<'_>,
    name: &ServiceName,
    service: &Service,
    context: &Context<'_>,
) {
    let mut blueprint = service.options.blueprint(context);
    let Some((image, origin)) = image::add(draft, name, service, context) else { return };
    let mut origins = Origins::new(service.kind().name);
    origins.say(Field::Image.path(), origin);
    single(draft, name, service, &blueprint);
    let volumes = volumes(draft, name, service, &mut blueprint, &mut origins);
    let container =
        settings::container(draft, (name, service), (image, volumes), &blueprint, &mut origins);
    let first = container.name.clone();
    let forms = forms(&container, &blueprint);
    let files = blueprint.generated.map(|generated| files(draft, name, &first, generated));
    if forms.len() > 1 {
        draft.desired.forms.insert(ResourceId::Container(first.clone()), forms);
    }
    for replica in 1..=u32::from(service.replicas()) {
        let mut container = container.clone();
        if replica > 1 {
            container.name = replica_name(&first, replica, service);
            container.replica = replica;
        }
        place(draft, container, &origins, files.as_ref());
    }
    inner(draft, name, &first, blueprint.inner, blueprint.driver.as_ref());
}

/// Returns the forms that a service may have, today's first. A command of the person's own is in all.
fn forms(container: &Container, blueprint: &Blueprint) -> Vec<Form> {
    let Some(generated) = &blueprint.generated else { return Vec::new() };
    let today = Form { command: container.command.clone(), files: joined(&generated.files) };
    let earlier = blueprint.earlier.iter().map(|earlier| {
        let mut form = today.clone();
        if earlier.command.is_some() && form.command == blueprint.command {
            form.command.clone_from(&earlier.command);
        }
        let mut files = generated.files.clone();
        for (path, file) in &earlier.files {
            match file {
                Some(file) => files.insert(path.clone(), file.clone()),
                None => files.remove(path),
            };
        }
        form.files = joined(&files);
        form
    });
    let earlier: Vec<Form> = earlier.collect();
    std::iter::once(today).chain(earlier).collect()
}

/// Returns the files with the parts of their texts put together where nothing secret lies between.
fn joined(files: &BTreeMap<String, catalog::File>) -> BTreeMap<String, File> {
    let joined = files.iter().map(|(path, file)| {
        (path.clone(), File { content: file.content.clone().joined(), mode: file.mode })
    });
    joined.collect()
}

/// Returns the name of a further replica. A name of the person's own may be counted already: `web-1` goes
/// on with `web-2`.
fn replica_name(first: &str, replica: u32, service: &Service) -> String {
    let base = match &service.settings.container_name {
        Some(_) => first.strip_suffix("-1").unwrap_or(first),
        None => first,
    };
    format!("{base}-{replica}")
}

/// Refuses to run a service twice that keeps data or has files of its own.
fn single(draft: &mut Draft<'_>, name: &ServiceName, service: &Service, blueprint: &Blueprint) {
    let Some(replicas) = service.settings.replicas.as_ref().filter(|r| r.value > 1) else { return };
    if blueprint.volumes.is_empty() && blueprint.generated.is_none() {
        return;
    }
    let message =
        format!("`{name}` can run once only: {} containers would share its data", replicas.value);
    draft.problems.push(Diagnostic::error("replicas-of-one", message).at(&replicas.origin, ""));
}

/// Adds the volumes of a service and returns what is mounted where. What the person mounts at a place
/// of the kind's own takes its place.
fn volumes(
    draft: &mut Draft<'_>,
    name: &ServiceName,
    service: &Service,
    blueprint: &mut Blueprint,
    origins: &mut Origins,
) -> BTreeMap<String, Mount> {
    let settings = &service.settings;
    let mut mounts = BTreeMap::new();
    let mut named: BTreeMap<String, Origin> = BTreeMap::new();
    let config = draft.name_of(name, "config");
    if blueprint.generated.is_some() {
        let source = MountSource::Volume(config.clone());
        let mount = Mount { source, read_only: true };
        mounts.insert(Generated::MOUNT.to_owned(), mount);
        origins.kind(Field::Mount.key(Generated::MOUNT));
        named.insert(config, Origin::Kind(service.kind().name));
    }
    let is_taken = |path: &str| {
        let own = settings.binds.keys().chain(settings.tmpfs.keys());
        own.chain(settings::targets(settings)).any(|taken| taken.as_str() == path)
    };
    blueprint.volumes.retain(|volume| !is_taken(&volume.target));
    let own = blueprint.volumes.iter().map(|volume| {
        let origin = Origin::Kind(service.kind().name);
        (volume.what.to_owned(), vec![(volume.target.clone(), false, origin)])
    });
    let written = settings.volumes.iter().map(|(what, targets)| {
        let targets = targets.value.0.iter().map(|target| {
            let VolumeTarget { path, read_only } = &target.value;
            (path.to_string(), *read_only, target.origin.clone())
        });
        (what.to_string(), targets.collect())
    });
    for (what, targets) in own.chain(written) {
        let declared = draft.spec.volumes.iter().find(|(key, _)| key.as_str() == what);
        let volume = declared.and_then(|(_, rule)| rule.name.as_ref());
        let volume = match (volume, declared) {
            (Some(own), _) => own.value.to_string(),
            (None, Some(_)) => format!("{}-{what}", draft.spec.prefix()),
            (None, None) => draft.name_of(name, &what),
        };
        let origin = targets.first().map_or(Origin::Default, |(_, _, origin)| origin.clone());
        for (target, read_only, origin) in targets {
            let mount = Mount { source: MountSource::Volume(volume.clone()), read_only };
            origins.say(Field::Mount.key(&target), origin.clone());
            if mounts.insert(target.clone(), mount).is_some() {
                draft.problems.push(taken(&target, &origin));
            }
        }
        if let Some((_, rule)) = declared {
            add_declared(draft, volume, name, rule, &origin);
            continue;
        }
        let key = (ResourceId::Volume(volume.clone()), Field::Driver.path());
        if let Some(first) = named.get(&volume).or_else(|| draft.desired.origins.get(&key)) {
            let message = format!("two volumes would be called {volume}");
            let problem = Diagnostic::error("volume-twice", message)
                .at(blamed(&origin, service), format!("`{what}` of {name}"))
                .at(first, "the first")
                .help("call one of them something else");
            draft.problems.push(problem);
            continue;
        }
        add_volume(draft, volume.clone(), name, (Keep::Data, origin.clone()));
        named.insert(volume, origin);
    }
    for (target, bind) in &settings.binds {
        let source = MountSource::Bind(bind.value.path.clone());
        let mount = Mount { source, read_only: bind.value.read_only };
        origins.say(Field::Mount.key(target), bind.origin.clone());
        if mounts.insert(target.to_string(), mount).is_some() {
            draft.problems.push(taken(target.as_str(), &bind.origin));
        }
    }
    mounts
}

/// What a kind brings along is blamed on the service.
fn blamed<'a>(origin: &'a Origin, service: &'a Service) -> &'a Origin {
    match origin {
        Origin::File { .. } => origin,
        Origin::Kind(_) | Origin::Default | Origin::Computed(_) => &service.origin,
    }
}

fn taken(target: &str, origin: &Origin) -> Diagnostic {
    let message = format!("nself has files of its own at `{target}`");
    Diagnostic::error("mount-taken", message).at(origin, "").help("mount it somewhere else")
}

/// What a volume is good for.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Data,
    Files,
}

fn add_volume(
    draft: &mut Draft<'_>,
    name: String,
    service: &ServiceName,
    (keep, origin): (Keep, Origin),
) {
    let id = ResourceId::Volume(name.clone());
    let volume = Volume {
        name,
        service: service.clone(),
        disposable: keep == Keep::Files,
        driver: "local".to_owned(),
        options: BTreeMap::new(),
    };
    draft.say(&id, Field::Driver.path(), origin);
    draft.add(id, Resource::Volume(volume));
}

/// Adds a volume that the file declares, which several services may share.
fn add_declared(
    draft: &mut Draft<'_>,
    name: String,
    service: &ServiceName,
    rule: &VolumeRule,
    origin: &Origin,
) {
    let VolumeRule { name: own, external, driver, options } = rule;
    let id = ResourceId::Volume(name.clone());
    // Shared or called otherwise, it is not bound to the names of one service.
    draft.desired.named.insert(id.clone());
    if external.as_ref().is_some_and(|external| external.value) {
        draft.desired.external.insert(id);
        return;
    }
    let place = driver.as_ref().map(|driver| &driver.origin);
    let place = place.or(own.as_ref().map(|own| &own.origin)).unwrap_or(origin);
    draft.say(&id, Field::Driver.path(), place.clone());
    for (key, option) in options {
        draft.say(&id, Field::DriverOption.key(key), option.origin.clone());
    }
    let volume = Volume {
        name,
        service: service.clone(),
        disposable: false,
        driver: driver.as_ref().map_or("local", |driver| &driver.value).to_owned(),
        options: options.iter().map(|(key, value)| (key.clone(), value.value.clone())).collect(),
    };
    draft.add(id, Resource::Volume(volume));
}

/// Adds the generated files of a service with their volume.
fn files(
    draft: &mut Draft<'_>,
    name: &ServiceName,
    container: &str,
    generated: Generated,
) -> ResourceId {
    let Generated { files, owner, check, reload } = generated;
    let volume = draft.name_of(name, "config");
    let id = ResourceId::Files(container.to_owned());
    for path in files.keys() {
        let origin = Origin::Computed(format!("the settings of {name}"));
        draft.say(&id, Field::Content.key(path), origin);
    }
    let resource = Files {
        volume: volume.clone(),
        container: container.to_owned(),
        mount: Generated::MOUNT.to_owned(),
        files: joined(&files),
        owner,
        check,
        reload,
    };
    draft.add(id.clone(), Resource::Files(resource));
    let origin = Origin::Computed(format!("the settings of {name}"));
    add_volume(draft, volume.clone(), name, (Keep::Files, origin));
    draft.order(&id, &ResourceId::Volume(volume), "written into it");
    id
}

/// Adds one container with what must be there before it.
fn place(
    draft: &mut Draft<'_>,
    container: Container,
    origins: &Origins,
    files: Option<&ResourceId>,
) {
    let id = ResourceId::Container(container.name.clone());
    let written = draft.spec.services.get(&container.service);
    if written.is_some_and(|service| service.settings.container_name.is_some()) {
        draft.desired.named.insert(id.clone());
    }
    draft.order(&id, &ResourceId::Image(container.image.to_string()), "made from it");
    for mount in container.mounts.values() {
        if let MountSource::Volume(volume) = &mount.source
            && !draft.desired.external.contains(&ResourceId::Volume(volume.clone()))
        {
            draft.order(&id, &ResourceId::Volume(volume.clone()), "mounts it");
        }
    }
    if let Some(files) = files {
        draft.order(&id, files, "reads them");
    }
    for path in container.fields().0.into_keys() {
        let origin = origins.of(&path);
        draft.say(&id, path, origin);
    }
    draft.drew_container(&container.service, id.clone());
    draft.add(id, Resource::Container(Box::new(container)));
}

/// Adds what is inside a service: each thing after the container and after what comes before it by kind.
fn inner(
    draft: &mut Draft<'_>,
    name: &ServiceName,
    container: &str,
    specs: Vec<InnerSpec>,
    driver: Option<&InnerDriver>,
) {
    let Some(driver) = driver else { return };
    let mut by_kind: BTreeMap<_, Vec<ResourceId>> = BTreeMap::new();
    for mut spec in specs {
        let inner = Inner {
            service: name.clone(),
            kind: spec.kind,
            database: spec.database.clone(),
            name: spec.name.clone(),
        };
        for text in spec.attributes.values_mut() {
            *text = std::mem::take(text).joined();
        }
        let id = ResourceId::Inner(inner.clone());
        draft.order(&id, &ResourceId::Container(container.to_owned()), format!("inside {name}"));
        for key in spec.attributes.keys() {
            let path: Path = Field::Attribute.key(key);
            draft.say(&id, path, Origin::Computed(format!("the settings of {name}")));
        }
        by_kind.entry(spec.kind).or_default().push(id.clone());
        let resource = InnerResource {
            id: inner,
            container: container.to_owned(),
            driver: driver.clone(),
            spec,
        };
        draft.add(id.clone(), Resource::Inner(resource));
        draft.drew_inner(name, id);
    }
    let levels: Vec<_> = by_kind.into_iter().collect();
    for pair in levels.windows(2) {
        let [(kind, before), (_, after)] = pair else { continue };
        for (id, first) in after.iter().flat_map(|id| before.iter().map(move |b| (id, b))) {
            draft.order(id, first, format!("every {} comes first", kind.word()));
        }
    }
}
