//! Generated files.

use std::collections::BTreeMap;

use nself::{
    desired::{Check, File, Files, Mount, MountSource, Reload},
    engine::{Engine, Error, Refusal},
    model::{Digest, ResourceId, SecretName, Text},
    observed::SeenFiles,
    plan::Op,
};

use super::{PASSWORD, keyring, look, make, named, refused, request, run, twice};

fn set(prefix: &str, files: &[(&str, Text, u32)]) -> Files {
    let files = files.iter().map(|(path, content, mode)| {
        ((*path).to_owned(), File { content: content.clone(), mode: *mode })
    });
    Files {
        volume: format!("{prefix}-files"),
        container: format!("{prefix}-reader"),
        mount: "/etc/nself".into(),
        files: files.collect(),
        owner: (101, 102),
        check: None,
        reload: Reload::Restart,
    }
}

/// A container with a read-only root, which no engine takes an upload into.
async fn reader<E: Engine>(engine: &E, prefix: &str) {
    run(engine, make::volume_creation(prefix, &make::volume(&format!("{prefix}-files")))).await;
    let mut container = make::sleeper(&format!("{prefix}-reader"));
    container.read_only = true;
    let source = MountSource::Volume(format!("{prefix}-files"));
    container.mounts.insert("/etc/nself".into(), Mount { source, read_only: true });
    make::up(engine, prefix, &container).await;
}

async fn see<E: Engine>(engine: &E, prefix: &str, files: &Files, contents: bool) -> SeenFiles {
    let mut request = request(prefix);
    request.files = vec![files.clone()];
    request.contents = contents;
    let seen = engine.observe(&request).await.unwrap();
    seen.files[&ResourceId::Files(files.container.clone())].clone()
}

async fn write<E: Engine>(engine: &E, files: &Files) -> Digest {
    let digest = files.digest(&keyring()).unwrap();
    twice(engine, Op::WriteFiles { files: files.clone(), digest: digest.clone() }).await;
    digest
}

async fn switch<E: Engine>(engine: &E, files: &Files, digest: &Digest) {
    let (volume, digest) = (files.volume.clone(), digest.to_string());
    twice(engine, Op::SwitchFiles { volume, digest }).await;
}

pub async fn a_set_is_written_switched_and_seen<E: Engine>(engine: &E, prefix: &str) {
    reader(engine, prefix).await;
    let secret = Text::secret(SecretName::new("password").unwrap());
    let files = set(
        prefix,
        &[("nginx.conf", Text::plain("ü = 1\n"), 0o444), ("tls/deep/key.pem", secret, 0o400)],
    );
    let digest = write(engine, &files).await;
    // Written beside what is in use, and not in use yet.
    assert_eq!(see(engine, prefix, &files, false).await.current, None);
    switch(engine, &files, &digest).await;
    let seen = see(engine, prefix, &files, false).await;
    assert_eq!(seen.current, Some(digest.to_string()));
    let stats: BTreeMap<&str, (u64, u32, bool, bool)> = seen
        .files
        .iter()
        .map(|(path, s)| (path.as_str(), (s.size, s.mode, s.untouched, s.content.is_some())))
        .collect();
    let expected = BTreeMap::from([
        ("nginx.conf", (7, 0o444, true, false)),
        ("tls/deep/key.pem", (PASSWORD.len() as u64, 0o400, true, false)),
    ]);
    assert_eq!(stats, expected);
    let seen = see(engine, prefix, &files, true).await;
    // Podman does not tell whose files are.
    let tells = look(engine, prefix).await.engine.updates_in_place;
    let owner = tells.then_some((101, 102));
    assert!(seen.files.values().all(|stat| stat.owner == owner));
    let content = |path: &str| seen.files[path].content.clone().unwrap();
    assert_eq!(content("nginx.conf").expose(), "ü = 1\n");
    assert_eq!(content("tls/deep/key.pem").expose(), PASSWORD);
    // No trace of the helper that wrote them.
    assert_eq!(look(engine, prefix).await.containers.len(), 1);
}

pub async fn old_sets_go_and_the_last_stays<E: Engine>(engine: &E, prefix: &str) {
    reader(engine, prefix).await;
    let mut digests = Vec::new();
    for version in ["one", "two", "three"] {
        let files = set(prefix, &[("a.conf", Text::plain(version), 0o644)]);
        let digest = write(engine, &files).await;
        switch(engine, &files, &digest).await;
        digests.push(digest);
    }
    let there = async |digest: &Digest| {
        let dir = format!("/etc/nself/{digest}");
        let argv = ["test", "-f", "{dir}/a.conf"].map(str::to_owned);
        let container = named(&format!("{prefix}-reader"));
        engine.execute(&Op::CheckFiles { container, check: Check(argv.into()), dir }).await.is_ok()
    };
    assert_eq!(
        [there(&digests[0]).await, there(&digests[1]).await, there(&digests[2]).await],
        [false, true, true]
    );
    // A set that was cleared away can be written again.
    let files = set(prefix, &[("a.conf", Text::plain("one"), 0o644)]);
    let digest = write(engine, &files).await;
    switch(engine, &files, &digest).await;
    let seen = see(engine, prefix, &files, true).await;
    assert_eq!(seen.files["a.conf"].content.as_ref().unwrap().expose(), "one");
}

pub async fn a_set_that_was_not_written_is_not_switched_to<E: Engine>(engine: &E, prefix: &str) {
    reader(engine, prefix).await;
    let digest = Digest::of(b"never").to_string();
    let switch = Op::SwitchFiles { volume: format!("{prefix}-files"), digest };
    assert_eq!(refused(engine, switch).await, Refusal::NotFound);
    let files = set(prefix, &[]);
    assert_eq!(see(engine, prefix, &files, false).await.current, None);
    let nowhere = Files { volume: format!("{prefix}-none"), ..files };
    let digest = Digest::of(b"x");
    let kind = refused(engine, Op::WriteFiles { files: nowhere, digest }).await;
    assert_eq!(kind, Refusal::NotFound);
    assert_eq!(look(engine, prefix).await.volumes.len(), 1);
}

pub async fn a_check_runs_inside<E: Engine>(engine: &E, prefix: &str) {
    reader(engine, prefix).await;
    let secret = Text::secret(SecretName::new("password").unwrap());
    let files = set(prefix, &[("a.conf", secret, 0o444)]);
    let digest = write(engine, &files).await;
    let check = |script: &str| Op::CheckFiles {
        container: named(&files.container),
        check: Check(["/bin/sh", "-c", script, "sh", "{dir}"].map(str::to_owned).into()),
        dir: format!("/etc/nself/{digest}"),
    };
    twice(engine, check("test -f $1/a.conf")).await;
    match engine.execute(&check("cat $1/a.conf; echo bad line 7 >&2; exit 1")).await {
        Err(Error::Failed { output, .. }) => assert_eq!(output, "(secret)\nbad line 7"),
        other => panic!("{other:?}"),
    }
}

pub async fn there_is_nothing_to_see_before_the_first_set<E: Engine>(engine: &E, prefix: &str) {
    let files = set(prefix, &[("a.conf", Text::plain("x"), 0o644)]);
    let mut request = request(prefix);
    request.files = vec![files.clone()];
    assert!(engine.observe(&request).await.unwrap().files.is_empty());
    reader(engine, prefix).await;
    assert_eq!(see(engine, prefix, &files, true).await, SeenFiles::default());
}
