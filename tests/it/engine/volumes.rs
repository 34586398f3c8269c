//! Volumes, and the memory that is kept in one.

use nself::{
    desired::{Mount, MountSource},
    engine::{Engine, Refusal},
    model::ResourceId,
    observed::{Live, Record, Request},
    plan::Op,
};

use super::{forgetting, labels, look, make, named, other_project, refused, request, run, twice};

pub async fn making_one_twice_keeps_it<E: Engine>(engine: &E, prefix: &str) {
    let mut volume = make::volume(&format!("{prefix}-data"));
    volume.options.insert("type".into(), "tmpfs".into());
    volume.options.insert("device".into(), "tmpfs".into());
    let mut disposable = make::volume(&format!("{prefix}-files"));
    disposable.disposable = true;
    for volume in [&volume, &disposable] {
        twice(engine, make::volume_creation(prefix, volume)).await;
    }
    let seen = look(engine, prefix).await.volumes;
    assert_eq!(seen.len(), 2);
    for (path, value) in nself::desired::Resource::Volume(volume).fields().0 {
        let nself::desired::Value::Plain(value) = value else { panic!("{path}") };
        assert_eq!(seen[0].fields.get(&path), Some(&Live::text(value)), "{path}");
    }
    assert_eq!((seen[0].disposable, seen[1].disposable), (false, true));
    twice(engine, Op::RemoveVolume { name: format!("{prefix}-data") }).await;
    assert_eq!(look(engine, prefix).await.volumes.len(), 1);
}

pub async fn other_options_are_refused<E: Engine>(engine: &E, prefix: &str) {
    let mut volume = make::volume(&format!("{prefix}-data"));
    run(engine, make::volume_creation(prefix, &volume)).await;
    volume.options.insert("type".into(), "tmpfs".into());
    volume.options.insert("device".into(), "tmpfs".into());
    let kind = refused(engine, make::volume_creation(prefix, &volume)).await;
    assert_eq!(kind, Refusal::NameTaken);
}

pub async fn one_in_use_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let volume = make::volume(&format!("{prefix}-data"));
    run(engine, make::volume_creation(prefix, &volume)).await;
    let mut container = make::sleeper(&format!("{prefix}-a"));
    let mount = Mount { source: MountSource::Volume(volume.name.clone()), read_only: false };
    container.mounts.insert("/data".into(), mount);
    run(engine, make::creation(prefix, &container)).await;
    let remove = Op::RemoveVolume { name: volume.name };
    assert_eq!(refused(engine, remove.clone()).await, Refusal::InUse);
    // Removing a container leaves its volumes.
    run(engine, Op::RemoveContainer(named(&container.name))).await;
    assert_eq!(look(engine, prefix).await.volumes.len(), 1);
    run(engine, remove).await;
}

pub async fn a_name_of_somebody_else_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let volume = make::volume(&format!("{prefix}-data"));
    run(engine, make::volume_creation(&other_project(prefix), &volume)).await;
    let kind = refused(engine, make::volume_creation(prefix, &volume)).await;
    assert_eq!(kind, Refusal::NameTaken);
    assert!(look(engine, prefix).await.volumes.is_empty());
    let mut request = request(prefix);
    request.names.insert(ResourceId::Volume(volume.name));
    assert!(!engine.observe(&request).await.unwrap().volumes[0].owner.is_ours());
}

pub async fn the_memory_is_the_latest<E: Engine>(engine: &E, prefix: &str) {
    let write = |record: &Record| Op::WriteRecord {
        prefix: prefix.to_owned(),
        labels: labels(prefix, &ResourceId::Volume("memory".into())),
        record: record.clone(),
    };
    let read = async || look(engine, prefix).await.record;
    assert_eq!(read().await, None);
    let mut record = Record { generation: 1, at: 5, ..Record::default() };
    twice(engine, write(&record)).await;
    assert_eq!(read().await, Some(record.clone()));
    record.complete = true;
    record.resources.insert(ResourceId::Container("shop-api".into()));
    twice(engine, write(&record)).await;
    assert_eq!(read().await, Some(record.clone()));
    record.generation = 2;
    run(engine, write(&record)).await;
    assert_eq!(read().await, Some(record));
    let seen = look(engine, prefix).await;
    assert!(seen.volumes.is_empty(), "memory is not data: {:?}", seen.volumes);
    twice(engine, forgetting(prefix, prefix)).await;
    assert_eq!(read().await, None);
}

pub async fn projects_called_alike_remember_apart<E: Engine>(engine: &E, prefix: &str) {
    let other = other_project(prefix);
    let write = |project: &str, record: &Record| Op::WriteRecord {
        prefix: prefix.to_owned(),
        labels: labels(project, &ResourceId::Volume("memory".into())),
        record: record.clone(),
    };
    let read = async |project: &str| {
        let request = Request { project_id: project.to_owned(), ..request(prefix) };
        engine.observe(&request).await.unwrap().record
    };
    // The very same text is two memories all the same.
    let record = Record { generation: 1, at: 5, ..Record::default() };
    run(engine, write(&other, &record)).await;
    run(engine, write(prefix, &record)).await;
    let newer = Record { generation: 2, ..record.clone() };
    run(engine, write(prefix, &newer)).await;
    assert_eq!(read(&other).await, Some(record.clone()));
    assert_eq!(read(prefix).await, Some(newer));
    run(engine, forgetting(prefix, prefix)).await;
    assert_eq!((read(&other).await, read(prefix).await), (Some(record), None));
}
