//! The project's memory, kept in the labels of a volume that nobody mounts.
//!
//! Labels cannot be changed, so a new memory is a new volume, and the old one goes once the new one is
//! there. The name ends in a digest of the text: writing the same twice is writing it once.

use std::collections::BTreeMap;

use bollard::{
    models::{Volume as ApiVolume, VolumeCreateRequest},
    query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions},
};

use super::{
    Docker,
    create::{is_ours, owned},
    defaults, refusal,
};
use crate::{
    engine::Error,
    model::Digest,
    observed::{Record, Unreadable, label},
    plan::Target,
};

impl Docker {
    pub(super) async fn write_record(
        &self,
        prefix: &str,
        ownership: &BTreeMap<String, String>,
        record: &Record,
    ) -> Result<(), Error> {
        let what = "write the project's memory";
        let text = record.to_text();
        // Of equal texts of two projects each needs a volume.
        let lesson = self.lesson(prefix, what).await?;
        let owners = ownership.values().chain(&lesson).map(String::as_bytes);
        let digest = Digest::of_parts(owners.chain([text.as_bytes()]));
        let phase = if record.complete { 'c' } else { 'i' };
        let name = format!("{}{}{phase}-{}", beginning(prefix), record.generation, digest.short());
        let mut labels = ownership.clone();
        labels.insert(label::RECORD.to_owned(), text);
        labels.extend(lesson.map(|lesson| (label::ENGINE_DEFAULTS.to_owned(), lesson)));
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            driver: Some("local".into()),
            labels: Some(owned(&labels)),
            ..VolumeCreateRequest::default()
        };
        let made = self.api.create_volume(request).await;
        made.map_err(|error| self.refused(what, &error))?;
        self.remove_records(prefix, ownership, Some(&name), what).await
    }

    /// Learns what the engine was set to give to every container from the one that is there during every
    /// apply and for which nothing was asked: the lock. A look may not make one.
    async fn lesson(&self, prefix: &str, what: &str) -> Result<Option<String>, Error> {
        if !self.server.dialect.repeats {
            // Containers are read by what was asked of them, not by what the engine made of it.
            return Ok(None);
        }
        let lock = Target::Name(super::lock::lock_name(prefix));
        let there = self.look_up(&lock, what).await?;
        Ok(there.map(|mut there| defaults::lesson(there.object("HostConfig")).to_string()))
    }

    pub(super) async fn remove_record(
        &self,
        prefix: &str,
        ownership: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.remove_records(prefix, ownership, None, "forget the project's memory").await
    }

    async fn remove_records(
        &self,
        prefix: &str,
        ownership: &BTreeMap<String, String>,
        but: Option<&str>,
        what: &str,
    ) -> Result<(), Error> {
        let filters = [("label".to_owned(), vec![label::RECORD.to_owned()])].into();
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.api.list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.refused(what, &error))?;
        let beginning = beginning(prefix);
        for volume in listed.volumes.unwrap_or_default() {
            // Two projects may call themselves alike; whose it is stands in the labels.
            let there = volume.labels.into_iter().collect();
            let is_one = volume.name.starts_with(&beginning) && is_ours(&there, ownership);
            if !is_one || Some(volume.name.as_str()) == but {
                continue;
            }
            let removed = self.api.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
            refusal::found(removed).map_err(|error| self.refused(what, &error))?;
        }
        Ok(())
    }
}

/// What the volume of a memory says.
pub(super) struct Memory {
    /// The memory itself.
    pub(super) record: Record,
    /// What was learned of the engine when it was written.
    pub(super) lesson: Option<String>,
    /// Whether there is another one that it stands above.
    pub(super) has_older: bool,
}

/// Returns the memory among volumes of ours: the latest that can be read.
///
/// # Errors
/// One that a newer nself wrote: to go on without it would be to forget what was stopped and what was done.
pub(super) fn latest<'a>(
    volumes: impl IntoIterator<Item = &'a ApiVolume>,
) -> Result<Option<Memory>, Error> {
    let mut memories = Vec::new();
    for volume in volumes {
        let Some(text) = volume.labels.get(label::RECORD) else { continue };
        let lesson = volume.labels.get(label::ENGINE_DEFAULTS).cloned();
        match Record::parse(text) {
            Ok(record) => memories.push(Memory { record, lesson, has_older: false }),
            Err(Unreadable::Foreign) => {}
            Err(Unreadable::Newer { found, known }) => {
                return Err(Error::Newer { volume: volume.name.clone(), found, known });
            }
        }
    }
    // Of one generation, what was written at its end stands above the intent at its beginning.
    let rank = |memory: &Memory| {
        let Record { generation, complete, at, .. } = memory.record;
        (generation, complete, at)
    };
    Ok(memories.into_iter().reduce(|one, other| {
        let latest = if rank(&one) > rank(&other) { one } else { other };
        Memory { has_older: true, ..latest }
    }))
}

/// No name of ours has a dot, so this begins no other project's names.
fn beginning(prefix: &str) -> String {
    format!("{prefix}.nself.")
}
