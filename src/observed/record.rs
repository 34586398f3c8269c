//! The project's memory on its engine: what labels cannot hold, since labels cannot be changed.
//!
//! It decides nothing that live state could decide. What no live state can tell is here: which services a
//! person stopped, which jobs are done although their containers are gone, which objects without our
//! labels were adopted. The rest explains. Losing it loses that, and costs one reload of each service
//! with files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Applied;
use crate::model::{ResourceId, ServiceName};

/// What nself remembers of a project instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Counts applies that changed something.
    pub generation: u64,
    /// When it was written, in milliseconds since 1970.
    pub at: u64,
    /// Whether the apply that wrote it came to its end. An intent that did not was cut off.
    pub complete: bool,
    /// The resources that were wanted.
    pub resources: BTreeSet<ResourceId>,
    /// Values changed in place since the object was created, by resource; they stand above the label.
    pub in_place: BTreeMap<ResourceId, Applied>,
    /// The digest of the files each service was last told to load.
    pub loaded: BTreeMap<ResourceId, String>,
    /// Services that a person stopped.
    pub suspended: BTreeSet<ServiceName>,
    /// Objects that are ours although their labels do not say so, each with its id on the engine; for a
    /// volume its name. Another object of the same name is not what was adopted.
    pub adopted: BTreeMap<ResourceId, String>,
    /// Containers that were started and have not been seen ready.
    pub unready: BTreeSet<ResourceId>,
    /// The digest of the inputs of each job that has ended well.
    pub jobs: BTreeMap<ResourceId, String>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    generation: u64,
    at: u64,
    complete: bool,
    resources: Vec<String>,
    in_place: BTreeMap<String, String>,
    loaded: BTreeMap<String, String>,
    suspended: Vec<String>,
    adopted: Vec<String>,
    unready: Vec<String>,
    #[serde(default)]
    jobs: BTreeMap<String, String>,
}

impl Record {
    /// Returns whether both remember the same, whenever they were written.
    pub fn says_the_same(&self, other: &Self) -> bool {
        *self == Self { generation: self.generation, at: self.at, ..other.clone() }
    }

    /// Writes the record as one line.
    pub fn to_text(&self) -> String {
        let Self {
            generation,
            at,
            complete,
            resources,
            in_place,
            loaded,
            suspended,
            adopted,
            unready,
            jobs,
        } = self;
        let wire = Wire {
            v: 1,
            generation: *generation,
            at: *at,
            complete: *complete,
            resources: resources.iter().map(ToString::to_string).collect(),
            in_place: in_place.iter().map(|(id, a)| (id.to_string(), a.to_text())).collect(),
            loaded: loaded.iter().map(|(id, digest)| (id.to_string(), digest.clone())).collect(),
            suspended: suspended.iter().map(ToString::to_string).collect(),
            adopted: adopted.iter().map(|(id, engine)| format!("{id} {engine}")).collect(),
            unready: unready.iter().map(ToString::to_string).collect(),
            jobs: jobs.iter().map(|(id, digest)| (id.to_string(), digest.clone())).collect(),
        };
        serde_json::to_string(&wire).expect("a record is always JSON")
    }

    /// Reads a record; `None` for a version that is not known or a text that is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let wire: Wire = serde_json::from_str(text).ok()?;
        if wire.v != 1 {
            return None;
        }
        let ids = |list: &[String]| list.iter().filter_map(|text| text.parse().ok()).collect();
        Some(Self {
            generation: wire.generation,
            at: wire.at,
            complete: wire.complete,
            resources: ids(&wire.resources),
            in_place: wire
                .in_place
                .iter()
                .filter_map(|(id, text)| Some((id.parse().ok()?, Applied::parse(text)?)))
                .collect(),
            loaded: wire
                .loaded
                .into_iter()
                .filter_map(|(id, digest)| Some((id.parse().ok()?, digest)))
                .collect(),
            suspended: wire.suspended.iter().filter_map(|name| name.parse().ok()).collect(),
            adopted: wire
                .adopted
                .iter()
                .filter_map(|text| text.rsplit_once(' '))
                .filter_map(|(id, engine)| Some((id.parse().ok()?, engine.to_owned())))
                .collect(),
            unready: ids(&wire.unready),
            jobs: wire
                .jobs
                .into_iter()
                .filter_map(|(id, digest)| Some((id.parse().ok()?, digest)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let id = ResourceId::Container("shop-api".into());
        let record = Record {
            generation: 3,
            at: 17,
            complete: true,
            resources: BTreeSet::from([id.clone()]),
            loaded: BTreeMap::from([(id.clone(), "abc".into())]),
            in_place: BTreeMap::from([(id, Applied::default())]),
            suspended: BTreeSet::from([ServiceName::new("api").unwrap()]),
            adopted: BTreeMap::from([(ResourceId::Volume("data".into()), "data".into())]),
            ..Record::default()
        };
        assert_eq!(Record::parse(&record.to_text()), Some(record));
        assert_eq!(Record::parse("{}"), None);
    }
}
