//! Plans, drift and mistakes as Markdown, for a comment on a pull request.
//!
//! The first line is a comment that nobody sees and that stays the same, so that a program finds the page
//! again and puts the next one in its place. The same plan is the same page, byte by byte.

mod escape;
mod page;

use similar::ChangeTag;

use crate::{
    controller::Pass,
    diff::Change,
    model::{Diagnostic, ResourceId},
    plan::{Held, Plan},
};

use self::{
    escape::{code, fenced, html, prose},
    page::Page,
};
use super::{
    diagnostic::{self, Colour, Sources},
    drift::{Move, moves},
    field, plan as text,
    style::Style,
    value::count,
    verdict::{self, Summary, Verdict},
};

/// Returns a plan: what is held first, a table of what happens, and below it the fields of each resource,
/// folded away.
pub fn plan(pass: &Pass, style: Style) -> String {
    let style = Style { colour: false, ..style };
    let plan = &pass.plan;
    let mut page = Page::new(&opening("plan", plan, &summary(plan)), &style.suggest("nself plan"));
    held(&mut page, plan, style);
    table(&mut page, plan, style);
    for change in &plan.changes.changes {
        page.fold(&details(plan, change, style));
    }
    notes(&mut page, plan);
    if !plan.steps.is_empty() {
        page.last(&format!("Make it so: {}\n", code(&style.suggest("nself apply"))));
    }
    page.end()
}

/// Returns what moved behind our back, with the way back.
pub fn drift(pass: &Pass, style: Style) -> String {
    let style = Style { colour: false, ..style };
    let plan = &pass.plan;
    let moved: Vec<&Change> = plan.changes.changes.iter().filter(|c| c.is_drift()).collect();
    let looked_at = count(plan.changes.looked_at(), "resource");
    let said = match moved.len() {
        0 => format!("**no drift** in {looked_at}"),
        some => format!("**{some} of {looked_at} moved** behind our back"),
    };
    let mut page = Page::new(&opening("drift", plan, &said), &style.suggest("nself drift"));
    if !moved.is_empty() {
        page.open(
            "\n| resource | field | what was → what is | repair |\n| --- | --- | --- | --- |\n",
        );
    }
    for change in &moved {
        let id = code(&change.id.to_string());
        let repair = match plan.held.iter().find(|held| held.id == change.id) {
            Some(held) => format!("**HELD**: {}", code(&style.release(&held.release))),
            None => Verdict::of(plan, change).word().to_owned(),
        };
        for Move { path, what, remark } in moves(plan, change, style) {
            let (path, what) = if path.is_empty() {
                ("–".to_owned(), prose(&short(&what)))
            } else {
                (code(&path), code(&short(&what)))
            };
            let remark = remark.map(|remark| format!(" · {}", prose(&remark))).unwrap_or_default();
            page.row(&format!("| {id} | {path} | {what} | {repair}{remark} |\n"));
        }
    }
    unseen(&mut page, plan);
    if !moved.is_empty() {
        let back = code(&style.suggest("nself apply"));
        page.last(&format!("Put it back: {back} · keep it: write it into `nself.toml`\n"));
    }
    page.end()
}

/// Returns the mistakes of a configuration that stand in the way of `command`.
pub fn mistakes(command: &str, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let text = diagnostic::text(diagnostics, sources, Colour::Plain);
    let opening = format!("<!-- nself {command} -->\n### nself {command}: the file has mistakes\n");
    let mut page = Page::new(&opening, "nself check");
    page.fold(&format!("\n{}", fenced("text", text.trim_end())));
    page.end()
}

/// Returns why `command` ended without its result.
pub fn failure(command: &str, chain: &[String], remedy: Option<&str>, style: Style) -> String {
    let style = Style { colour: false, ..style };
    let text = super::error(chain, remedy, style);
    let opening = format!("<!-- nself {command} -->\n### nself {command}: failed\n");
    let mut page = Page::new(&opening, &format!("nself {command}"));
    page.fold(&format!("\n{}", fenced("text", text.trim_end())));
    page.end()
}

/// The lines that every page begins with.
fn opening(command: &str, plan: &Plan, said: &str) -> String {
    let marker = plan.title.replace(" · ", " ");
    let mut about = Vec::new();
    if !plan.engine.name.is_empty() {
        about.push(prose(&plan.engine.name));
    }
    if plan.generation() > 0 {
        about.push(format!("generation {}", plan.generation()));
    }
    let about =
        if about.is_empty() { String::new() } else { format!(" · {}", about.join(" · ")) };
    let title = prose(&plan.title);
    format!("<!-- nself {command} {marker} -->\n### nself {command} · {title}\n\n{said}{about}\n")
}

fn summary(plan: &Plan) -> String {
    if plan.is_empty() && plan.changes.changes.is_empty() {
        return format!("**nothing to do** · {}", count(plan.changes.looked_at(), "resource"));
    }
    format!("**{}**", Summary::of(plan))
}

/// What waits for a person stands first, each with the command that releases it.
fn held(page: &mut Page, plan: &Plan, style: Style) {
    if plan.held.is_empty() {
        return;
    }
    let (number, verb) = match plan.held.len() {
        1 => ("1 change".to_owned(), "is"),
        many => (format!("{many} changes"), "are"),
    };
    page.open(&format!("\n> [!WARNING]\n> {number} {verb} **HELD** until allowed by name.\n>\n"));
    for Held { id, what, release } in &plan.held {
        let (id, what, command) =
            (code(&id.to_string()), prose(what), code(&style.release(release)));
        page.row(&format!("> - **HELD** {id}: {what}. Allow it with {command}\n"));
    }
}

fn table(page: &mut Page, plan: &Plan, style: Style) {
    let followers = verdict::followers(plan);
    let known = |held: &&Held| plan.changes.get(&held.id).is_none();
    let alone: Vec<&Held> = plan.held.iter().filter(known).collect();
    if plan.changes.changes.is_empty() && followers.is_empty() && alone.is_empty() {
        return;
    }
    page.open("\n|   | resource | what happens |\n| --- | --- | --- |\n");
    for change in &plan.changes.changes {
        let verdict = Verdict::of(plan, change);
        page.row(&row(&change.id, verdict, &text::effect(plan, change, verdict, style)));
    }
    for (id, (verdict, why)) in followers {
        page.row(&row(id, verdict, &text::joined(&[verdict.word(), why])));
    }
    for held in alone {
        page.row(&row(&held.id, Verdict::Held, &format!("HELD: {}", held.what)));
    }
}

fn row(id: &ResourceId, verdict: Verdict, effect: &str) -> String {
    let mut effect = prose(effect);
    for stake in ["HELD", "DATA AT RISK"] {
        effect = effect.replacen(stake, &format!("**{stake}**"), 1);
    }
    format!("| `{}` | {} | {effect} |\n", verdict.symbol(), code(&id.to_string()))
}

/// Returns the fields of one resource, folded away; nothing where there are none.
fn details(plan: &Plan, change: &Change, style: Style) -> String {
    let sides = field::sides(plan, change, style);
    let left = change.leftovers.len();
    let leftovers = change.leftovers.iter().map(|one| format!("- {} (left over)", one.name));
    let mut lines: Vec<String> = Vec::new();
    for one in &sides {
        lines.push(format!("@@ {} @@ {}", one.path, one.about.join(" · ")).trim_end().to_owned());
        for (tag, text) in &one.lines {
            let sign = match tag {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {text}").trim_end().to_owned());
        }
        if one.more > 0 {
            lines.push(format!("# … {}", count(one.more, "more line")));
        }
    }
    lines.extend(leftovers);
    if lines.is_empty() {
        return String::new();
    }
    let id = html(&change.id.to_string());
    let symbol = Verdict::of(plan, change).symbol();
    let counts = [(sides.len(), count(sides.len(), "field")), (left, format!("{left} left over"))];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text);
    let counts = counts.collect::<Vec<_>>().join(" · ");
    let block = fenced("diff", &lines.join("\n"));
    format!(
        "\n<details>\n<summary><code>{symbol} {id}</code> · {counts}</summary>\n\n{block}\n</details>\n"
    )
}

/// What could not be compared is named, so that silence about it is not taken for "no drift".
fn unseen(page: &mut Page, plan: &Plan) {
    let unseen = plan.changes.changes.iter().filter(|change| {
        matches!(Verdict::of(plan, change), Verdict::Deferred | Verdict::NotChecked)
    });
    for (place, change) in unseen.enumerate() {
        let first = if place == 0 { "\n" } else { "" };
        let (id, word) = (code(&change.id.to_string()), Verdict::of(plan, change).word());
        page.row(&format!("{first}- {id} {word}: {}\n", prose(&change.reason)));
    }
}

fn notes(page: &mut Page, plan: &Plan) {
    for (place, note) in plan.changes.notes.iter().enumerate() {
        let first = if place == 0 { "\n" } else { "" };
        let text = prose(&note.text);
        page.row(&format!("{first}- note: {} {text}\n", code(&note.id.to_string())));
    }
}

/// Returns the beginning of a long value: in a table a longer one makes all columns unreadable.
fn short(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(MOST - 1).collect();
    format!("{beginning}…")
}
