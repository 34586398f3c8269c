//! How the engine is, in its own words, and how much its volumes hold.
#![expect(clippy::disallowed_methods, reason = "the engine's clock is compared with this one")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::{Docker, host::Machine};
use crate::{
    engine::{Error, Examine},
    observed::Checkup,
};

impl Examine for Docker {
    async fn examine(&self) -> Result<Checkup, Error> {
        let known = self.info().await?;
        let asked = SystemTime::now();
        // Not the remembered answer: the time in it is of now.
        let info =
            self.api.info().await.map_err(|error| self.refused("describe itself", &error))?;
        let answered = SystemTime::now();
        let networks = self.api.list_networks(None).await;
        let networks = networks.map_err(|error| self.refused("list networks", &error))?;
        let machine: Machine = known.machine;
        let look = move || machine.look(&networks, &BTreeSet::new(), &BTreeSet::new());
        let spare = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        let clock = info.system_time.as_deref().and_then(|time| time.parse().ok());
        let (kind, _) = known.facts.name.split_once(' ').unwrap_or((&known.facts.name, ""));
        Ok(Checkup {
            kind: kind.to_owned(),
            version: info.server_version.unwrap_or_default(),
            api: known.facts.api.clone(),
            clock_ahead: clock.map(|clock| ahead(clock, asked, answered)),
            warnings: info.warnings.unwrap_or_default(),
            memory: known.facts.memory,
            host: spare.0,
        })
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, Error> {
        let usage = self.wire.json("/system/df").await;
        let usage = usage.map_err(|error| self.refused("count what volumes hold", &error))?;
        Ok(sizes(&usage))
    }
}

/// Reads the sizes of volumes, which stand in another place from API 1.52 on.
fn sizes(usage: &serde_json::Value) -> BTreeMap<String, u64> {
    let lists = [&usage["Volumes"], &usage["VolumeUsage"]["Items"]];
    let volumes = lists.into_iter().filter_map(|list| list.as_array()).flatten();
    // It says -1 where it cannot count.
    let size = |volume: &serde_json::Value| {
        Some((volume["Name"].as_str()?.to_owned(), volume["UsageData"]["Size"].as_u64()?))
    };
    volumes.filter_map(size).collect()
}

/// Returns by how many milliseconds a clock is ahead of ours; within the time that the question took,
/// nothing can be said.
fn ahead(clock: jiff::Timestamp, asked: SystemTime, answered: SystemTime) -> i64 {
    let millis = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    let (clock, asked, answered) = (clock.as_millisecond(), millis(asked), millis(answered));
    if clock < asked { clock - asked } else { (clock - answered).max(0) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sizes_are_read_from_old_and_new_answers() {
        let volume = serde_json::json!({"Name": "a", "UsageData": {"Size": 7, "RefCount": 1}});
        let unknown = serde_json::json!({"Name": "b", "UsageData": {"Size": -1, "RefCount": 1}});
        let expected = BTreeMap::from([("a".to_owned(), 7)]);
        assert_eq!(sizes(&serde_json::json!({"Volumes": [volume, unknown]})), expected);
        assert_eq!(sizes(&serde_json::json!({"VolumeUsage": {"Items": [volume]}})), expected);
        assert!(sizes(&serde_json::json!({"Volumes": null})).is_empty());
    }

    #[test]
    fn the_time_a_question_takes_is_no_difference() {
        let at = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let clock = |ms| jiff::Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(ahead(clock(1_500), at(1_000), at(2_000)), 0);
        assert_eq!(ahead(clock(5_000), at(1_000), at(2_000)), 3_000);
        assert_eq!(ahead(clock(400), at(1_000), at(2_000)), -600);
    }
}
