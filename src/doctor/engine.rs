//! The engine itself: whether it answers, what it speaks, what it is known for.

use super::{EngineFact, Facts, Finding, Level, Verdict};
use crate::observed::Checkup;

/// The oldest API version that nself speaks.
const OLDEST_API: (u32, u32) = (1, 41);
/// A clock further off than this breaks what goes by time: certificates, tokens, leases.
const CLOCK_ERROR: u64 = 60_000;
/// A clock further off than this is worth setting right.
const CLOCK_WARNING: u64 = 2_000;
/// A file may be a little ahead when another machine wrote it.
const FUTURE: u64 = 60_000;

/// A release: major, minor, patch.
type Release = (u32, u32, u32);

/// Releases of Docker with a fault that matters here: from, up to and including, what comes of it.
const FAULTY: &[(Release, Release, Level, &str)] = &[
    (
        (20, 10, 0),
        (20, 10, 1),
        Level::Warning,
        "it keeps published ports after a container has stopped, so that restarts fail",
    ),
    (
        (20, 10, 6),
        (20, 10, 6),
        Level::Warning,
        "it starts no container with a published port where IPv6 is switched off",
    ),
    (
        (28, 2, 0),
        (28, 3, 2),
        Level::Warning,
        "after a reload of firewalld, ports published on 127.0.0.1 are open to other machines",
    ),
];

pub(super) fn answers(facts: &Facts) -> Verdict {
    match &facts.engine {
        EngineFact::Answers { address, checkup } => {
            Verdict::Well(format!("{} {} at {address}", checkup.kind, checkup.version))
        }
        EngineFact::Silent { chain, remedy } => {
            let (what, causes) = chain.split_first().map_or(("", &[][..]), |(a, b)| (a, b));
            let why = causes.join(": ");
            Verdict::Found(vec![Finding::new(Level::Error, what, why, remedy)])
        }
    }
}

pub(super) fn api(facts: &Facts) -> Verdict {
    let Some(Checkup { api, .. }) = facts.checkup() else { return silent() };
    let (major, minor) = OLDEST_API;
    let oldest = format!("{major}.{minor}");
    let version = api.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let finding = match version {
        Some(version) if version >= OLDEST_API => return Verdict::Well(api.clone()),
        Some(_) => Finding::new(
            Level::Error,
            format!("the engine speaks API {api}"),
            format!("nself needs {oldest} or later"),
            "install Docker 20.10 or later",
        ),
        None => Finding::new(
            Level::Warning,
            format!("the engine's API version `{api}` cannot be read"),
            format!("whether it is {oldest} or later is not known"),
            "nself version",
        ),
    };
    Verdict::Found(vec![finding])
}

pub(super) fn version(facts: &Facts) -> Verdict {
    let Some(Checkup { kind, version, .. }) = facts.checkup() else { return silent() };
    let Some(number) = release(version) else {
        return Verdict::not_checked(format!("`{version}` is no version that can be compared"));
    };
    let faults =
        FAULTY.iter().filter(|(from, to, ..)| kind == "docker" && (*from..=*to).contains(&number));
    let findings = faults.map(|(_, _, level, fault)| {
        let what = format!("docker {version} has a known fault");
        Finding::new(*level, what, *fault, "install a later release of Docker")
    });
    Verdict::of(findings.collect(), format!("nothing known against {kind} {version}"))
}

pub(super) fn clock(facts: &Facts) -> Verdict {
    let mut findings = Vec::new();
    let ahead = facts.checkup().and_then(|checkup| checkup.clock_ahead);
    if let Some(ahead) = ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_WARNING) {
        let far = ahead.unsigned_abs();
        let level = if far > CLOCK_ERROR { Level::Error } else { Level::Warning };
        let side = if ahead > 0 { "ahead of" } else { "behind" };
        findings.push(Finding::new(
            level,
            format!("the engine's clock is {} {side} this machine's", rough(far)),
            "certificates may not be good yet or any more, and times in logs do not agree",
            "timedatectl set-ntp true, on whichever is wrong",
        ));
    }
    for path in facts.paths.iter().filter(|path| path.changed > facts.now + FUTURE) {
        findings.push(Finding::new(
            Level::Warning,
            format!("{} is from the future", path.path.display()),
            format!("it was written {} ahead of this machine's clock", {
                rough(path.changed - facts.now)
            }),
            format!("check the clock with date, then touch {}", path.path.display()),
        ));
    }
    if findings.is_empty() && ahead.is_none() {
        return Verdict::not_checked("the engine does not tell the time");
    }
    Verdict::of(findings, "the clocks agree")
}

pub(super) fn kernel(facts: &Facts) -> Verdict {
    let Some(Checkup { warnings, .. }) = facts.checkup() else { return silent() };
    let limits: Vec<_> = facts.state().into_iter().flat_map(|s| s.desired.containers()).collect();
    let has_memory = limits.iter().any(|container| container.limits.memory.is_some());
    let has_cpus = limits.iter().any(|container| container.limits.cpus.is_some());
    let findings = warnings.iter().map(|warning| {
        let text = warning.trim_start_matches("WARNING: ").trim();
        let lower = text.to_lowercase();
        let open = lower.contains("api is accessible") || lower.contains("without encryption");
        let (level, why, remedy) = if open {
            (
                Level::Error,
                "whoever reaches that port is root on the engine's machine",
                "take -H tcp://… off the engine, and reach it by ssh",
            )
        } else if lower.contains("no memory limit") {
            let level = if has_memory { Level::Error } else { Level::Warning };
            (level, "limits.memory is not kept", CGROUPS)
        } else if lower.contains("no swap limit") {
            let level = if has_memory { Level::Warning } else { Level::Note };
            (level, "a service at its limit swaps instead of being ended", SWAP)
        } else if lower.contains("no cpu") {
            let level = if has_cpus { Level::Warning } else { Level::Note };
            (level, "limits.cpus is not kept", CGROUPS)
        } else {
            (Level::Note, "the engine says so itself", "docker info shows it")
        };
        Finding::new(level, text, why, remedy)
    });
    Verdict::of(findings.collect(), "the engine keeps all limits")
}

const CGROUPS: &str = "switch the memory and cpu control groups on in the kernel's command line";
const SWAP: &str = "add swapaccount=1 to the kernel's command line";

fn silent() -> Verdict {
    Verdict::not_checked("no engine answers")
}

fn release(version: &str) -> Option<Release> {
    let digits = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u32>().ok()
    };
    let mut parts = version.splitn(3, '.');
    Some((digits(parts.next()?)?, digits(parts.next()?)?, parts.next().and_then(digits)?))
}

/// Returns a duration to the second, or to larger units where seconds do not matter.
pub(super) fn rough(ms: u64) -> String {
    match ms / 1000 {
        0..120 => format!("{} s", ms / 1000),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
