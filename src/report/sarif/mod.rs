//! Findings in the Static Analysis Results Interchange Format (SARIF) 2.1.0, for code scanning: held and
//! drifted values, and mistakes, each at the line of the file that is behind it.

mod finding;
mod log;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    controller::Pass,
    diff::{Action, Change, FieldChange, Mover, Shown},
    model::{Diagnostic, Severity},
};

use self::{
    finding::{Finding, Place, Rule},
    log::{Invocation, Level, Log},
};
use super::{
    diagnostic::{DiagnosticJson, LabelJson, Sources, twins},
    drift::{Move, moves},
    field, plan as text,
    style::Style,
    value::pair,
    verdict::Verdict,
};

/// Returns a plan: what is held or blocked, what drifted, and as notes what would change.
pub fn plan(pass: &Pass, style: Style) -> String {
    let style = Style { colour: false, ..style };
    let plan = &pass.plan;
    let mut findings = Vec::new();
    for change in &plan.changes.changes {
        let verdict = Verdict::of(plan, change);
        let place = Place::of_resource(pass, &change.id);
        let whole = |rule, message: String| Finding::new(rule, &change.id, "", message, &place);
        let effect = text::effect(plan, change, verdict, style);
        match verdict {
            Verdict::Held => {
                let rule =
                    if change.action == Action::Conflict { Rule::Conflict } else { Rule::Held };
                for held in plan.held.iter().filter(|held| held.id == change.id) {
                    let command = style.release(&held.release);
                    let message =
                        format!("{}: HELD: {}. Allow it with: {command}", change.id, held.what);
                    findings.push(whole(rule, message));
                }
            }
            Verdict::Blocked => {
                findings.push(whole(Rule::Blocked, format!("{}: {effect}", change.id)));
            }
            Verdict::Deferred | Verdict::NotChecked => {
                findings.push(whole(Rule::Unseen, format!("{}: {effect}", change.id)));
            }
            _ => {}
        }
        findings.extend(drifted(pass, change, style));
        let mine = change.fields.iter().filter(|field| field.mover == Mover::You);
        findings.extend(mine.map(|field| changed(pass, change, field, &effect)));
        let is_done = !matches!(
            verdict,
            Verdict::Held | Verdict::Blocked | Verdict::Deferred | Verdict::NotChecked
        );
        if is_done && change.fields.is_empty() && !change.is_drift() {
            findings.push(whole(Rule::Change, format!("{}: {effect}", change.id)));
        }
    }
    let known = |id| plan.changes.get(id).is_some();
    for held in plan.held.iter().filter(|held| !known(&held.id)) {
        let command = style.release(&held.release);
        let message = format!("{}: HELD: {}. Allow it with: {command}", held.id, held.what);
        let place = Place::of_resource(pass, &held.id);
        findings.push(Finding::new(Rule::Held, &held.id, "", message, &place));
    }
    Log::of(&id("plan", &plan.title), findings, Invocation::good()).text()
}

/// Returns what moved behind our back, and what could not be compared.
pub fn drift(pass: &Pass, style: Style) -> String {
    let style = Style { colour: false, ..style };
    let plan = &pass.plan;
    let mut findings = Vec::new();
    for change in &plan.changes.changes {
        findings.extend(drifted(pass, change, style));
        let verdict = Verdict::of(plan, change);
        if matches!(verdict, Verdict::Deferred | Verdict::NotChecked) {
            let message = format!("{}: {}: {}", change.id, verdict.word(), change.reason);
            let place = Place::of_resource(pass, &change.id);
            findings.push(Finding::new(Rule::Unseen, &change.id, "", message, &place));
        }
    }
    Log::of(&id("drift", &plan.title), findings, Invocation::good()).text()
}

/// Returns the mistakes of a configuration that `command` found.
pub fn check(command: &str, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let wrong = diagnostics.iter().any(|one| one.severity == Severity::Error);
    let findings = twins(diagnostics, sources).into_iter().map(mistake).collect();
    let invocation = if wrong && command != "check" {
        Invocation::failed("the configuration has mistakes")
    } else {
        Invocation::good()
    };
    Log::of(&id(command, ""), findings, invocation).text()
}

/// Returns why `command` ended without its result: no findings, and a call that failed.
pub fn failure(command: &str, chain: &[String], remedy: Option<&str>, style: Style) -> String {
    let next = remedy.map(|remedy| format!(". Next: {}", style.suggest(remedy)));
    let said = format!("{}{}", chain.join(": "), next.unwrap_or_default());
    Log::of(&id(command, ""), Vec::new(), Invocation::failed(&said)).text()
}

/// What keeps the results of several commands and projects apart: `nself/plan/shop-prod/`.
fn id(command: &str, title: &str) -> String {
    let title = title.replace(" · ", "-");
    if title.is_empty() { format!("nself/{command}/") } else { format!("nself/{command}/{title}/") }
}

/// Returns a field that the file changed.
fn changed(pass: &Pass, change: &Change, field: &FieldChange, effect: &str) -> Finding {
    let (before, after) = pair(&field.path, &field.before, &field.after);
    let is_long = |value: &Shown| matches!(value, Shown::Plain(text) if text.contains('\n') || text.chars().count() > 200);
    let values = if is_long(&field.before) || is_long(&field.after) {
        "other content".to_owned()
    } else {
        format!("{before} → {after}")
    };
    let name = field::name(&field.path);
    let message = format!("{} {name}: {values} ({effect})", change.id);
    let place = Place::of_field(pass, change, field);
    Finding::new(Rule::Change, &change.id, &field.path.to_string(), message, &place)
}

/// Returns what somebody else moved about one resource.
fn drifted(pass: &Pass, change: &Change, style: Style) -> Vec<Finding> {
    if !change.is_drift() || change.action == Action::Conflict {
        return Vec::new();
    }
    let repair = Verdict::of(&pass.plan, change).word();
    let fields = change.fields.iter().filter(|field| field.mover != Mover::You);
    let mut fields = fields.map(Some).chain(std::iter::repeat(None));
    let mut findings = Vec::new();
    for Move { path, what, remark } in moves(&pass.plan, change, style) {
        let field = fields.next().flatten();
        let rule = match (field, change.action) {
            (Some(_), _) => Rule::DriftedField,
            (None, Action::Create) => Rule::Missing,
            (None, Action::Remove) => Rule::Unwanted,
            (None, _) => Rule::Leftover,
        };
        let place = match field {
            Some(field) => Place::of_field(pass, change, field),
            None => Place::of_resource(pass, &change.id),
        };
        let path = if path.is_empty() { path } else { format!(" {path}") };
        let remark = remark.map(|remark| format!("; {remark}")).unwrap_or_default();
        let message = format!("{}{path}: {what} (repair: {repair}{remark})", change.id);
        let subject = match field {
            Some(field) => field.path.to_string(),
            None => what,
        };
        findings.push(Finding::new(rule, &change.id, &subject, message, &place));
    }
    findings
}

fn mistake(twin: DiagnosticJson) -> Finding {
    let DiagnosticJson { severity, code, message, labels, help } = twin;
    let note = |label: &LabelJson| (!label.note.is_empty()).then(|| label.note.clone());
    let said: Vec<String> = labels.iter().filter_map(note).chain(help).collect();
    let subject = labels.first().map_or(String::new(), |label| label.file.clone());
    let level = if severity == "error" { Level::Error } else { Level::Warning };
    let whole = std::iter::once(message.clone()).chain(said).collect::<Vec<_>>().join("; ");
    Finding {
        rule: Rule::Mistake(code),
        level,
        subject: format!("{subject}\n{message}"),
        address: None,
        message: whole,
        places: labels.iter().map(Place::of_label).collect(),
    }
}

impl Log {
    /// Puts findings together, each rule and each fingerprint once.
    fn of(id: &str, findings: Vec<Finding>, invocation: Invocation) -> Self {
        let rules: BTreeSet<Rule> = findings.iter().map(|finding| finding.rule).collect();
        let rules: Vec<Rule> = rules.into_iter().collect();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let results = findings.into_iter().map(|finding| {
            let index =
                rules.binary_search(&finding.rule).expect("each rule was taken from a finding");
            let again = seen.entry(finding.key()).or_default();
            *again += 1;
            finding.result(index, *again)
        });
        let results = results.collect();
        Self::new(id, rules.into_iter().map(Rule::described).collect(), results, invocation)
    }
}
