//! The life of a container after it was made.

use std::{collections::BTreeMap, time::Duration};

use bollard::{
    models::ContainerUpdateBody,
    query_parameters::{
        KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};

use hyper::body::Bytes;
use serde_json::Value as Json;

use super::{
    Docker,
    create::{restart_policy, signed},
    decode::Object,
    refusal,
};
use crate::{
    desired::{Limits, Restart},
    engine::{Error, Refusal},
    model::Millis,
    plan::Target,
};

/// What tells whose a container is.
pub(super) struct Labelled {
    pub(super) id: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// A removal that another caller began is nearly always over within a second.
const REMOVAL: Duration = Duration::from_secs(10);
/// Podman looks for the process, which may have ended meanwhile; a later look finds it ended.
const LOOKS_AT_AN_END: u32 = 10;
/// The engine's own grace when nobody gives one.
const GRACE: u64 = 10;

impl Docker {
    pub(super) async fn start(&self, target: &Target) -> Result<(), Error> {
        let what = || format!("start {}", target.name());
        let reference = self.exact(target, &what()).await?;
        let Err(error) = self.api.start_container(&reference, None).await else { return Ok(()) };
        let refused = self.refused(what(), &error);
        if let Error::Refused { cause, kind: kind @ Refusal::PortTaken, .. } = &refused
            && let Some(holder) = self.holder_of_port(&cause.0).await
        {
            return Err(self.refusal(what(), *kind, holder));
        }
        Err(refused)
    }

    pub(super) async fn stop(&self, target: &Target, grace: Option<Millis>) -> Result<(), Error> {
        let what = || format!("stop {}", target.name());
        let reference = self.exact(target, &what()).await?;
        let seconds = grace.map(|grace| grace.0.div_ceil(1000));
        let mut options = StopContainerOptionsBuilder::new();
        if let Some(seconds) = seconds {
            options = options.t(i32::try_from(seconds).unwrap_or(i32::MAX));
        }
        let api = self.patient(&reference, seconds).await;
        let stopped = api.stop_container(&reference, Some(options.build())).await;
        stopped.map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn restart(&self, target: &Target) -> Result<(), Error> {
        let what = || format!("restart {}", target.name());
        let reference = self.exact(target, &what()).await?;
        let api = self.patient(&reference, None).await;
        let restarted = api.restart_container(&reference, None).await;
        restarted.map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn unpause(&self, target: &Target) -> Result<(), Error> {
        let what = || format!("unpause {}", target.name());
        let reference = self.exact(target, &what()).await?;
        let Err(error) = self.api.unpause_container(&reference).await else { return Ok(()) };
        let status = self.inspect(&reference, &what()).await?.object("State").flag("Paused");
        if status { Err(self.refused(what(), &error)) } else { Ok(()) }
    }

    pub(super) async fn signal(&self, target: &Target, signal: &str) -> Result<(), Error> {
        let what = || format!("send {signal} to {}", target.name());
        let reference = self.exact(target, &what()).await?;
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let sent = self.api.kill_container(&reference, Some(options)).await;
        sent.map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn rename(&self, target: &Target, to: &str) -> Result<(), Error> {
        let what = || format!("rename {} to {to}", target.name());
        // The engine refuses to give a container the name it has.
        let Some(mut there) = self.look_up(target, &what()).await? else {
            let done = self.look_up(&Target::Name(to.to_owned()), &what()).await?.is_some();
            let missing = || self.refusal(what(), Refusal::NotFound, "there is no such container");
            return if done { Ok(()) } else { Err(missing()) };
        };
        if there.text("Name").as_deref().map(|name| name.trim_start_matches('/')) == Some(to) {
            return Ok(());
        }
        let id = there.text("Id").unwrap_or_default();
        let options = RenameContainerOptionsBuilder::new().name(to).build();
        let renamed = self.api.rename_container(&id, options).await;
        renamed.map_err(|error| self.refused(what(), &error))
    }

    pub(super) async fn remove_container(&self, target: &Target) -> Result<(), Error> {
        let what = || format!("remove container {}", target.name());
        let Some(mut there) = self.look_up(target, &what()).await? else { return Ok(()) };
        let id = there.text("Id").unwrap_or_default();
        self.remove_by_id(&id, &what()).await
    }

    /// Removes a container whatever it does; volumes stay.
    pub(super) async fn remove_by_id(&self, id: &str, what: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        let removed = self.api.remove_container(id, Some(options)).await;
        let Err(error) = refusal::found(removed) else { return Ok(()) };
        if !error.to_string().contains("already in progress") {
            return Err(self.refused(what, &error));
        }
        let deadline = tokio::time::Instant::now() + REMOVAL;
        while tokio::time::Instant::now() < deadline {
            if self.api_inspect(id, what).await?.is_none() {
                return Ok(());
            }
            pause(Duration::from_millis(50)).await;
        }
        Err(self.refused(what, &error))
    }

    /// Changes limits and policy, then looks whether they changed: engines answer 200 to parts that they
    /// do not apply, such as the removal of a limit.
    pub(super) async fn update(
        &self,
        target: &Target,
        limits: &Limits,
        restart: Restart,
    ) -> Result<(), Error> {
        let what = || format!("update {}", target.name());
        if !self.server.dialect.updates_in_place {
            self.inspect(target.reference(), &what()).await?;
            let why = "this engine changes nothing of a container that is there";
            return Err(self.refusal(what(), Refusal::Unsupported, why));
        }
        let reference = self.exact(target, &what()).await?;
        let Limits { memory, reservation, cpus, cpu_shares, cpuset, pids } = limits;
        let memory = memory.map(|size| signed(size.0));
        let body = ContainerUpdateBody {
            // Raising memory alone above the old swap limit is refused, so they go together.
            memory,
            memory_swap: memory.map(|bytes| bytes * 2),
            memory_reservation: reservation.map(|size| signed(size.0)),
            nano_cpus: cpus.map(|cpus| signed(cpus.0)),
            cpu_shares: cpu_shares.map(i64::from),
            cpuset_cpus: cpuset.clone(),
            // 0 takes the limit away; for all others it means "as it was".
            pids_limit: Some(pids.map_or(0, i64::from)),
            restart_policy: Some(restart_policy(restart)),
            ..ContainerUpdateBody::default()
        };
        let updated = self.api.update_container(&reference, body).await;
        updated.map_err(|error| self.refused(what(), &error))?;

        let mut host = self.inspect(&reference, &what()).await?.object("HostConfig");
        let wanted = [
            ("Memory", memory),
            ("MemoryReservation", reservation.map(|size| signed(size.0))),
            ("NanoCpus", cpus.map(|cpus| signed(cpus.0))),
            ("CpuShares", cpu_shares.map(i64::from)),
            ("PidsLimit", pids.map(i64::from)),
        ];
        let mut kept: Vec<&str> = wanted
            .into_iter()
            .filter(|(key, wanted)| host.number(key).filter(|n| *n > 0) != *wanted)
            .map(|(key, _)| key)
            .collect();
        if host.text("CpusetCpus") != *cpuset {
            kept.push("CpusetCpus");
        }
        if kept.is_empty() {
            return Ok(());
        }
        let why = format!("it left {} as it was", kept.join(" and "));
        Err(self.refusal(what(), Refusal::Unsupported, why))
    }

    /// Returns the id and labels of the container of exactly this name.
    pub(super) async fn container_labels(&self, name: &str) -> Result<Option<Labelled>, Error> {
        let what = format!("look at container {name}");
        let Some(mut there) = self.look_up(&Target::Name(name.to_owned()), &what).await? else {
            return Ok(None);
        };
        let labels = there.object("Config").map("Labels");
        Ok(Some(Labelled { id: there.text("Id").unwrap_or_default(), labels }))
    }

    /// Returns what the engine says of a container that must be there.
    pub(super) async fn inspect(&self, reference: &str, what: &str) -> Result<Object, Error> {
        let missing = || self.refusal(what, Refusal::NotFound, "there is no such container");
        self.api_inspect(reference, what).await?.ok_or_else(missing)
    }

    /// Returns what the engine says of a target; `None` when there is none of exactly that id or name.
    pub(super) async fn look_up(
        &self,
        target: &Target,
        what: &str,
    ) -> Result<Option<Object>, Error> {
        let Some(there) = self.api_inspect(target.reference(), what).await? else {
            return Ok(None);
        };
        let is_it = match target {
            Target::Id { id, .. } => there.peek("Id") == Some(id),
            Target::Name(name) => {
                there.peek("Name").map(|it| it.trim_start_matches('/')) == Some(name)
            }
        };
        Ok(is_it.then_some(there))
    }

    /// Returns what to call a target by. A name that could be the beginning of an id is looked up, since
    /// the engine would take it for one.
    pub(super) async fn exact(&self, target: &Target, what: &str) -> Result<String, Error> {
        let reference = target.reference();
        let is_name = matches!(target, Target::Name(_));
        if !is_name || !reference.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(reference.to_owned());
        }
        match self.look_up(target, what).await? {
            Some(mut there) => Ok(there.text("Id").unwrap_or_default()),
            None => Err(self.refusal(what, Refusal::NotFound, "there is no such container")),
        }
    }

    async fn api_inspect(&self, reference: &str, what: &str) -> Result<Option<Object>, Error> {
        let found = refusal::found(self.inspection(reference).await);
        let found = found.map_err(|error| self.refused(what, &error))?;
        let info = self.info().await?;
        Ok(found.map(|json| Object::new(self.server.dialect.container(json, &info.defaults))))
    }

    /// Returns what the engine says of a container, in its own words.
    pub(super) async fn inspection(&self, reference: &str) -> Result<Json, bollard::errors::Error> {
        Ok(serde_json::from_slice(&self.inspection_text(reference).await?)?)
    }

    /// Returns the same as it came, which takes a fifth of the memory.
    pub(super) async fn inspection_text(
        &self,
        reference: &str,
    ) -> Result<Bytes, bollard::errors::Error> {
        let path = format!("/containers/{reference}/json");
        let mut looks = 0;
        loop {
            looks += 1;
            match self.wire.bytes(&path).await {
                Err(error) if looks < LOOKS_AT_AN_END && refusal::is_ending(&error) => {
                    pause(Duration::from_millis(20)).await;
                }
                other => return other,
            }
        }
    }

    /// Stopping lasts as long as the grace, and the answer comes at its end.
    async fn patient(&self, reference: &str, grace: Option<u64>) -> bollard::Docker {
        let own = async {
            let mut there = self.api_inspect(reference, "stop").await.ok()??;
            there.object("Config").number("StopTimeout")?.try_into().ok()
        };
        let grace = match grace {
            Some(grace) => grace,
            None => own.await.unwrap_or(GRACE),
        };
        let seconds = grace.saturating_add(super::PATIENCE);
        self.api.clone().with_timeout(Duration::from_secs(seconds))
    }
}

/// Waits between two looks at something that has no event of its own.
#[expect(clippy::disallowed_methods, reason = "probes and removals are polled")]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
