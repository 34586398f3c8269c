//! Live values that an ignore rule protects: they stay when a container is replaced or updated for another
//! reason.
//!
//! Limits and the restart policy are carried over. Other ignored values are only not compared: a live
//! environment variable may be a secret that somebody typed, and must not wander into a plan.

use crate::{
    desired::{Container, Field, Ignore, Limits, Restart},
    diff::is_updated,
    model::{ByteSize, Cpus},
    observed::{Live, SeenContainer},
};

/// Returns the wanted container with the protected values of the live one in it.
pub(super) fn carry_over(wanted: &Container, live: &SeenContainer, ignore: &[Ignore]) -> Container {
    let mut container = wanted.clone();
    let rules = ignore.iter().filter(|rule| rule.service == wanted.service);
    for field in rules.map(|rule| rule.path.field).filter(|field| is_updated(*field)) {
        let text = match live.fields.get(&field.path()) {
            Some(Live::Text(text)) => Some(text.expose()),
            Some(Live::Verifier(_)) | None => None,
        };
        put(&mut container, field, text);
    }
    container
}

fn put(container: &mut Container, field: Field, text: Option<&str>) {
    let number = text.and_then(|text| text.parse::<u64>().ok());
    let small = number.and_then(|number| u32::try_from(number).ok());
    let Limits { memory, reservation, cpus, cpu_shares, cpuset, pids } = &mut container.limits;
    match field {
        Field::Memory => *memory = number.map(ByteSize),
        Field::Reservation => *reservation = number.map(ByteSize),
        Field::Cpus => *cpus = number.map(Cpus),
        Field::CpuShares => *cpu_shares = small,
        Field::Cpuset => *cpuset = text.map(str::to_owned),
        Field::Pids => *pids = small,
        Field::Restart => container.restart = text.map_or(Restart::No, restart),
        // Swap follows memory; no other field is changed by an update.
        _ => {}
    }
}

fn restart(text: &str) -> Restart {
    match text.split_once(':') {
        Some(("on-failure", times)) => Restart::OnFailure(times.parse().unwrap_or(0)),
        Some(_) => Restart::No,
        None => match text {
            "always" => Restart::Always,
            "unless-stopped" => Restart::UnlessStopped,
            "on-failure" => Restart::OnFailure(0),
            _ => Restart::No,
        },
    }
}
