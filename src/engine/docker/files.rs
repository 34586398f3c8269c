//! Generated files in configuration volumes.
//!
//! A volume is filled through a container that is never started and only mounts it: no engine takes an
//! upload into a read-only root, and nothing of ours has to run. Looking is done through whatever
//! container has the volume mounted. There is no call that removes a file, but a file uploaded over a
//! folder replaces it; so an old set shrinks to an empty file of its name.

mod look;

use std::collections::{BTreeMap, BTreeSet};

use bollard::{
    container::PathStatResponse,
    models::{ContainerCreateBody, HostConfig, Mount, MountType},
    query_parameters::{
        ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder,
        CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
        UploadToContainerOptionsBuilder,
    },
};
use futures_util::TryStreamExt as _;
use hyper::body::Bytes;

use super::{Docker, context::Packer, exec::Command, refusal};
use crate::{
    desired::{Check, File, Files},
    engine::Error,
    model::Digest,
    observed::label,
    plan::Target,
};

/// The time of every file that nself writes: 2000-01-01. A file with another time was touched since.
const WRITTEN: u64 = 946_684_800;
/// The link to the set in use.
const CURRENT: &str = "current";
/// Where a helper has the volume.
const INSIDE: &str = "/volume";
/// An image of nothing, for containers that are never started.
pub(super) const EMPTY_IMAGE: (&str, &str) = ("nself/empty", "1");
const PERMISSIONS: u32 = 0o7777;

impl Docker {
    pub(super) async fn write_files(&self, files: &Files, digest: &Digest) -> Result<(), Error> {
        let what = format!("write the files of {}", files.container);
        let helper = self.helper(&files.volume, &what).await?;
        let written = self.write_set(&helper, files, digest, &what).await;
        self.remove_by_id(&helper, &what).await?;
        written
    }

    async fn write_set(
        &self,
        helper: &str,
        files: &Files,
        digest: &Digest,
        what: &str,
    ) -> Result<(), Error> {
        let Files { volume: _, container: _, mount: _, files, owner, check: _, reload: _ } = files;
        let mut packer = Packer::new(*owner, WRITTEN);
        packer.folder(digest.as_str()).map_err(|error| self.packing(what, &error))?;
        let mut folders = BTreeSet::new();
        for path in files.keys() {
            folders.extend(parents(path));
        }
        for folder in folders {
            let path = format!("{digest}/{folder}");
            packer.folder(&path).map_err(|error| self.packing(what, &error))?;
        }
        for (path, File { content, mode }) in files {
            let content = self.reveal(content)?;
            let path = format!("{digest}/{path}");
            let added = packer.file(&path, content.expose().as_bytes(), *mode);
            added.map_err(|error| self.packing(what, &error))?;
        }
        // Where the set is there already, somebody may have put more into it.
        let there = self.read_folder(helper, &format!("{INSIDE}/{digest}")).await;
        let there = refusal::found(there).map_err(|error| self.refused(what, &error))?;
        for path in there.into_iter().flatten().map(|(path, _)| path) {
            if !files.contains_key(&path) {
                let emptied = packer.file(&format!("{digest}/{path}"), b"", 0o400);
                emptied.map_err(|error| self.packing(what, &error))?;
            }
        }
        let archive = packer.finish().map_err(|error| self.packing(what, &error))?;
        self.upload(helper, archive, what).await
    }

    pub(super) async fn switch_files(&self, volume: &str, digest: &str) -> Result<(), Error> {
        let what = format!("switch the files in {volume}");
        let helper = self.helper(volume, &what).await?;
        let switched = self.switch(&helper, digest, &what).await;
        self.remove_by_id(&helper, &what).await?;
        switched
    }

    async fn switch(&self, helper: &str, digest: &str, what: &str) -> Result<(), Error> {
        let stat = |path: String| async move {
            let stat = self.stat(helper, &path).await;
            stat.map_err(|error| self.refused(what, &error))
        };
        let target = format!("{INSIDE}/{digest}");
        if stat(target).await?.is_none() {
            let why = "these files were never written";
            return Err(self.refusal(what, crate::engine::Refusal::NotFound, why));
        }
        let before = self.current(helper, INSIDE).await;
        let before = before.map_err(|error| self.refused(what, &error))?;
        if before.as_deref() == Some(digest) {
            return Ok(());
        }
        let mut packer = Packer::new((0, 0), WRITTEN);
        packer.link(CURRENT, digest).map_err(|error| self.packing(what, &error))?;
        // The set before this one stays, so that one can go back to it.
        for old in self.sets(helper, what).await? {
            if old != digest && Some(&old) != before.as_ref() {
                packer.file(&old, b"", 0o600).map_err(|error| self.packing(what, &error))?;
            }
        }
        let archive = packer.finish().map_err(|error| self.packing(what, &error))?;
        self.upload(helper, archive, what).await
    }

    pub(super) async fn check_files(
        &self,
        target: &Target,
        check: &Check,
        dir: &str,
    ) -> Result<(), Error> {
        let what = format!("the check of the new files of {}", target.name());
        let container = self.exact(target, &what).await?;
        let argv: Vec<String> = check.0.iter().map(|word| word.replace("{dir}", dir)).collect();
        let command = Command { argv: &argv, ..Command::default() };
        let ran = self.run(&container, &command, &what).await?;
        if ran.code == 0 {
            return Ok(());
        }
        Err(Error::Failed { what, output: self.last_words(&ran) })
    }

    /// Removes helpers that an upload cut off has left at a volume; returns whether there were any.
    pub(super) async fn remove_helpers(&self, volume: &str, what: &str) -> Result<bool, Error> {
        let there = self.container_labels(&helper_name(volume)).await?;
        match there.filter(|there| there.labels.contains_key(label::HELPER)) {
            None => Ok(false),
            Some(there) => self.remove_by_id(&there.id, what).await.map(|()| true),
        }
    }

    /// Makes a container that is never started, from nothing, and returns its id. The name is taken by
    /// whoever is first.
    pub(super) async fn idle_container(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        volume: Option<&str>,
    ) -> Result<String, bollard::errors::Error> {
        let (repository, tag) = EMPTY_IMAGE;
        let mount = volume.map(|volume| Mount {
            target: Some(INSIDE.into()),
            source: Some(volume.into()),
            typ: Some(MountType::VOLUME),
            ..Mount::default()
        });
        let body = ContainerCreateBody {
            image: Some(format!("{repository}:{tag}")),
            cmd: Some(vec!["never-started".into()]),
            labels: Some(super::create::owned(labels)),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                mounts: Some(mount.into_iter().collect()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let create = async || {
            let options = CreateContainerOptionsBuilder::new().name(name).build();
            self.api.create_container(Some(options), body.clone()).await
        };
        let made = match create().await {
            Err(error) if refusal::status(&error) == Some(404) => {
                self.import_empty().await?;
                create().await
            }
            other => other,
        };
        made.map(|made| made.id)
    }

    async fn import_empty(&self) -> Result<(), bollard::errors::Error> {
        let (repository, tag) = EMPTY_IMAGE;
        // Podman takes no notice of a tag that is given apart.
        let name = format!("{repository}:{tag}");
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(&name).build();
        // Two blocks of zeroes are an archive of nothing.
        let nothing = bollard::body_full(Bytes::from_static(&[0; 1024]));
        let answers = self.api.create_image(Some(options), Some(nothing), None);
        answers.try_for_each(|_| async { Ok(()) }).await
    }

    async fn helper(&self, volume: &str, what: &str) -> Result<String, Error> {
        // The engine would make a missing volume, without our labels.
        let there = self.api.inspect_volume(volume).await;
        there.map_err(|error| self.refused(what, &error))?;
        let labels = BTreeMap::from([(label::HELPER.to_owned(), volume.to_owned())]);
        let name = helper_name(volume);
        let error = match self.idle_container(&name, &labels, Some(volume)).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if refusal::status(&error) == Some(409) && self.remove_helpers(volume, what).await? {
            let made = self.idle_container(&name, &labels, Some(volume)).await;
            return made.map_err(|error| self.refused(what, &error));
        }
        Err(self.refused(what, &error))
    }

    async fn upload(&self, helper: &str, archive: Vec<u8>, what: &str) -> Result<(), Error> {
        let options = UploadToContainerOptionsBuilder::new().path(INSIDE).build();
        let body = bollard::body_full(Bytes::from(archive));
        let sent = self.api.upload_to_container(helper, Some(options), body).await;
        sent.map_err(|error| self.refused(what, &error))
    }

    async fn stat(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<PathStatResponse>, bollard::errors::Error> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        refusal::found(self.api.get_container_archive_info(container, Some(options)).await)
    }

    /// Returns the name of the set in use in a volume.
    async fn current(
        &self,
        container: &str,
        mount: &str,
    ) -> Result<Option<String>, bollard::errors::Error> {
        let link = format!("{mount}/{CURRENT}");
        let shows_links = self.server.dialect.shows_links;
        if shows_links {
            let there = self.stat(container, &link).await?;
            return Ok(there.map(|stat| last_part(&stat.link_target).to_owned()));
        }
        // Only the folder it is in shows it as a link.
        let Some(all) = refusal::found(self.read_folder(container, mount).await)? else {
            return Ok(None);
        };
        let target = all.get(CURRENT).and_then(|link| link.content.as_ref());
        Ok(target.map(|target| last_part(target.expose()).to_owned()))
    }

    /// Returns the names of the folders of sets in a volume.
    async fn sets(&self, helper: &str, what: &str) -> Result<Vec<String>, Error> {
        let archive = self.download(helper, INSIDE).await;
        let archive = archive.map_err(|error| self.refused(what, &error))?;
        let mut sets = Vec::new();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().map_err(|error| self.packing(what, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| self.packing(what, &error))?;
            let path = entry.path().map_err(|error| self.packing(what, &error))?;
            let mut parts = path.components().skip(1);
            let (Some(name), None) = (parts.next(), parts.next()) else { continue };
            let name = name.as_os_str().to_string_lossy().into_owned();
            let is_set = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_set && entry.header().entry_type().is_dir() {
                sets.push(name);
            }
        }
        Ok(sets)
    }

    async fn download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Vec<u8>, bollard::errors::Error> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let pieces = self.api.download_from_container(container, Some(options));
        let whole = pieces.try_fold(Vec::new(), |mut whole, piece| async move {
            whole.extend_from_slice(&piece);
            Ok(whole)
        });
        whole.await
    }

    fn packing(&self, what: &str, error: &std::io::Error) -> Error {
        self.refusal(what, crate::engine::Refusal::Other, error.to_string())
    }
}

/// The engine resolves links to whole paths; only the folder's name counts.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn helper_name(volume: &str) -> String {
    format!("{volume}.writer")
}
