//! The engine's machine: disk, memory, ports, addresses.

use super::{Facts, Finding, Level, Verdict};
use crate::{
    diff::Action,
    model::{ByteSize, ResourceId},
    observed::{Disk, PortUser},
};

/// Below this much room, or a twentieth of the disk where that is less, it is time to tidy up.
const TIGHT: u64 = 5 << 30;
/// With so few networks left, the next project may get none.
const FEW_NETWORKS: u32 = 3;

pub(super) fn disk(facts: &Facts) -> Verdict {
    let engine = facts.checkup().and_then(|checkup| checkup.host.disk);
    let disks = [
        (engine, "the engine's disk", "docker system df shows what takes it; nself clean"),
        (facts.folder_disk, "the disk of the project's folder", "df -h ."),
    ];
    let seen: Vec<String> = disks.iter().filter_map(|(disk, ..)| Some(free((*disk)?))).collect();
    if seen.is_empty() {
        return Verdict::not_checked("the engine is not on this machine");
    }
    let mut findings = Vec::new();
    for (disk, name, remedy) in disks {
        let Some(disk) = disk else { continue };
        // One disk that is both is said once.
        if Some(disk) == engine && name != "the engine's disk" {
            continue;
        }
        let what = format!("{name} has {} free of {}", free(disk), size(disk.total));
        if disk.is_full() {
            let why = format!("below {} nothing is built, pulled or stored", size(disk.floor()));
            findings.push(Finding::new(Level::Error, what, why, remedy));
        } else if disk.free < TIGHT.min(disk.total / 20) {
            let why = "images and databases grow, and a full disk takes down what runs";
            findings.push(Finding::new(Level::Warning, what, why, remedy));
        }
    }
    Verdict::of(findings, format!("{} free", seen[0]))
}

pub(super) fn memory(facts: &Facts) -> Verdict {
    let Some(checkup) = facts.checkup().filter(|checkup| checkup.memory > 0) else {
        return Verdict::not_checked("how much the engine's machine has is not known");
    };
    let mut findings = Vec::new();
    let total = checkup.memory;
    if let Some(state) = facts.state() {
        let limits = state.desired.containers().filter_map(|it| it.limits.memory.map(|it| it.0));
        let promised: u64 = limits.sum();
        if promised > total {
            findings.push(Finding::new(
                Level::Warning,
                format!("the limits add up to {}, and there are {}", size(promised), size(total)),
                "when all services use what they may, the kernel ends one of them",
                "lower limits.memory, or add memory",
            ));
        }
    }
    let plan = facts.seen().ok().map(|(_, _, plan)| &plan.capacity);
    if let Some(missing) = plan.and_then(crate::plan::Capacity::memory_missing) {
        findings.push(Finding::new(
            Level::Warning,
            format!("what nself apply would start may take {} more than is free", size(missing)),
            "the machine swaps, or the kernel ends something",
            "free shows what takes it; lower limits.memory, or add memory",
        ));
    }
    let few = checkup.host.memory_free.filter(|free| *free < (256 << 20).min(total / 10));
    if let Some(free) = few {
        findings.push(Finding::new(
            Level::Warning,
            format!("only {} of {} are free", size(free), size(total)),
            "the machine swaps, or the kernel ends something",
            "docker stats shows what takes it",
        ));
    }
    let free =
        checkup.host.memory_free.map_or(String::new(), |free| format!("{} free of ", size(free)));
    Verdict::of(findings, format!("{free}{}", size(total)))
}

pub(super) fn ports(facts: &Facts) -> Verdict {
    let (state, observed, _) = match facts.seen() {
        Ok(seen) => seen,
        Err(verdict) => return verdict,
    };
    let mut findings = Vec::new();
    let mut count = 0;
    for container in state.desired.containers() {
        for (key, binding) in
            container.ports.iter().flat_map(|(key, all)| all.iter().map(move |one| (key, one)))
        {
            count += 1;
            let taken = observed
                .ports
                .iter()
                .find(|holder| holder.keeps(&binding.address, binding.port, key.protocol));
            let Some(holder) = taken else { continue };
            let by = &holder.by;
            let remedy = match by {
                PortUser::Container(name) => format!("docker stop {name}"),
                PortUser::Program { pid, .. } => format!("ps -fp {pid} shows it; end it"),
                PortUser::Unknown => format!("sudo ss -lptn sport = :{} shows it", binding.port),
            };
            findings.push(Finding::new(
                Level::Error,
                format!("port {} of {} is taken by {by}", binding.port, binding.address),
                format!("{} publishes it, and does not start without", container.service),
                format!("{remedy}, or publish on another port"),
            ));
        }
    }
    Verdict::of(findings, if count == 1 { "1 port".to_owned() } else { format!("{count} ports") })
}

pub(super) fn networks(facts: &Facts) -> Verdict {
    let left = facts.checkup().and_then(|checkup| checkup.host.networks_left);
    let Some(left) = left else {
        return Verdict::not_checked("the engine does not tell its address pools");
    };
    let needed = facts.seen().map_or(0, |(_, _, plan)| {
        let changes = plan.changes.changes.iter();
        let new = |id: &ResourceId| matches!(id, ResourceId::Network(_));
        changes.filter(|change| change.action == Action::Create && new(&change.id)).count()
    });
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    if left > needed.max(FEW_NETWORKS) {
        let more = if left >= 256 { "256 or more".to_owned() } else { left.to_string() };
        return Verdict::Well(format!("{more} left"));
    }
    let level = if left < needed || left == 0 { Level::Error } else { Level::Warning };
    Verdict::Found(vec![Finding::new(
        level,
        format!("the engine has addresses for {left} more networks"),
        "a project that needs one more than that cannot start",
        "docker network prune removes unused ones; default-address-pools in /etc/docker/daemon.json \
         gives more",
    )])
}

fn free(disk: Disk) -> String {
    size(disk.free)
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).rounded()
}
