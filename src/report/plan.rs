//! A plan as people read it.

use std::collections::BTreeSet;

use crate::{
    desired::RuleEffect,
    diff::{Action, Change, Effect, LeftOut, Mover},
    model::{ResourceId, ServiceName},
    plan::{Away, Finding, Held, Op, Plan, Release},
};

use super::{
    field,
    style::{Style, Tone, clean, columns, dotted, pad},
    value::{amount, count, took},
    verdict::{self, Summary, Verdict},
};

/// Ids further out than this do not push the effect words of all others to the right.
const WIDEST_ID: usize = 40;

/// Returns the whole plan: where we are, a line for each resource with its fields below, and the counts.
/// With nothing to do it is one line.
pub fn plan(plan: &Plan, looked_ms: u64, style: Style) -> String {
    let looked_at = count(plan.changes.looked_at(), "resource");
    if plan.is_empty() && plan.changes.changes.is_empty() {
        let targets: Vec<&str> = plan.changes.targets.iter().map(ServiceName::as_str).collect();
        let whom =
            if targets.is_empty() { String::new() } else { format!(" for {}", targets.join(", ")) };
        let line = format!("{} · {looked_at} · nothing to do{whom}\n", plan.title);
        return line + &left_out(plan, style) + &notes(plan, style);
    }
    let mut out = header(plan, &format!("{looked_at} looked at in {}", took(looked_ms)), style);
    out.push('\n');
    let followers = verdict::followers(plan);
    let ids = plan.changes.changes.iter().map(|change| &change.id).chain(followers.keys().copied());
    let width = ids.map(|id| columns(&id.to_string())).filter(|w| *w <= WIDEST_ID).max();
    let width = width.unwrap_or(WIDEST_ID);
    for change in &plan.changes.changes {
        let verdict = Verdict::of(plan, change);
        out += &line(&change.id, verdict, &effect(plan, change, verdict, style), width, style);
        out += &held(plan, &change.id, style);
        out += &field::lines(plan, change, "      ", style);
        out += &leftovers(change);
    }
    for (id, (verdict, why)) in followers {
        let away = away(plan, id);
        out += &line(id, verdict, &joined(&[verdict.word(), &away, why]), width, style);
    }
    // A hold on something that did not change by itself, such as a volume nobody wants any more.
    let known = |held: &&Held| plan.changes.get(&held.id).is_none();
    for one in plan.held.iter().filter(known) {
        out += &line(&one.id, Verdict::Held, &stake(&one.what, style), width, style);
        out += &held(plan, &one.id, style);
    }
    out += &left_out(plan, style);
    out += &notes(plan, style);
    out.push('\n');
    let summary = Summary::of(plan).to_string();
    let nothing = match () {
        () if plan.is_refused() => Some("refused: nothing is done".to_owned()),
        () => plan.is_empty().then(|| "nothing to do now".to_owned()),
    };
    let parts: Vec<String> = nothing
        .into_iter()
        .chain(summary.split(" · ").map(str::to_owned))
        .chain(room(plan))
        .collect();
    out += &dotted(&parts, style.width);
    out.push('\n');
    out
}

/// Returns the first line: project, engine, generation, and what else there is to say.
pub(super) fn header(plan: &Plan, rest: &str, style: Style) -> String {
    let mut parts = vec![style.paint(Tone::Strong, &plan.title)];
    if !plan.engine.name.is_empty() {
        parts.push(match plan.engine.address.as_str() {
            "" => plan.engine.name.clone(),
            address => format!("{} at {address}", plan.engine.name),
        });
    }
    if plan.generation() > 0 {
        parts.push(format!("generation {}", plan.generation()));
    }
    parts.push(rest.to_owned());
    dotted(&parts, style.width) + "\n"
}

fn line(id: &ResourceId, verdict: Verdict, effect: &str, width: usize, style: Style) -> String {
    let tone = match verdict {
        Verdict::Pull | Verdict::Build | Verdict::Create => Tone::Good,
        Verdict::Recreate
        | Verdict::Replace
        | Verdict::Adopt
        | Verdict::Restart
        | Verdict::Reload
        | Verdict::InPlace
        | Verdict::Start
        | Verdict::Stop
        | Verdict::Settle => Tone::Change,
        Verdict::Remove => Tone::Bad,
        Verdict::Held | Verdict::Blocked => Tone::Risk,
        Verdict::Deferred | Verdict::NotChecked => Tone::Dim,
    };
    let symbol = style.paint(tone, &verdict.symbol().to_string());
    let id = pad(&clean(&id.to_string()), width);
    format!("  {symbol} {}   {effect}\n", style.paint(Tone::Strong, &id))
}

/// Returns what happens to a resource and why, in one line.
pub(super) fn effect(plan: &Plan, change: &Change, verdict: Verdict, style: Style) -> String {
    let reason = clean(&change.reason);
    let mover = match change.mover {
        Some(Mover::You) | None => "",
        // Before the first apply nothing is remembered, and that is no riddle.
        Some(Mover::Unknown) if plan.generation() == 0 => "",
        Some(mover) => field::mover(mover),
    };
    match verdict {
        Verdict::Held => {
            let held = plan.held.iter().find(|held| held.id == change.id);
            stake(held.map_or(&reason, |held| &held.what), style)
        }
        Verdict::Blocked => {
            format!("blocked: {}", plan.blocked.get(&change.id).map_or("", String::as_str))
        }
        Verdict::Deferred | Verdict::NotChecked | Verdict::Settle => {
            format!("{}: {reason}", verdict.word())
        }
        // What it is stands in the reason, and who put it there cannot be known.
        Verdict::Replace | Verdict::Adopt => joined(&[verdict.word(), &reason]),
        Verdict::Remove => joined(&["remove", &reason, mover]),
        // That something new is not there yet goes without saying; that it is gone does not.
        Verdict::Create if mover.is_empty() => "create".to_owned(),
        Verdict::Create => joined(&["create", &reason, mover]),
        Verdict::Pull | Verdict::Build => image(plan, &change.id, verdict),
        Verdict::Recreate => {
            let order = match verdict::starts_first(plan, &change.id) {
                Some(true) => "recreate, start-first",
                Some(false) => "recreate, stop-first",
                None => "recreate",
            };
            let risk = change.action == Action::Change(Effect::DataAtRisk);
            let risk = if risk { style.paint(Tone::Risk, "DATA AT RISK") } else { String::new() };
            let away = away(plan, &change.id);
            joined(&[
                order,
                &risk,
                &away,
                if change.fields.is_empty() { &reason } else { "" },
                mover,
            ])
        }
        Verdict::Restart | Verdict::Reload | Verdict::InPlace | Verdict::Start | Verdict::Stop => {
            let away = away(plan, &change.id);
            joined(&[
                verdict.word(),
                &away,
                if change.fields.is_empty() { &reason } else { "" },
                mover,
            ])
        }
    }
}

/// Returns how long something that runs is going to be away; nothing where nothing runs.
fn away(plan: &Plan, id: &ResourceId) -> String {
    match plan.away.get(id) {
        None => String::new(),
        Some(Away::Not) => "away 0 s".to_owned(),
        Some(Away::About(millis)) => format!("away ~{}", took(millis.0)),
        Some(Away::Unknown) => "away: not known yet".to_owned(),
    }
}

fn image(plan: &Plan, id: &ResourceId, verdict: Verdict) -> String {
    let op = plan.steps.iter().filter(|step| step.group == *id).map(|step| &step.op);
    let detail = op.into_iter().find_map(|op| match op {
        Op::Pull { image, from } if image != from => Some(format!("from {from}")),
        Op::Build { build, .. } if !build.effort.is_empty() => Some(build.effort.clone()),
        _ => None,
    });
    joined(&[verdict.word(), &detail.unwrap_or_default()])
}

fn stake(what: &str, style: Style) -> String {
    format!("{}: {}", style.paint(Tone::Risk, "HELD"), clean(what))
}

/// The ways out of what is held, each as it can be typed.
fn held(plan: &Plan, id: &ResourceId, style: Style) -> String {
    let releases = plan.held.iter().filter(|held| held.id == *id);
    releases
        .map(|held| {
            let command = style.release(&held.release);
            format!("      allow it with   {}\n", style.paint(Tone::Strong, &command))
        })
        .collect()
}

fn leftovers(change: &Change) -> String {
    let line = |name: &str| format!("      left over       {}\n", clean(name));
    change.leftovers.iter().map(|leftover| line(&leftover.name)).collect()
}

/// Says what stays as it is because nobody asked for it.
fn left_out(plan: &Plan, style: Style) -> String {
    let left_out = &plan.changes.left_out;
    if left_out.is_empty() {
        return String::new();
    }
    let whose = |left: &LeftOut| {
        let service = left.service.as_ref().map(ToString::to_string);
        service.unwrap_or_else(|| left.change.id.to_string())
    };
    let names: BTreeSet<String> = left_out.iter().map(whose).collect();
    let names: Vec<String> = names.iter().map(|name| clean(name)).collect();
    let (number, command) = (count(left_out.len(), "change"), style.suggest("nself plan"));
    let shows = if left_out.len() == 1 { "shows it" } else { "shows them" };
    format!("  left out: {number} of {} ({command} {shows})\n", names.join(", "))
}

/// Says what is against a policy, beyond what stands at a held change.
fn findings(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for finding in &plan.findings {
        let Finding { policy, effect, id, why, origin, rule } = finding;
        let release = Release::Policy(policy.clone());
        let is_said = |held: &Held| held.release == release && Some(&held.id) == id.as_ref();
        if plan.held.iter().any(is_said) {
            continue;
        }
        let word = match effect {
            RuleEffect::Refuse => style.paint(Tone::Risk, "REFUSED"),
            RuleEffect::Hold if id.is_none() => style.paint(Tone::Risk, "HELD"),
            RuleEffect::Hold | RuleEffect::Warn => style.paint(Tone::Dim, "note"),
        };
        let whom = id.as_ref().map_or_else(String::new, |id| format!("{id}: "));
        let place = origin.as_ref().map_or_else(String::new, |at| format!(", {}", at.brief()));
        let text = clean(&format!("{whom}{why}{place}"));
        out += &format!("  {word} by policy {policy} ({}): {text}\n", rule.brief());
    }
    out
}

fn notes(plan: &Plan, style: Style) -> String {
    let line = |id: &ResourceId, text: &str| {
        format!("  {} {id}: {}\n", style.paint(Tone::Dim, "note"), clean(text))
    };
    let notes: String = plan.changes.notes.iter().map(|note| line(&note.id, &note.text)).collect();
    let short = plan.capacity.memory_missing().map(|missing| {
        let note = style.paint(Tone::Dim, "note");
        let missing = amount(missing);
        format!("  {note} memory: the limits go {missing} beyond what is free; it may run out\n")
    });
    notes + &short.unwrap_or_default() + &findings(plan, style)
}

/// What the machine is asked for, where it is known what it has.
fn room(plan: &Plan) -> Option<String> {
    let free = amount(plan.capacity.memory_free?);
    let more = u64::try_from(plan.capacity.memory_more).ok().filter(|more| *more > 0)?;
    Some(format!("needs {} more memory ({free} free)", amount(more)))
}

pub(super) fn joined(parts: &[&str]) -> String {
    let said: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    said.join(" · ")
}
