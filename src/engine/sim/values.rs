//! Values that a simulated engine does not take, as Docker does not: some when a thing is made, and some
//! only when it is started.

use std::net::IpAddr;

use super::{execute::refuse, world::World};
use crate::{
    desired::{Container, Field, Limits, MountSource, Volume},
    engine::{Error, Refusal},
    observed::{Live, SeenContainer},
};

const LEAST_MEMORY: u64 = 6 << 20;
const BILLION: u64 = 1_000_000_000;

const CAPABILITIES: &str = "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF \
    CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE \
    LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW \
    PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE \
    SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM";
const SIGNALS: &str = "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV \
    STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ";
const ULIMITS: &str = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio \
    rttime sigpending stack";
/// What the driver for files of JSON takes, which is the one where none is named.
const LOG_OPTIONS: &str = "max-file max-size compress labels labels-regex env env-regex tag mode \
    max-buffer-size";
/// Kernel parameters of which each container has its own.
const SYSCTLS: [&str; 5] = ["net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm"];

/// Refuses a name of a container or volume that is none.
pub(super) fn name(what: &str, name: &str) -> Result<(), Error> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() > 1 && name.chars().all(is_inside) {
        return Ok(());
    }
    refuse(what, Refusal::Invalid, "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
}

/// Refuses a signal that is none.
pub(super) fn signal(what: &str, signal: &str) -> Result<(), Error> {
    let name = signal.strip_prefix("SIG").unwrap_or(signal);
    if is_one_of(SIGNALS, name) || name.starts_with("RT") || name.parse::<u8>().is_ok() {
        return Ok(());
    }
    refuse(what, Refusal::Invalid, "invalid signal")
}

/// Refuses a volume that cannot be made.
pub(super) fn volume(world: &World, volume: &Volume) -> Result<(), Error> {
    let what = "make the volume";
    name(what, &volume.name)?;
    let Volume { driver, options, .. } = volume;
    if world.absent.contains(driver) {
        return refuse(what, Refusal::Unsupported, "no such plugin");
    }
    let is_known = options.keys().all(|key| is_one_of("type o device size", key));
    let is_whole = ["type", "device"].iter().all(|key| options.contains_key(*key));
    if driver == "local" && !(is_known && (options.is_empty() || is_whole)) {
        return refuse(what, Refusal::Invalid, "invalid or missing option");
    }
    Ok(())
}

/// Refuses a container that cannot be made.
pub(super) fn container(world: &World, wanted: &Container, name: &str) -> Result<(), Error> {
    let what = "make the container";
    self::name(what, name)?;
    limits(world, &wanted.limits, what)?;
    for (target, mount) in &wanted.mounts {
        match &mount.source {
            MountSource::Volume(volume) => self::name(what, volume)?,
            MountSource::Bind(path) if path.starts_with('/') => {}
            MountSource::Bind(_) => return refuse(what, Refusal::Invalid, "invalid mount path"),
        }
        if !target.starts_with('/') || target == "/" {
            return refuse(what, Refusal::Invalid, "invalid mount target");
        }
    }
    let mut capabilities = wanted.capabilities.add.iter().chain(&wanted.capabilities.drop);
    if !capabilities.all(|name| is_one_of(CAPABILITIES, name)) {
        return refuse(what, Refusal::Invalid, "unknown capability");
    }
    let driver = wanted.log.driver.as_deref().unwrap_or("json-file");
    if world.absent.contains(driver) {
        return refuse(what, Refusal::Unsupported, "no such plugin");
    }
    let mut options = wanted.log.options.keys();
    if driver == "json-file" && !options.all(|key| is_one_of(LOG_OPTIONS, key)) {
        return refuse(what, Refusal::Invalid, "unknown log option");
    }
    if wanted.workdir.as_ref().is_some_and(|path| !path.starts_with('/')) {
        return refuse(what, Refusal::Invalid, "the working directory has to be a whole path");
    }
    let is_host = |line: &String| {
        let address = line.split_once(':').map(|(_, address)| address);
        address.is_some_and(|it| it == "host-gateway" || it.parse::<IpAddr>().is_ok())
    };
    if !wanted.extra_hosts.iter().all(is_host) {
        return refuse(what, Refusal::Invalid, "bad format for add-host");
    }
    wanted.stop.signal.as_ref().map_or(Ok(()), |signal| self::signal(what, signal))
}

/// Refuses limits that cannot be kept.
pub(super) fn limits(world: &World, limits: &Limits, what: &str) -> Result<(), Error> {
    let Limits { memory, reservation, cpus, cpu_shares: _, cpuset, pids: _ } = limits;
    if memory.iter().chain(reservation).any(|size| (1..LEAST_MEMORY).contains(&size.0)) {
        return refuse(what, Refusal::Invalid, "minimum memory limit allowed is 6MB");
    }
    if memory.zip(*reservation).is_some_and(|(memory, kept)| memory.0 < kept.0) {
        return refuse(what, Refusal::Invalid, "more memory is kept than may be used");
    }
    let Some(there) = world.processors else { return Ok(()) };
    if cpus.is_some_and(|cpus| cpus.0 > u64::from(there) * BILLION) {
        return refuse(what, Refusal::Invalid, "there are not so many processors");
    }
    let mut numbers = cpuset.iter().flat_map(|list| list.split([',', '-']));
    if !numbers.all(|number| number.parse::<u32>().is_ok_and(|number| number < there)) {
        return refuse(what, Refusal::Invalid, "requested processors are not available");
    }
    Ok(())
}

/// Refuses to start a process that cannot be run, or not with what it is to have.
pub(super) fn process(world: &World, seen: &SeenContainer) -> Result<(), Error> {
    let what = "start the container";
    for (path, live) in &seen.fields.0 {
        let Live::Text(text) = live else { continue };
        let (key, text) = (path.key.as_str(), text.expose());
        let is_absent = |name: &str| world.absent.contains(name);
        let refusal = match path.field {
            Field::Command if seen.fields.get(&Field::Entrypoint.path()).is_some() => None,
            Field::Command | Field::Entrypoint => {
                let is_missing = words(text).first().is_some_and(|program| is_absent(program));
                is_missing.then_some(Refusal::NotExecutable)
            }
            Field::User => text.split(':').any(is_absent).then_some(Refusal::NotExecutable),
            Field::Groups => {
                let is_missing = words(text).iter().any(|group| is_absent(group));
                is_missing.then_some(Refusal::NotExecutable)
            }
            Field::Devices => {
                let devices = words(text);
                let mut paths = devices.iter().filter_map(|device| device.split(':').next());
                paths.any(is_absent).then_some(Refusal::HostPathMissing)
            }
            Field::Mount => {
                let volume = text.strip_prefix("volume:").and_then(|text| text.rsplit_once(':'));
                let volume = volume.and_then(|(name, _)| world.volumes.get(name));
                let device = Field::DriverOption.key("device");
                match volume.and_then(|volume| volume.seen.fields.get(&device)) {
                    Some(Live::Text(path)) if is_absent(path.expose()) => {
                        Some(Refusal::HostPathMissing)
                    }
                    Some(_) | None => None,
                }
            }
            Field::Sysctl => {
                let is_own = SYSCTLS.iter().any(|beginning| key.starts_with(beginning));
                (!is_own).then_some(Refusal::Invalid)
            }
            Field::Ulimit => (!is_one_of(ULIMITS, key)).then_some(Refusal::Invalid),
            Field::Tmpfs => (!text.split(',').all(is_option)).then_some(Refusal::Invalid),
            Field::CpuShares => (text == "1").then_some(Refusal::Invalid),
            _ => None,
        };
        if let Some(kind) = refusal {
            return refuse(what, kind, &format!("{path} cannot be had"));
        }
    }
    Ok(())
}

/// Returns whether memory can be mounted with an option.
fn is_option(option: &str) -> bool {
    let Some(size) = option.strip_prefix("size=") else { return true };
    size.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G', '%']).parse::<u64>().is_ok()
}

fn is_one_of(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|known| known == word)
}

/// Returns a list's members.
fn words(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_default()
}
