//! What a check-up found, as text and as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::doctor::{Examined, Finding, Level, Verdict};

use super::{
    json,
    style::{Style, Tone, clean, columns, dotted, pad, wrapped},
    value::count,
};

/// How much is said of what is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its name.
    Brief,
    /// What was seen.
    Full,
}

/// Returns the findings, each with why it matters and what to do, and then what is well.
pub fn doctor(examined: &[Examined], fixed: &[String], detail: Detail, style: Style) -> String {
    let mut out = String::new();
    for text in fixed {
        out += &format!("  {} fixed: {}\n", style.paint(Tone::Good, "✓"), clean(text));
    }
    let width = examined.iter().map(|one| columns(one.rule.name)).max().unwrap_or(0);
    for one in examined {
        let name = pad(one.rule.name, width);
        match &one.verdict {
            Verdict::Found(findings) => {
                for finding in findings {
                    out += &lines(&name, finding, style);
                }
            }
            Verdict::Well(seen) if detail == Detail::Full => {
                let sign = style.paint(Tone::Good, "✓");
                out += &format!("  {sign} {name}   {}\n", clean(seen));
            }
            Verdict::NotChecked(why) if detail == Detail::Full => {
                let sign = style.paint(Tone::Dim, "·");
                out += &format!("  {sign} {name}   not checked: {}\n", clean(why));
            }
            Verdict::Well(_) | Verdict::NotChecked(_) => {}
        }
    }
    if detail == Detail::Brief {
        out += &names("well", examined, |verdict| matches!(verdict, Verdict::Well(_)), style);
        let not_checked = |verdict: &Verdict| matches!(verdict, Verdict::NotChecked(_));
        out += &names("not checked", examined, not_checked, style);
    }
    out + &summary(examined, style)
}

fn lines(name: &str, finding: &Finding, style: Style) -> String {
    let (tone, sign) = match finding.level {
        Level::Error => (Tone::Bad, "✗"),
        Level::Warning => (Tone::Change, "!"),
        Level::Note => (Tone::Dim, "i"),
    };
    let Finding { level: _, what, why, remedy, fix: _ } = finding;
    let indent = 4 + columns(name) + 3;
    let room = style.width.saturating_sub(indent).max(30);
    let said = wrapped(&clean(what), room).join(&format!("\n{}", " ".repeat(indent)));
    let mut out =
        format!("  {} {}   {said}\n", style.paint(tone, sign), style.paint(Tone::Strong, name));
    let remedy = style.suggest(remedy);
    for (label, text) in [("why ", why.as_str()), ("next", remedy.as_str())] {
        if text.is_empty() {
            continue;
        }
        // A command is typed as it stands, so it is never broken.
        let text = clean(text);
        let parts = if label == "next" { vec![text] } else { wrapped(&text, room.max(40) - 6) };
        let text = parts.join(&format!("\n{}", " ".repeat(indent + 6)));
        out += &format!("{}{}  {text}\n", " ".repeat(indent), style.paint(Tone::Dim, label));
    }
    out
}

fn names(word: &str, all: &[Examined], is: impl Fn(&Verdict) -> bool, style: Style) -> String {
    let names = all.iter().filter(|one| is(&one.verdict)).map(|one| one.rule.name.to_owned());
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return String::new();
    }
    let room = style.width.saturating_sub(columns(word) + 5).max(30);
    let text = dotted(&names, room).replace('\n', "\n    ");
    format!("  {} {text}\n", style.paint(Tone::Dim, &format!("{word}:")))
}

fn summary(all: &[Examined], style: Style) -> String {
    let findings = || all.iter().flat_map(|one| one.verdict.findings());
    let of = |level: Level| findings().filter(|finding| finding.level == level).count();
    let parts =
        [(of(Level::Error), "error"), (of(Level::Warning), "warning"), (of(Level::Note), "note")];
    let mut said: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| count(number, word))
        .collect();
    if said.is_empty() {
        said.push("all well".to_owned());
    }
    let fixable = findings().filter(|finding| finding.fix.is_some()).count();
    if fixable > 0 {
        said.push(format!("{} repairs {fixable} of them", style.suggest("nself doctor --fix")));
    }
    said.join(" · ") + "\n"
}

/// What was examined, and found.
#[derive(Serialize, JsonSchema)]
pub(super) struct DoctorJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// How many errors were found.
    errors: usize,
    /// How many warnings.
    warnings: usize,
    /// How many notes.
    notes: usize,
    /// What was put right.
    fixed: &'a [String],
    /// Every rule with what it found.
    rules: Vec<RuleJson<'a>>,
}

/// A rule with what it found.
#[derive(Serialize, JsonSchema)]
struct RuleJson<'a> {
    /// Its name.
    rule: &'a str,
    /// What it looks at.
    about: &'a str,
    /// `well`, `found` or `not_checked`.
    verdict: &'static str,
    /// What was seen, or why it was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
    /// What is wrong.
    findings: Vec<FindingJson<'a>>,
}

/// Something that is wrong, or soon will be.
#[derive(Serialize, JsonSchema)]
struct FindingJson<'a> {
    /// `error`, `warning` or `note`.
    level: &'static str,
    /// What.
    what: &'a str,
    /// Why it matters.
    why: &'a str,
    /// What to do about it.
    remedy: &'a str,
    /// What `--fix` does about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// Returns the same as JSON.
pub fn doctor_json(examined: &[Examined], fixed: &[String]) -> String {
    let findings = || examined.iter().flat_map(|one| one.verdict.findings());
    let of = |level: Level| findings().filter(|finding| finding.level == level).count();
    json::text(&DoctorJson {
        format_version: json::FORMAT_VERSION,
        errors: of(Level::Error),
        warnings: of(Level::Warning),
        notes: of(Level::Note),
        fixed,
        rules: examined.iter().map(RuleJson::of).collect(),
    })
}

impl<'a> RuleJson<'a> {
    fn of(one: &'a Examined) -> Self {
        let (verdict, seen) = match &one.verdict {
            Verdict::Well(seen) => ("well", Some(seen.as_str())),
            Verdict::NotChecked(why) => ("not_checked", Some(why.as_str())),
            Verdict::Found(_) => ("found", None),
        };
        let findings = one.verdict.findings().iter().map(|finding| FindingJson {
            level: match finding.level {
                Level::Note => "note",
                Level::Warning => "warning",
                Level::Error => "error",
            },
            what: &finding.what,
            why: &finding.why,
            remedy: &finding.remedy,
            fix: finding.fix.as_ref().map(ToString::to_string),
        });
        let (rule, about) = (one.rule.name, one.rule.about);
        Self { rule, about, verdict, seen, findings: findings.collect() }
    }
}
