//! What runs, service by service.

use std::collections::BTreeMap;

use crate::{
    desired::{Container, Desired},
    diff::Condition,
    model::ServiceName,
    observed::{Observed, SeenContainer, State},
    plan::Plan,
};

use super::{
    plan,
    style::{Style, Tone, clean, columns, pad},
    value::{amount, took},
};

/// The state of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The services, by name.
    pub services: Vec<ServiceStatus>,
    /// How many resources are not as they should be.
    pub pending: usize,
}

/// The state of one service: that of its worst container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The service.
    pub service: ServiceName,
    /// How many containers it should have.
    pub replicas: usize,
    /// What it is doing.
    pub condition: Condition,
    /// For how long, in milliseconds; where that is known, of the youngest container.
    pub for_ms: Option<u64>,
    /// How often the engine started its containers again.
    pub restarts: u64,
    /// Bytes of memory in use, where they were measured.
    pub memory: Option<u64>,
    /// The limit in bytes over all its containers.
    pub memory_limit: Option<u64>,
    /// The first address it is reachable at.
    pub url: Option<String>,
}

impl Status {
    /// Works out the state of every service. `memory` has the bytes in use by container name.
    pub fn of(
        desired: &Desired,
        observed: &Observed,
        plan: &Plan,
        memory: &BTreeMap<String, u64>,
    ) -> Self {
        let mut services: BTreeMap<&ServiceName, Vec<&Container>> = BTreeMap::new();
        for container in desired.containers() {
            services.entry(&container.service).or_default().push(container);
        }
        let services = services.into_iter();
        Self {
            services: services
                .map(|(service, containers)| {
                    ServiceStatus::of(service, &containers, desired, observed, memory)
                })
                .collect(),
            pending: plan.changes.changes.len(),
        }
    }
}

impl ServiceStatus {
    fn of(
        service: &ServiceName,
        containers: &[&Container],
        desired: &Desired,
        observed: &Observed,
        memory: &BTreeMap<String, u64>,
    ) -> Self {
        let seen = |one: &&Container| {
            observed.containers.iter().find(|seen| seen.owner.is_ours() && seen.name == one.name)
        };
        let found: Vec<&SeenContainer> = containers.iter().filter_map(seen).collect();
        let conditions = containers.iter().map(|one| Condition::of(one, seen(one)));
        let limits: Option<Vec<u64>> =
            containers.iter().map(|one| one.limits.memory.map(|size| size.0)).collect();
        let used: Vec<u64> =
            containers.iter().filter_map(|c| memory.get(&c.name)).copied().collect();
        Self {
            service: service.clone(),
            replicas: containers.len(),
            condition: conditions.max().unwrap_or(Condition::Missing),
            for_ms: found.iter().filter_map(|seen| running_for(seen, observed.at)).min(),
            restarts: found.iter().map(|seen| seen.restarts).sum(),
            memory: (!used.is_empty()).then(|| used.iter().sum()),
            memory_limit: limits.map(|limits| limits.iter().sum()),
            url: desired.urls.iter().find(|url| url.service == *service).map(|url| url.url.clone()),
        }
    }
}

/// How long a running container has been running.
fn running_for(seen: &SeenContainer, now: u64) -> Option<u64> {
    if !matches!(seen.state, State::Running | State::Paused) {
        return None;
    }
    let started: jiff::Timestamp = seen.started.parse().ok()?;
    let started = u64::try_from(started.as_millisecond()).ok()?;
    now.checked_sub(started)
}

fn tone(condition: &Condition) -> Tone {
    match condition {
        Condition::Done | Condition::Healthy | Condition::Running => Tone::Good,
        Condition::Suspended => Tone::Dim,
        Condition::Starting => Tone::Change,
        Condition::Unhealthy | Condition::Other(_) | Condition::Missing => Tone::Bad,
    }
}

const HEADINGS: [&str; 6] = ["SERVICE", "STATE", "FOR", "RESTARTS", "MEMORY", "URL"];

/// Returns the table of services under a line that says whether all is in sync.
pub fn status(status: &Status, of: &Plan, style: Style) -> String {
    let look = style.suggest("nself plan");
    let sync = match status.pending {
        0 => "in sync".to_owned(),
        1 => format!("1 resource differs ({look})"),
        many => format!("{many} resources differ ({look})"),
    };
    let mut out = plan::header(of, &sync, style);
    let rows: Vec<[String; 6]> = status.services.iter().map(cells).collect();
    let heading = HEADINGS.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).map(|row| columns(&row[column]));
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let set = |row: &[String; 6], tone: Option<Tone>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let cell = pad(cell, widths[column]);
            let tone = if column == 1 || tone == Some(Tone::Dim) { tone } else { None };
            tone.map_or_else(|| cell.clone(), |tone| style.paint(tone, &cell))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("  {}\n", line.trim_end())
    };
    if !rows.is_empty() {
        out += &set(&heading, Some(Tone::Dim));
    }
    for (row, service) in rows.iter().zip(&status.services) {
        out += &set(row, Some(tone(&service.condition)));
    }
    for held in &of.held {
        out += &format!("held: {} ({look})\n", held.id);
    }
    out
}

fn cells(service: &ServiceStatus) -> [String; 6] {
    let none = || "–".to_owned();
    let name = match service.replicas {
        1 => service.service.to_string(),
        many => format!("{} ×{many}", service.service),
    };
    let memory = match (service.memory, service.memory_limit) {
        (None, _) => none(),
        (Some(used), None) => amount(used),
        (Some(used), Some(limit)) => format!("{} / {}", amount(used), amount(limit)),
    };
    let gone = matches!(service.condition, Condition::Missing);
    [
        name,
        clean(&service.condition.to_string()),
        service.for_ms.map_or_else(none, took),
        if gone { none() } else { service.restarts.to_string() },
        memory,
        service.url.clone().unwrap_or_else(none),
    ]
}
