//! What came of an apply, as people read it.

use crate::{
    controller::{Report, Returned, Rotation},
    model::SecretName,
    plan::{Applied, Failure, Op, Outcome, Plan, Step},
};

use super::{
    progress,
    style::{Style, Tone, clean, columns, pad},
    urls,
    value::count,
    verdict::Summary,
};

/// How an apply ended, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// All is as it should be, and nothing was to be done for it.
    Nothing,
    /// All is as it should be.
    Done,
    /// All else is done, and something is held.
    Held,
    /// A policy refuses it, and nothing was done.
    Refused,
    /// Steps are left to do although none failed.
    Unsettled,
    /// The person stopped it.
    Interrupted,
    /// Something failed.
    Failed,
}

/// Returns how an apply ended.
pub fn ending(report: &Report) -> Ending {
    let mut ending = Ending::Nothing;
    for (plan, applied) in &report.passes {
        let (done, failed, _) = applied.counts();
        let worst = match () {
            () if failed > 0 => Ending::Failed,
            () if applied.interrupted => Ending::Interrupted,
            () if done > 0 || !plan.steps.is_empty() || plan.adopted() > 0 => Ending::Done,
            () => Ending::Nothing,
        };
        ending = ending.max(worst);
    }
    let rest = &report.rest;
    if rest.is_refused() {
        ending = ending.max(Ending::Refused);
    }
    if !rest.steps.is_empty() {
        ending = ending.max(Ending::Unsettled);
    }
    if !rest.held.is_empty() || !rest.blocked.is_empty() {
        ending = ending.max(Ending::Held);
    }
    ending
}

/// Returns the last word on an apply: each failure with what was seen, the counts, and where to click.
/// `exit` is the code the program is about to end with.
pub fn outcome(report: &Report, exit: u8, style: Style) -> String {
    let ending = ending(report);
    if ending == Ending::Refused && report.passes.is_empty() {
        return format!("nothing was done: a policy refuses it. Exit {exit}.\n");
    }
    let mut out: String =
        report.passes.iter().map(|(plan, applied)| failures(plan, applied, style)).collect();
    if matches!(ending, Ending::Done | Ending::Held) {
        out += &urls::ready(&report.desired, style);
    }
    for held in &report.rest.held {
        let word = style.paint(Tone::Risk, "HELD");
        out += &format!("! {}   {word}: {}\n", held.id, clean(&held.what));
        out += &format!("    allow it with   {}\n", style.release(&held.release));
    }
    for (id, why) in &report.rest.blocked {
        out += &format!("! {id}   blocked: {}\n", clean(why));
    }
    out += &rotated(&report.rotation, report.rest.steps.is_empty(), style);
    if ending == Ending::Nothing {
        let looked_at = count(report.rest.changes.looked_at(), "resource");
        return out + &format!("{} · {looked_at} · nothing to do\n", report.rest.title);
    }
    out += &counts(report, ending, style);
    out += &returned_to(report, style);
    for remark in &report.remarks {
        out += &format!("\nnote: {}", clean(remark));
    }
    if exit != 0 {
        out += &format!(" Exit {exit}.");
    }
    out + "\n"
}

/// What became of going back to the generation before, on a line of its own.
fn returned_to(report: &Report, style: Style) -> String {
    match &report.returned {
        None => String::new(),
        Some(Returned::Not(why)) => format!("\nnothing was brought back: {}.", clean(why)),
        Some(Returned::To { generation, report }) => match self::ending(report) {
            Ending::Nothing | Ending::Done => {
                let sign = style.paint(Tone::Good, "✓");
                format!("\n{sign} everything is back as it was in generation {generation}.")
            }
            Ending::Held => {
                let rest = &report.rest;
                let kept = rest.held.iter().map(|held| held.id.to_string());
                let kept: Vec<String> =
                    kept.chain(rest.blocked.keys().map(ToString::to_string)).collect();
                let sign = style.paint(Tone::Risk, "!");
                format!(
                    "\n{sign} everything is back as it was in generation {generation}, but for what this \
                     apply made and nself does not remove by itself: {}.",
                    kept.join(", ")
                )
            }
            Ending::Refused | Ending::Unsettled | Ending::Interrupted | Ending::Failed => {
                let passes = report.passes.iter();
                let failed: String =
                    passes.map(|(plan, applied)| failures(plan, applied, style)).collect();
                let sign = style.paint(Tone::Bad, "✗");
                format!(
                    "\n{failed}{sign} going back to generation {generation} did not succeed: {}",
                    counts(report, Ending::Failed, style)
                )
            }
        },
    }
}

/// Returns what became of new values of secrets.
fn rotated(rotation: &Rotation, is_settled: bool, style: Style) -> String {
    let Rotation { settled, returned, pending } = rotation;
    let names =
        |names: &[SecretName]| names.iter().map(SecretName::as_str).collect::<Vec<_>>().join(", ");
    let mut out = String::new();
    if !settled.is_empty() {
        let names = names(settled);
        out +=
            &format!("New values everywhere, and the old ones are not valid any more: {names}\n");
    }
    if !returned.is_empty() {
        let word = style.paint(Tone::Risk, "RETURNED");
        let rest =
            if is_settled { "" } else { "; the next apply brings them back where they are not" };
        let names = names(returned);
        out += &format!("{word}: new values did not work; the old ones stay{rest}: {names}\n");
    }
    if !pending.is_empty() {
        let names = names(pending);
        out +=
            &format!("New values that are not everywhere yet; the next apply goes on: {names}\n");
    }
    out
}

fn counts(report: &Report, ending: Ending, style: Style) -> String {
    let mut total = (0, 0, 0);
    let mut waiting = Vec::new();
    for (plan, applied) in &report.passes {
        let (done, failed, skipped) = applied.counts();
        total = (total.0 + done, total.1 + failed, total.2 + skipped);
        waiting.extend(skipped_groups(plan, applied));
    }
    let (done, failed, skipped) = total;
    let nothing = done + failed + skipped == 0;
    let adopted: usize = report.passes.iter().map(|(plan, _)| plan.adopted()).sum();
    let first = match (nothing, adopted) {
        (true, 0) => "nothing to do".to_owned(),
        (true, _) => format!("{adopted} adopted as they are"),
        (false, 0) => format!("{} done", count(done, "step")),
        (false, _) => format!("{adopted} adopted, {} done", count(done, "step")),
    };
    let mut parts = vec![first];
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if skipped > 0 {
        let why =
            if waiting.is_empty() { String::new() } else { format!(" ({})", waiting.join(", ")) };
        parts.push(format!("{skipped} not started{why}"));
    }
    let mut line = parts.join(", ");
    let again = format!("{} {}", style.program, style.command);
    match ending {
        Ending::Held => {
            let waiting =
                [(report.rest.held.len(), "held"), (report.rest.blocked.len(), "blocked")];
            for (number, word) in waiting.into_iter().filter(|(number, _)| *number > 0) {
                line += &format!("; {number} {word}");
            }
        }
        Ending::Unsettled => {
            line += &format!("; still to do: {}. Go on with {again}", Summary::of(&report.rest));
        }
        Ending::Interrupted => line += &format!("; stopped as asked. Go on with {again}"),
        Ending::Refused => line += "; a policy refuses the rest",
        Ending::Nothing | Ending::Done | Ending::Failed => {}
    }
    line + "."
}

/// The resources that were not begun, each with the one whose failure it waited for.
fn skipped_groups(plan: &Plan, applied: &Applied) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for (place, outcome) in &applied.outcomes {
        let Outcome::Skipped(Some(because)) = outcome else { continue };
        let (Some(step), Some(cause)) = (plan.steps.get(*place), plan.steps.get(*because)) else {
            continue;
        };
        if step.group == cause.group {
            continue;
        }
        let text = format!("{}: needs {}", step.group, cause.group);
        if !groups.contains(&text) {
            groups.push(text);
        }
    }
    groups
}

fn failures(plan: &Plan, applied: &Applied, style: Style) -> String {
    let mut out = String::new();
    for (place, outcome) in &applied.outcomes {
        if let (Outcome::Failed(failure), Some(step)) = (outcome, plan.steps.get(*place)) {
            out += &block(failure, &returned(plan, applied, step), style);
        }
    }
    out
}

/// What became of the old state.
fn returned(plan: &Plan, applied: &Applied, step: &Step) -> String {
    match applied.returned.get(&step.group) {
        None => String::new(),
        Some(None) if brings_back(step) => "; the old one runs again".to_owned(),
        // It failed before the old one was stopped, or there was nothing to stop.
        Some(None) if progress::ran_before(plan, &step.group) => {
            "; the new one was taken away; the old one runs on".to_owned()
        }
        Some(None) => "; the new one was taken away; the old one was not running".to_owned(),
        Some(Some(failure)) => {
            format!("; the old one could not be brought back: {}", progress::brief(failure))
        }
    }
}

/// Returns whether the failure of a step does more than take away what is new.
fn brings_back(step: &Step) -> bool {
    step.on_failure.is_empty()
        || step.on_failure.iter().any(|op| !matches!(op, Op::RemoveContainer(_)))
}

/// Returns one failure: what was attempted, then the causes, the facts, and the way out.
fn block(failure: &Failure, returned: &str, style: Style) -> String {
    let sign = style.paint(Tone::Bad, "✗");
    let mut out = format!("{sign} {}{returned}\n", progress::brief(failure));
    let causes = failure.chain.iter().skip(1).map(|cause| ("because", cause.as_str()));
    let facts = failure.facts.iter().map(|(name, text)| (*name, text.as_str()));
    let remedy = failure.remedy.as_ref().map(|remedy| style.suggest(remedy));
    let next = remedy.iter().map(|remedy| ("next", remedy.as_str()));
    let rows: Vec<(&str, &str)> = causes.chain(facts).chain(next).collect();
    let width = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
    for (name, text) in rows {
        for (number, line) in clean(text).trim_end().lines().enumerate() {
            let name = pad(if number == 0 { name } else { "" }, width);
            out += &format!("    {}  {line}\n", style.paint(Tone::Dim, &name));
        }
    }
    out
}
