//! Looking at generated files: at a glance by size, mode and time, or by reading them.

use std::{collections::BTreeMap, io::Read as _};

use bollard::container::PathStatResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{PERMISSIONS, WRITTEN};
use crate::{
    desired::{Field, Files},
    engine::{
        Error,
        docker::{Docker, refusal},
    },
    model::{ResourceId, Sensitive},
    observed::{FileStat, Live, Request, SeenContainer, SeenFiles},
};

impl Docker {
    pub(in crate::engine::docker) async fn look_at_files(
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
        let found: Vec<_> =
            stream::iter(looks).buffer_unordered(self.wire.at_once()).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn look_at_set(
        &self,
        files: &Files,
        container: &str,
        mount: &str,
        contents: bool,
    ) -> Result<SeenFiles, bollard::errors::Error> {
        let current = self.current(container, mount).await?;
        let Some(digest) = current else { return Ok(SeenFiles::default()) };
        let looks = files.files.keys().map(async |path| {
            let stat = self.stat(container, &format!("{mount}/{digest}/{path}")).await?;
            Ok::<_, bollard::errors::Error>(stat.map(|stat| (path.clone(), file_stat(&stat))))
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<_> =
            stream::iter(looks).buffer_unordered(self.wire.at_once()).try_collect().await?;
        let mut set = SeenFiles {
            current: Some(digest.clone()),
            files: found.into_iter().flatten().collect(),
        };
        // Podman gives everything it hands out to root.
        let tells_owners = self.server.dialect.repeats;
        if contents && !set.files.is_empty() {
            let all = self.read_folder(container, &format!("{mount}/{digest}")).await?;
            for (path, read) in all {
                if let Some(stat) = set.files.get_mut(&path) {
                    (stat.owner, stat.content) =
                        (read.owner.filter(|_| tells_owners), read.content);
                } else if read.size > 0 {
                    set.files.insert(path, read);
                }
            }
        }
        Ok(set)
    }

    /// Returns all files and links below a folder, as they are.
    pub(super) async fn read_folder(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BTreeMap<String, FileStat>, bollard::errors::Error> {
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
