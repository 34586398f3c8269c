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
    /// volume its name. Another object of the same name is not what was adopted. Without an id, which the
    /// first versions did not write, it is whatever has the name.
    pub adopted: BTreeMap<ResourceId, String>,
    /// Containers that were started and have not been seen ready.
    pub unready: BTreeSet<ResourceId>,
    /// The digest of the inputs of each job that has ended well.
    pub jobs: BTreeMap<ResourceId, String>,
}

/// The form of the text that this nself writes.
const FORM: u32 = 1;

/// Why a text is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is none of ours, or damaged.
    Foreign,
    /// A newer nself wrote it.
    Newer {
        /// Its form.
        found: u64,
        /// The latest form known here.
        known: u32,
    },
}

#[derive(Deserialize)]
struct Form {
    v: u64,
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
            v: FORM,
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

    /// Reads a record, of any form that is known. The form is read by itself first, since a newer one may
    /// lack what is expected here.
    ///
    /// # Errors
    /// A text that is none of ours, or a newer nself's.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let foreign = |_| Unreadable::Foreign;
        let Form { v: found } = serde_json::from_str(text).map_err(foreign)?;
        match u32::try_from(found) {
            Ok(FORM) => Ok(Self::of(serde_json::from_str(text).map_err(foreign)?)),
            Ok(0) => Err(Unreadable::Foreign),
            Ok(_) | Err(_) => Err(Unreadable::Newer { found, known: FORM }),
        }
    }

    fn of(wire: Wire) -> Self {
        let ids = |list: &[String]| list.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
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
                // The first versions wrote no ids; whoever looks fills them in.
                .map(|text| text.rsplit_once(' ').unwrap_or((text, "")))
                .filter_map(|(id, engine)| Some((id.parse().ok()?, engine.to_owned())))
                .collect(),
            unready: ids(&wire.unready),
            jobs: wire
                .jobs
                .into_iter()
                .filter_map(|(id, digest)| Some((id.parse().ok()?, digest)))
                .collect(),
        }
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
        assert_eq!(Record::parse(&record.to_text()), Ok(record));
        assert_eq!(Record::parse("{}"), Err(Unreadable::Foreign));
        let newer = Unreadable::Newer { found: 2, known: 1 };
        assert_eq!(Record::parse(r#"{"v":2,"what":"ever"}"#), Err(newer));
    }
}
