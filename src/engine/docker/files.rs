//! Generated files in configuration volumes.
//!
//! A volume is filled through a container that is never started and only mounts it: no engine takes an
//! upload into a read-only root, and nothing of ours has to run. Looking is done through whatever
//! container has the volume mounted. There is no call that removes a file, but a file uploaded over a
//! folder replaces it; so an old set shrinks to an empty file of its name.

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
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::body::Bytes;

use super::{Docker, context::Packer, exec::Command, observe::AT_ONCE, refusal};
use crate::{
    desired::{Check, Field, File, Files},
    engine::Error,
    model::{Digest, ResourceId, Sensitive},
    observed::{FileStat, Live, Request, SeenContainer, SeenFiles, label},
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
        let before = stat(format!("{INSIDE}/{CURRENT}")).await?;
        let before = before.map(|stat| last_part(&stat.link_target).to_owned());
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

    pub(super) async fn look_at_files(
        &self,
        request: &Request,
        seen: &[SeenContainer],
    ) -> Result<BTreeMap<ResourceId, SeenFiles>, Error> {
        let looks = request.files.iter().map(async |files| {
            let Some((container, mount)) = window(files, seen) else { return Ok(None) };
            let what = format!("look at the files of {}", files.container);
            let looked = self.look_at_set(files, &container.id, mount, request.contents).await;
            // There is nothing to say of a container that went while we looked.
            let set = refusal::found(looked).map_err(|error| self.refused(what, &error))?;
            Ok(set.map(|set| (ResourceId::Files(files.container.clone()), set)))
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn look_at_set(
        &self,
        files: &Files,
        container: &str,
        mount: &str,
        contents: bool,
    ) -> Result<SeenFiles, bollard::errors::Error> {
        let current = self.stat(container, &format!("{mount}/{CURRENT}")).await?;
        let Some(current) = current else { return Ok(SeenFiles::default()) };
        let digest = last_part(&current.link_target).to_owned();
        let looks = files.files.keys().map(async |path| {
            let stat = self.stat(container, &format!("{mount}/{digest}/{path}")).await?;
            Ok::<_, bollard::errors::Error>(stat.map(|stat| (path.clone(), file_stat(&stat))))
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut set = SeenFiles {
            current: Some(digest.clone()),
            files: found.into_iter().flatten().collect(),
        };
        if contents && !set.files.is_empty() {
            let all = self.read_folder(container, &format!("{mount}/{digest}")).await?;
            for (path, read) in all {
                if let Some(stat) = set.files.get_mut(&path) {
                    (stat.owner, stat.content) = (read.owner, read.content);
                } else if read.size > 0 {
                    set.files.insert(path, read);
                }
            }
        }
        Ok(set)
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
        let options =
            CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
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

    async fn read_folder(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BTreeMap<String, FileStat>, bollard::errors::Error> {
        use std::io::Read as _;
        let archive = self.download(container, path).await?;
        let mut files = BTreeMap::new();
        let mut archive = tar::Archive::new(archive.as_slice());
        for entry in archive.entries()? {
            let mut entry = entry?;
            // The first part is the folder itself, or the empty file that is left of one.
            let inside: std::path::PathBuf = entry.path()?.components().skip(1).collect();
            if inside.as_os_str().is_empty() {
                continue;
            }
            let kind = entry.header().entry_type();
            let mut content = Vec::new();
            if kind.is_file() {
                entry.read_to_end(&mut content)?;
            } else if let Some(target) = entry.link_name_bytes() {
                content.extend_from_slice(&target);
            } else {
                continue;
            }
            let owner = (entry.header().uid()?, entry.header().gid()?);
            let owner = u32::try_from(owner.0).ok().zip(u32::try_from(owner.1).ok());
            let stat = FileStat {
                size: content.len() as u64,
                mode: entry.header().mode()? & PERMISSIONS,
                untouched: entry.header().mtime()? == WRITTEN,
                owner,
                content: Some(Sensitive::new(String::from_utf8_lossy(&content).into_owned())),
            };
            files.insert(inside.to_string_lossy().into_owned(), stat);
        }
        Ok(files)
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

/// Returns a container through which a volume can be looked into, and where it is mounted there.
fn window<'a>(files: &Files, seen: &'a [SeenContainer]) -> Option<(&'a SeenContainer, &'a str)> {
    let is_mounted = |live: &Live| match live {
        Live::Text(text) | Live::Verifier(text) => {
            let rest = text.expose().strip_prefix("volume:");
            rest.and_then(|rest| rest.strip_prefix(files.volume.as_str()))
                .is_some_and(|mode| mode.starts_with(':'))
        }
    };
    seen.iter().find_map(|container| {
        let mut mounts = container.fields.0.iter();
        let (path, _) =
            mounts.find(|(path, live)| path.field == Field::Mount && is_mounted(live))?;
        Some((container, path.key.as_str()))
    })
}

fn file_stat(stat: &PathStatResponse) -> FileStat {
    let time = stat.modification_time.as_deref();
    let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    FileStat {
        size: stat.size.try_into().unwrap_or_default(),
        mode: unix_mode(stat.file_mode),
        untouched: time.map(jiff::Timestamp::as_second) == i64::try_from(WRITTEN).ok(),
        owner: None,
        content: None,
    }
}

/// The engine writes modes as Go does: permissions in the lowest nine bits, the rest high up.
fn unix_mode(go: u32) -> u32 {
    let special = [(23, 0o4000), (22, 0o2000), (20, 0o1000)];
    let special = special.into_iter().filter(|(bit, _)| go >> bit & 1 == 1);
    special.fold(go & 0o777, |mode, (_, unix)| mode | unix) & PERMISSIONS
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
