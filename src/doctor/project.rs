//! The project: its file, its services, and what lies about.

use super::{Facts, Finding, Fix, Level, ProjectFact, Verdict};
use crate::{
    desired::{Class, Phase},
    diff::Action,
    model::{ByteSize, ResourceId},
    observed::{Health, OwnImage, SeenTool, State, ToolPurpose},
};

/// From here on unused builds are worth a word.
const HEAP: u64 = 2 << 30;
/// A service that was started again so often has a problem, though it runs just now.
const MANY_RESTARTS: u64 = 3;

pub(super) fn readable(facts: &Facts) -> Verdict {
    match &facts.project {
        ProjectFact::None => Verdict::not_checked("there is no nself.toml here or above"),
        ProjectFact::Broken { file, what } => Verdict::Found(vec![Finding::new(
            Level::Error,
            format!("{}: {what}", file.display()),
            "nothing is planned or applied until it is right",
            "nself check",
        )]),
        ProjectFact::Read(state) => Verdict::Well(state.file.display().to_string()),
    }
}

pub(super) fn services(facts: &Facts) -> Verdict {
    let (state, observed, _) = match facts.seen() {
        Ok(seen) => seen,
        Err(verdict) => return verdict,
    };
    let mut findings = Vec::new();
    let mut running = 0;
    for wanted in state.desired.containers() {
        let ours = observed.containers.iter().filter(|seen| seen.owner.is_ours());
        let Some(seen) = ours.into_iter().find(|seen| seen.name == wanted.name) else { continue };
        let service = &wanted.service;
        let logs = format!("nself logs {service}");
        let error =
            |what: String, why: &str, remedy: &str| Finding::new(Level::Error, what, why, remedy);
        match seen.state {
            State::Restarting { code } => findings.push(error(
                format!("{service} keeps crashing, last with exit code {code}"),
                "it is started again and again, and serves nobody",
                &logs,
            )),
            State::Exited { oom: true, .. } => findings.push(error(
                format!("{service} was ended for want of memory"),
                "its limit is too low, or it leaks",
                &format!("{logs}; then raise limits.memory and nself apply"),
            )),
            State::Exited { code, .. } if wanted.class == Class::Job && code != 0 => {
                findings.push(error(
                    format!("the job {service} failed with exit code {code}"),
                    "what needs it waits for it",
                    &logs,
                ));
            }
            State::Exited { .. } | State::Dead | State::Paused
                if wanted.phase == Phase::Running =>
            {
                findings.push(error(
                    format!("{service} is {}, and should run", seen.state),
                    "somebody stopped it behind nself's back, or it ended by itself",
                    &format!("{logs}; nself apply starts it"),
                ));
            }
            State::Running if seen.health == Some(Health::Unhealthy) => findings.push(error(
                format!("{service} runs and is unhealthy"),
                "its own health check fails",
                &logs,
            )),
            State::Running if seen.restarts > MANY_RESTARTS => findings.push(Finding::new(
                Level::Warning,
                format!("{service} was started again {} times", seen.restarts),
                "it ends by itself now and then",
                &logs,
            )),
            State::Running => running += 1,
            State::Exited { .. } | State::Dead | State::Paused | State::Created => {}
        }
    }
    Verdict::of(findings, format!("{running} running"))
}

pub(super) fn orphans(facts: &Facts) -> Verdict {
    let plan = match facts.seen() {
        Ok((_, _, plan)) => plan,
        Err(verdict) => return verdict,
    };
    let mut findings = Vec::new();
    for change in &plan.changes.changes {
        let is_object = !matches!(change.id, ResourceId::Inner(_) | ResourceId::Image(_));
        let beside: Vec<&str> = change.leftovers.iter().map(|other| other.name.as_str()).collect();
        if change.action == Action::Remove && is_object {
            let held = plan.held.iter().find(|held| held.id == change.id);
            let remedy = match held {
                Some(held) => format!("nself apply --allow {}", held.release),
                None => "nself apply removes it".to_owned(),
            };
            findings.push(Finding::new(
                Level::Warning,
                format!("{} is this project's, and nothing wants it", change.id),
                "it was in the file once, or an apply was cut off",
                remedy,
            ));
        } else if !beside.is_empty() {
            findings.push(Finding::new(
                Level::Warning,
                format!("{} was left beside {}", beside.join(", "), change.id),
                "an apply was cut off",
                "nself apply settles it",
            ));
        }
    }
    Verdict::of(findings, "nothing left over")
}

pub(super) fn lock(facts: &Facts) -> Verdict {
    let observed = match facts.seen() {
        Ok((_, observed, _)) => observed,
        Err(verdict) => return verdict,
    };
    let lock = observed.tools.iter().find(|tool| tool.purpose == ToolPurpose::Lock);
    match lock {
        None => Verdict::Well("nobody is applying".to_owned()),
        Some(tool) if tool.abandoned => Verdict::Found(vec![left_behind(
            tool,
            format!("{} was left by {}, which has ended", tool.name, tool.user),
            "the next apply takes it over by itself",
        )]),
        Some(tool) => Verdict::Found(vec![Finding::new(
            Level::Note,
            format!("{} is held by {}", tool.name, tool.user),
            "an apply is at work, as far as can be seen from here",
            format!("wait for it; if you know that it has ended: docker rm {}", tool.name),
        )]),
    }
}

pub(super) fn helpers(facts: &Facts) -> Verdict {
    let observed = match facts.seen() {
        Ok((_, observed, _)) => observed,
        Err(verdict) => return verdict,
    };
    let left = observed.tools.iter().filter(|tool| tool.purpose != ToolPurpose::Lock);
    let findings = left.filter(|tool| tool.abandoned).map(|tool| {
        let what = format!("{} was left by an apply that was cut off", tool.name);
        left_behind(tool, what, "it never ran, and keeps its volume from being removed")
    });
    Verdict::of(findings.collect(), "none left behind")
}

pub(super) fn images(facts: &Facts) -> Verdict {
    let (state, observed, _) = match facts.seen() {
        Ok(seen) => seen,
        Err(verdict) => return verdict,
    };
    let unused: Vec<&OwnImage> =
        crate::diff::unused(&state.desired, observed).into_iter().map(|(_, image)| image).collect();
    let heap: u64 = unused.iter().map(|image| image.size).sum();
    if heap < HEAP {
        return Verdict::Well(format!("{} of builds that nothing uses", ByteSize(heap).rounded()));
    }
    Verdict::Found(vec![Finding::new(
        Level::Warning,
        format!(
            "{} builds that nothing uses take up to {}",
            unused.len(),
            ByteSize(heap).rounded()
        ),
        "each change of a build leaves the image before it",
        "nself clean",
    )])
}

fn left_behind(tool: &SeenTool, what: String, why: &str) -> Finding {
    let fix = Fix::RemoveTool { id: tool.id.clone(), name: tool.name.clone() };
    Finding::new(Level::Warning, what, why, "nself doctor --fix").fixed_by(fix)
}
